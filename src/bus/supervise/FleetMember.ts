/**
 * This process in its fleet: says which subscribers it runs and which contracts it has, and pauses the subscribers that an
 * operator has paused. One round trip every five seconds does both, while there is a subscriber or something was published.
 * Where the store of the fleet does not answer, everything stays as it is: what is paused stays paused, what runs goes on.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FiberHandle from "effect/FiberHandle"
import type * as Scope from "effect/Scope"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { hostname } from "node:os"
import type * as Event from "../../event/Event.ts"
import { quoted } from "../../event/EventError.ts"
import type * as Log from "../../observe/Log.ts"
import type { CacheError } from "../port/CacheError.ts"
import type { ConnectionPresence, Fleet, OperatorPause, Pauses, Presence, SubscriberPresence } from "../port/Fleet.ts"
import { library } from "../send/Diagnosis.ts"
import type { Lag, Lane, Subscription } from "../subscriber/Subscription.ts"
import type { KnownEvents } from "../support/KnownEvents.ts"
import { FleetContracts } from "./FleetContracts.ts"

const everyMillis = 5_000
const startingMillis = 1_000
/** A process that ends does not wait for longer to say so. */
const leavingMillis = 500
/** What one process says is bounded, since all records are read together. */
const mostSubscribers = 200
const mostEvents = 100
const mostLanes = 10
const mostOfKey = 255

/** A subscriber that operators see. */
export interface Member {
  readonly subscriber: {
    readonly name: string
    readonly ordering: "none" | "key"
    readonly patterns: ReadonlyArray<string>
  }
  readonly subscription: Pick<Subscription, "status" | "stats">
  readonly lag: () => Omit<Lag, "fault">
  /** Empty without an order by key. */
  readonly lanes: () => ReadonlyArray<Lane>
  /** Called when an operator has paused it, and with undefined when an operator has resumed it. */
  readonly obey: (pause: OperatorPause | undefined) => Effect.Effect<void>
}

/** How a status and the log name a pause. What an operator wrote comes from outside. */
export const describe = ({ by, reason, since }: OperatorPause): string =>
  `an operator paused it in all processes: ${by === "" ? "nobody says who" : quoted(by)}, since ${since.toISOString()}` +
  (reason === "" ? "" : `: ${quoted(reason)}`)

/** What does not change while a process runs. */
type About = Omit<Presence, "connection" | "contracts" | "subscribers">

export class FleetMember {
  private readonly fleet: Fleet["Service"]
  private readonly about: About
  private readonly connection: () => ConnectionPresence
  private readonly log: Log.Log
  private readonly contracts: FleetContracts
  /** Runs what it is given, unless that runs already. */
  private readonly run: (live: Effect.Effect<void>) => void
  /** Each subscriber, and the pause that it obeys. */
  private readonly members = new Map<Member, OperatorPause | undefined>()
  /** What is paused, by the last answer. */
  private known: Pauses = new Map()
  private hasAppeared = false
  private isRefused = false

  constructor(
    fleet: Fleet["Service"],
    about: About,
    connection: () => ConnectionPresence,
    { contracts, log }: { readonly contracts: FleetContracts; readonly log: Log.Log },
    run: (live: Effect.Effect<void>) => void
  ) {
    this.fleet = fleet
    this.about = about
    this.connection = connection
    this.log = log
    this.contracts = contracts
    this.run = run
  }

