/**
 * The contracts of this process in its fleet: what it says of them, and whether the subscribers of the fleet know what it
 * publishes. Digests are made once for each contract, after the start, and what makes them is loaded then.
 */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type * as Event from "../../event/Event.ts"
import { quoted } from "../../event/EventError.ts"
import { matcher } from "../../event/Name.ts"
import type * as Log from "../../observe/Log.ts"
import type { ContractPresence, ContractsPresence, Fleet } from "../port/Fleet.ts"
import type { KnownEvents, UsedContract } from "../support/KnownEvents.ts"

/** What one process says is bounded, since all records are read together. */
const mostContracts = 300
const mostNamed = 5

type Digests = ContractPresence["versions"]

export class FleetContracts {
  private readonly known: KnownEvents
  private readonly log: Log.Log
  private readonly digests = new WeakMap<Event.Any, Digests>()
  /** Undefined before the first digest. */
  private by: string | undefined
  private isPreparing = false
  /** The names and versions that were published and compared with the fleet. */
  private readonly compared = new Set<string>()

  constructor(known: KnownEvents, log: Log.Log) {
    this.known = known
    this.log = log
  }

  get isPublisher(): boolean {
    for (const { published } of this.known.contracts.values()) if (published !== undefined) return true
    return false
  }

  /** What is known of them so far. */
  presence(): ContractsPresence | undefined {
    const { by } = this
    if (by === undefined) return undefined
    const events = [...this.known.contracts].flatMap(([event, used]): ReadonlyArray<ContractPresence> => {
      const versions = this.versionsOf(used)
      return versions === undefined
        ? []
        : [{ event, publishes: used.published?.version ?? null, handles: used.handled?.version ?? null, versions }]
    })
    return { by, events }
  }

  /** Both where this process publishes with another contract than it subscribes with. */
  private versionsOf({ handled, published }: UsedContract): Digests | undefined {
    const all = [published, handled].flatMap((event) => (event === undefined ? [] : [this.digests.get(event)]))
    return all.includes(undefined) ? undefined : Object.assign({}, ...all)
  }

  /** Whether digests are missing, and nothing makes them. */
  get isIncomplete(): boolean {
    return !this.isPreparing && this.missing().length > 0
  }

  private missing(): ReadonlyArray<Event.Any> {
    return [...this.known.contracts.values()]
      .slice(0, mostContracts)
      .flatMap(({ handled, published }) => [handled, published])
      .filter((event) => event !== undefined)
      .filter((event) => !this.digests.has(event))
  }

  /** Makes the digests that are missing, one contract in a turn of the event loop. */
  readonly prepare: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    this.isPreparing = true
    // A program that was made one file may lack the module: it says nothing of its contracts, and does not try again.
    const Digest = yield* Effect.promise(() => import("../../contracts/Digest.ts"))
    for (const event of this.missing()) {
      this.digests.set(event, Digest.of(event))
      yield* Effect.yieldNow
    }
    this.by ??= Digest.by()
    this.isPreparing = false
  }).pipe(Effect.catchCause(() => Effect.void))

  /**
   * Warns of subscribers that do not know the version that this process publishes. It asks the fleet when a version was
   * published for the first time, and never again for it.
   */
  compare(fleet: Fleet["Service"]): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const published = [...this.known.contracts.values()]
        .flatMap(({ published }) => published ?? [])
        .filter((event) => !this.compared.has(idOf(event)))
      if (published.length === 0) return
      const seen = yield* fleet.processes
      for (const event of published) {
        this.compared.add(idOf(event))
        const behind = seen.flatMap(({ record }) => subscribersBehind(record, event))
        if (behind.length > 0) this.warn(event, behind)
      }
    }).pipe(
      // The next round asks again. A missing right has a log line already: whoever may not read may not appear.
      Effect.catch(() => Effect.void)
    )
  }

  private warn({ name, version }: Event.Any, behind: ReadonlyArray<Behind>): void {
    const named = [...new Set(behind.map(({ knows, subscriber }) => `${subscriber} (version ${knows})`))]
    this.log.warning("this process publishes a version that subscribers do not know", {
      event: name,
      version,
      subscribers: quoted(named.slice(0, mostNamed).join(", ")),
      remedy: "deploy subscribers before publishers: what their processes get of this version waits for new ones"
    })
  }
}

const idOf = ({ name, version }: Event.Any): string => `${name} ${version}`

interface Behind {
  readonly subscriber: string
  readonly knows: number
}

/** The subscribers of a process that get this event and know older versions only. Another program may have written the record. */
const subscribersBehind = (record: unknown, { name, version }: Event.Any): ReadonlyArray<Behind> => {
  const events = listIn(fieldOf(record, "contracts"), "events")
  const knows = fieldOf(
    events.find((one) => fieldOf(one, "event") === name),
    "handles"
  )
  if (!Predicate.isNumber(knows) || knows >= version) return []
  return listIn(record, "subscribers").flatMap((one) => {
    const subscriber = fieldOf(one, "name")
    const gets = listIn(one, "events").some((pattern) => Predicate.isString(pattern) && isMatch(pattern, name))
    return gets && Predicate.isString(subscriber) ? [{ subscriber, knows }] : []
  })
}

const isMatch = (pattern: string, event: string): boolean =>
  pattern === event || (/[*#]/.test(pattern) && matcher(pattern)(event))

const fieldOf = (value: unknown, name: string): unknown =>
  Predicate.hasProperty(value, name) ? value[name] : undefined

const listIn = (value: unknown, name: string): ReadonlyArray<unknown> => {
  const list = fieldOf(value, name)
  return Array.isArray(list) ? list : []
}
