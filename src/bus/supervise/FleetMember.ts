/**
 * This process in its fleet: says which subscribers it runs, and pauses those that an operator has paused. One round trip
 * every five seconds does both, while there is a subscriber. Where the store of the fleet does not answer, everything stays
 * as it is: what is paused stays paused, what runs goes on.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FiberHandle from "effect/FiberHandle"
import type * as Scope from "effect/Scope"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { hostname } from "node:os"
import { quoted } from "../../event/EventError.ts"
import type * as Log from "../../observe/Log.ts"
import type { CacheError } from "../port/CacheError.ts"
import type { Fleet, OperatorPause, Pauses, Presence, SubscriberPresence } from "../port/Fleet.ts"
import { library } from "../send/Diagnosis.ts"
import type { Lag, Subscription } from "../subscriber/Subscription.ts"

const everyMillis = 5_000
const startingMillis = 1_000
/** A process that ends does not wait for longer to say so. */
const leavingMillis = 500
/** What one process says is bounded, since all records are read together. */
const mostSubscribers = 200
const mostEvents = 100

/** A subscriber that operators see. */
export interface Member {
  readonly subscriber: {
    readonly name: string
    readonly ordering: "none" | "key"
    readonly patterns: ReadonlyArray<string>
  }
  readonly subscription: Pick<Subscription, "status" | "stats">
  readonly lag: () => Omit<Lag, "fault">
  /** Called when an operator has paused it, and with undefined when an operator has resumed it. */
  readonly obey: (pause: OperatorPause | undefined) => Effect.Effect<void>
}

/** How a status and the log name a pause. What an operator wrote comes from outside. */
export const describe = ({ by, reason, since }: OperatorPause): string =>
  `an operator paused it in all processes: ${by === "" ? "nobody says who" : quoted(by)}, since ${since.toISOString()}` +
  (reason === "" ? "" : `: ${quoted(reason)}`)

export class FleetMember {
  private readonly fleet: Fleet["Service"]
  private readonly about: Omit<Presence, "subscribers">
  private readonly log: Log.Log
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
    about: Omit<Presence, "subscribers">,
    log: Log.Log,
    run: (live: Effect.Effect<void>) => void
  ) {
    this.fleet = fleet
    this.about = about
    this.log = log
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

  /** One round trip after the other while there are subscribers. */
  private readonly live: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    do {
      // The first time its subscribers are starting.
      let waitMillis = startingMillis
      while (this.members.size > 0) {
        // What has changed is shown at once: an operator waits for it.
        if (yield* this.appear()) continue
        yield* Effect.sleep(waitMillis)
        waitMillis = everyMillis
      }
      yield* this.leave
    } while (this.members.size > 0)
  })

  /** Returns whether a subscriber was paused or resumed. */
  private appear(): Effect.Effect<boolean> {
    return Effect.gen({ self: this }, function* () {
      const shown = [...this.members].slice(0, mostSubscribers)
      const subscribers = yield* Effect.forEach(shown, ([member, pause]) => presenceOf(member, pause))
      this.hasAppeared = true
      const pauses = yield* this.fleet.appear({ ...this.about, subscribers })
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
  { lag, subscriber: { name, ordering, patterns }, subscription: { stats, status } }: Member,
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
      deadLettered
    }
  })

/** Lives as long as the current scope. */
export const make = Effect.fnUntraced(function* (
  fleet: Fleet["Service"],
  { log, process: id, source }: { readonly log: Log.Log; readonly process: string; readonly source: string }
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
  member = new FleetMember(fleet, about, log, (live) => void run(live, { onlyIfMissing: true }))
  return member
})