  /** Shows a subscriber until the scope ends. It obeys before this completes, so no handler starts that is paused. */
  join(member: Member): Effect.Effect<void, never, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      // While others are shown, what is known is at most five seconds old.
      if (this.members.size === 0) yield* this.ask
      this.members.set(member, undefined)
      yield* Effect.addFinalizer(() => Effect.sync(() => this.members.delete(member)))
      yield* this.obey(this.known)
      this.run(this.live)
    })
  }

  /** Where the fleet does not answer, what was known last counts. */
  private readonly ask: Effect.Effect<void> = Effect.suspend(() => this.fleet.pauses).pipe(
    Effect.map((pauses) => void (this.known = pauses)),
    Effect.catch((error) => this.failed(error))
  )

  /** Says that this process is gone. */
  readonly leave: Effect.Effect<void> = Effect.suspend(() => {
    if (!this.hasAppeared) return Effect.void
    this.hasAppeared = false
    return Effect.ignore(Effect.timeoutOption(this.fleet.leave(this.about.process), leavingMillis))
  })

  /** Shows that this process publishes, unless it ends before. */
  publishes(): void {
    this.run(this.live)
  }

  /** One round trip after the other while there are subscribers or published contracts. */
  private readonly live: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    do {
      // The first time its subscribers are starting.
      let waitMillis = startingMillis
      while (this.hasReason) {
        const isNew = waitMillis === startingMillis
        // What has changed is shown at once: an operator waits for it.
        if ((this.members.size > 0 || !isNew) && (yield* this.appear())) continue
        yield* Effect.sleep(waitMillis)
        waitMillis = everyMillis
        // Beside what operators wait for, since it loads a module.
        if (this.contracts.isIncomplete) yield* Effect.forkChild(this.contracts.prepare)
        yield* this.contracts.compare(this.fleet)
      }
      yield* this.leave
    } while (this.hasReason)
  })

  private get hasReason(): boolean {
    return this.members.size > 0 || this.contracts.isPublisher
  }

  /** Returns whether a subscriber was paused or resumed. */
  private appear(): Effect.Effect<boolean> {
    return Effect.gen({ self: this }, function* () {
      const shown = [...this.members].slice(0, mostSubscribers)
      const subscribers = yield* Effect.forEach(shown, ([member, pause]) => presenceOf(member, pause))
      this.hasAppeared = true
      const contracts = this.contracts.presence()
      const pauses = yield* this.fleet.appear({
        ...this.about,
        connection: this.connection(),
        ...(contracts !== undefined && { contracts }),
        subscribers
      })
      this.isRefused = false
      this.known = pauses
      return yield* this.obey(pauses)
    }).pipe(Effect.catch((error) => Effect.as(this.failed(error), false)))
  }

  private obey(pauses: Pauses): Effect.Effect<boolean> {
    return Effect.gen({ self: this }, function* () {
      let hasChanged = false
      for (const [member, before] of this.members) {
        const { name } = member.subscriber
        const pause = pauses.get(name)
        if (isSame(before, pause)) continue
        hasChanged = true
        this.members.set(member, pause)
        if (pause !== undefined) this.log.warning("an operator paused a subscriber", fieldsOf(name, pause))
        else this.log.info("an operator resumed a subscriber", { subscriber: name })
        yield* member.obey(pause)
      }
      return hasChanged
    })
  }

  /** A store that is away has a log line of its own, and comes back by itself. */
  private failed(error: CacheError): Effect.Effect<void> {
    return Effect.sync(() => {
      if (error.reason._tag === "Unavailable" || this.isRefused) return
      this.isRefused = true
      this.log.warning("operators do not see this process, and cannot pause its subscribers", {
        detail: error.message,
        remedy: "give its Redis user the rights that `eventbus grants` writes"
      })
    })
  }
}

const isSame = (one: OperatorPause | undefined, other: OperatorPause | undefined): boolean =>
  one?.by === other?.by && one?.reason === other?.reason && one?.since.getTime() === other?.since.getTime()

const fieldsOf = (subscriber: string, { by, reason, since }: OperatorPause): Log.Fields => ({
  subscriber,
  by: quoted(by),
  since: since.toISOString(),
  reason: quoted(reason)
})

const presenceOf = (
  { lag, lanes, subscriber: { name, ordering, patterns }, subscription: { stats, status } }: Member,
  pause: OperatorPause | undefined
): Effect.Effect<SubscriberPresence> =>
  Effect.map(stats, ({ deadLettered, handled, held, inFlight, parked }) => {
    const { _tag, cause, restarts, since } = SubscriptionRef.getUnsafe(status)
    const { oldest, ready } = lag()
    return {
      name,
      events: patterns.slice(0, mostEvents),
      ordering,
      status: _tag,
      since: since.toISOString(),
      restarts,
      cause: cause === undefined ? null : quoted(cause),
      paused: pause === undefined ? null : { ...pause, since: pause.since.toISOString() },
      lag: ready ?? null,
      oldest: oldest?.toISOString() ?? null,
      held,
      inFlight,
      parked,
      handled,
      deadLettered,
      ...(ordering === "key" && { lanes: longest(lanes()) })
    }
  })

/** The lanes in which most events wait: what holds up others is among them. */
const longest = (lanes: ReadonlyArray<Lane>): NonNullable<SubscriberPresence["lanes"]> =>
  lanes
    .toSorted((one, other) => other.behind - one.behind || other.attempt - one.attempt)
    .slice(0, mostLanes)
    .map(({ attempt, behind, head, key }) => ({ key: key.slice(0, mostOfKey), head, attempt, behind }))

export interface Process {
  /** Contracts that the service says it publishes. */
  readonly publishes?: ReadonlyArray<Event.Any>
  readonly known: KnownEvents
  readonly log: Log.Log
  readonly process: string
  readonly source: string
  readonly connection: () => ConnectionPresence
}

/** Lives as long as the current scope. */
export const make = Effect.fnUntraced(function* (
  fleet: Fleet["Service"],
  { connection, known, log, process: id, publishes = [], source }: Process
) {
  const clock = yield* Clock.Clock
  const about = {
    process: id,
    source,
    host: hostname(),
    pid: process.pid,
    library,
    startedAt: new Date(clock.currentTimeMillisUnsafe()).toISOString()
  }
  let member: FleetMember | undefined
  // Older than the fiber, so that the last thing that is said is that the process is gone.
  yield* Effect.addFinalizer(() => member?.leave ?? Effect.void)
  const run = yield* FiberHandle.runtime(yield* FiberHandle.make<void>())<never>()
  const made = new FleetMember(fleet, about, connection, { contracts: new FleetContracts(known, log), log }, (live) => {
    void run(live, { onlyIfMissing: true })
  })
  member = made
  known.onPublished = () => made.publishes()
  for (const event of publishes) known.publishes(event)
  return made
})
