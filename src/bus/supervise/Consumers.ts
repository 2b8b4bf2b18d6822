/**
 * The consumers of a subscriber through one life, from the first to the loss of the last.
 *
 * Without ordering it starts slowly: one delivery at a time, until the deliveries show no sign of an event that
 * kills the process; then a second consumer with the full prefetch takes over. By key a single consumer is active
 * and keeps its window, and CrashGuard isolates suspects. A short pause returns no delivery.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Scope from "effect/Scope"
import type { Runner } from "../handle/RunnerApi.ts"
import type { Broker } from "../port/Broker.ts"
import { BrokerError } from "../port/BrokerError.ts"
import { BrokerRefused } from "../port/BrokerReason.ts"
import * as ConsumerSession from "./ConsumerSession.ts"
import type * as Inbox from "./Inbox.ts"
import type { Handover } from "./Handover.ts"
import type { ParkedQueue } from "./ParkedQueue.ts"

/** What a consumer holds is settled within this time when it takes nothing more, or else goes back. */
const settledWithin = "1 minute"
/** So many suspects are held at once by a consumer each. */
const maxSlow = 10
/** A consumer with a smaller window is replaced when no large body came for this long. */
const renewedAfter = "1 minute"

/** A pause holds deliveries at most this long: RabbitMQ takes them back after 30 minutes. */
const heldAtMost = "10 minutes"

export interface ConsumersParts {
  readonly broker: Broker["Service"]
  readonly subscriber: {
    readonly name: string
    readonly ordering: "none" | "key"
    readonly patterns: ReadonlyArray<string>
    readonly prefetch: number
    readonly window: { size: number }
    readonly ephemeral: boolean
  }
  readonly runner: Pick<Runner, "hold" | "giveBack" | "wake">
  readonly inbox: Inbox.Inbox
  /** Of a keyed subscriber. */
  readonly parkedQueue: ParkedQueue | undefined
  readonly handover: Handover | undefined
  /** Sent when the consumer is closed for a handover. */
  readonly remind: Effect.Effect<void>
}

export class Consumers {
  /** Stops new deliveries. Deliveries that arrived stay. */
  readonly cancel: Effect.Effect<void>
  /** Returns unsettled deliveries to the queue. */
  readonly close: Effect.Effect<void>
  private readonly parts: ConsumersParts
  private readonly scope: Scope.Scope
  private readonly sessions = new Set<ConsumerSession.Session>()
  private readonly paused = Latch.makeUnsafe(false)
  private readonly resumed = Latch.makeUnsafe(true)
  /** Whether one consumer keeps its whole window, whatever is in it. */
  private readonly isWhole: boolean
  private ended = false

  /** Consumers belong to `scope`. */
  constructor(parts: ConsumersParts, scope: Scope.Scope) {
    this.parts = parts
    this.scope = scope
    this.isWhole = parts.subscriber.ephemeral || parts.subscriber.ordering === "key"
    this.cancel = this.forEachSession((session) => session.cancel)
    this.close = this.forEachSession((session) => this.closeSession(session))
  }

  /** Consumes until the consumer is lost. `onRunning` runs when consuming has begun. */
  run(onRunning: Effect.Effect<void>): Effect.Effect<never, BrokerError> {
    return Effect.onExit(this.isWhole ? this.keepOne(onRunning) : this.startSlowly(onRunning), () =>
      Effect.suspend(() => {
        for (const session of this.sessions) this.abandon(session)
        return Effect.andThen(
          this.close,
          Effect.sync(() => this.parts.handover?.end())
        )
      })
    )
  }

  /** From now on no consumer is opened: one that is being opened takes nothing, a lost one is not replaced. */
  end(): void {
    this.ended = true
  }

  /** Whether handlers may start. */
  isActive(): boolean {
    return !this.ended && this.resumed.isOpen()
  }

  /** Starts no handler until it is resumed, and returns nothing: each return uses up one of an event's lives. */
  pause(on: boolean): void {
    this.parts.runner.hold("pause", on)
    if (on) {
      this.resumed.closeUnsafe()
      this.paused.openUnsafe()
    } else {
      this.paused.closeUnsafe()
      this.resumed.openUnsafe()
    }
  }

  /** One consumer, and beside it the consumer of the parked queue, which is closed first. */
  private keepOne(onRunning: Effect.Effect<void>): Effect.Effect<never, BrokerError> {
    const { handover, parkedQueue, remind, subscriber } = this.parts
    const parked = parkedQueue?.run ?? Effect.never
    const leaving = handover === undefined ? Effect.never : Effect.as(handover.ready, true)
    return Effect.gen({ self: this }, function* () {
      for (let first = true; ; first = false) {
        yield* this.resumed.await
        const session = yield* this.open(subscriber.window.size, false)
        if (first) yield* onRunning
        const over = Effect.as(Effect.raceFirst(this.untilLongPause(session), this.untilFull(session)), false)
        const isHandover = yield* Effect.raceFirst(Effect.raceFirst(over, leaving), parked)
        this.abandon(session)
        yield* this.closeSession(session)
        if (!isHandover) continue
        handover?.end()
        yield* Effect.forkIn(remind, this.scope)
      }
    })
  }

  private startSlowly(onRunning: Effect.Effect<void>): Effect.Effect<never, BrokerError> {
    const { window } = this.parts.subscriber
    return Effect.gen({ self: this }, function* () {
      yield* this.resumed.await
      let current = yield* this.open(1, true)
      yield* onRunning
      let slow = true
      for (;;) {
        const pausing = Effect.as(this.paused.await, "paused" as const)
        const held = this.sessions.size < maxSlow ? current.held : Effect.never
        const other = slow
          ? Effect.raceFirst(Effect.as(current.healthy, "healthy" as const), Effect.as(held, "held" as const))
          : Effect.as(this.untilFull(current), "full" as const)
        const why = yield* Effect.raceFirst(Effect.raceFirst(other, pausing), current.lost)
        if (why === "healthy") slow = false
        else if (why === "full") {
          // Before the next one is opened: two of them would hold twice as much.
          yield* current.cancel
          this.abandon(current)
          yield* this.closeSession(current)
          yield* this.resumed.await
          current = yield* this.open(window.size, false)
          continue
        } else if (why === "paused" && (yield* this.sitOut(current))) continue
        const next = yield* this.open(slow ? 1 : window.size, slow, why === "held")
        yield* this.retire(current)
        current = next
      }
    })
  }

  /**
   * Completes when a session that holds too many bytes, or whose window can be larger again, has settled what it took.
   * What it did not take goes back, a life each, so the next window is small enough for bodies of this size.
   */
  private untilFull(session: ConsumerSession.Session): Effect.Effect<void, BrokerError> {
    const { ephemeral, prefetch, window } = this.parts.subscriber
    return Effect.gen({ self: this }, function* () {
      const renewed = window.size < prefetch ? this.untilSmall(session) : Effect.never
      yield* Effect.raceFirst(session.full, renewed)
      session.takeNoMore()
      window.size = windowFor(prefetch, session.takeLargest())
      // By key a cancel would start the standby.
      if (!this.isWhole) yield* session.cancel
      yield* Effect.timeoutOption(Effect.raceFirst(session.spent, session.lost), settledWithin)
      // More of the window has arrived meanwhile.
      window.size = windowFor(window.size, session.takeLargest())
      // What it did not take is lost with its queue: its reader must learn that.
      if (ephemeral) return yield* tooManyBytes
    })
  }

  /** Completes when a full window of the bodies that came of late would not be too large. */
  private untilSmall(session: ConsumerSession.Session): Effect.Effect<void> {
    const { prefetch } = this.parts.subscriber
    return Effect.gen(function* () {
      do yield* Effect.sleep(renewedAfter)
      while (session.takeLargest() * prefetch > ConsumerSession.maxHeldBytes)
    })
  }

  /** Holds the deliveries of a session through a pause. Returns false when the pause took too long for that. */
  private sitOut(session: ConsumerSession.Session): Effect.Effect<boolean, BrokerError> {
    return Effect.gen({ self: this }, function* () {
      // No cancel: RabbitMQ would take back what it was about to deliver, a life each, and by key the standby
      // would start beside what runs here and break the order. The prefetch bounds what still arrives.
      if (yield* this.resumesSoon(session)) return true
      this.abandon(session)
      yield* this.closeSession(session)
      yield* this.resumed.await
      return false
    })
  }

  /** Completes when a pause has taken too long. */
  private untilLongPause(session: ConsumerSession.Session): Effect.Effect<void, BrokerError> {
    return Effect.gen({ self: this }, function* () {
      do yield* Effect.raceFirst(this.paused.await, session.lost)
      while (yield* this.resumesSoon(session))
    })
  }

  private resumesSoon(session: ConsumerSession.Session): Effect.Effect<boolean, BrokerError> {
    return Effect.map(
      Effect.timeoutOption(Effect.raceFirst(this.resumed.await, session.lost), heldAtMost),
      ({ _tag }) => _tag === "Some"
    )
  }

  private open(
    prefetch: number,
    isolated: boolean,
    suspects = false
  ): Effect.Effect<ConsumerSession.Session, BrokerError> {
    return Effect.suspend(() => (this.ended ? Effect.never : this.openNow({ prefetch, isolated, suspects })))
  }

  private openNow(session: ConsumerSession.SessionOptions): Effect.Effect<ConsumerSession.Session, BrokerError> {
    const { broker, inbox, subscriber } = this.parts
    return ConsumerSession.open(
      (options) =>
        subscriber.ephemeral
          ? broker.consumeEphemeral({ ...options, patterns: subscriber.patterns })
          : broker.consume({ ...options, subscriber: subscriber.name }),
      inbox,
      session
    ).pipe(
      Effect.tap((session) => {
        this.sessions.add(session)
        if (!this.ended) return Effect.void
        // It opened during the end, which cancelled only the sessions it knew; by key a cancel starts the standby.
        return this.isWhole ? this.closeSession(session) : session.cancel
      }),
      Scope.provide(this.scope)
    )
  }

  private closeSession(session: ConsumerSession.Session): Effect.Effect<void> {
    return Effect.andThen(
      session.close,
      Effect.sync(() => {
        this.sessions.delete(session)
      })
    )
  }

  /** Ends what runs or waits for the deliveries of a session: they do not belong to this process any more. */
  private abandon(session: ConsumerSession.Session): void {
    const { runner } = this.parts
    // First the deliveries that did not start: the end of a wait would let the next one of its lane begin.
    runner.giveBack((work) => work.origin === session.origin)
    runner.wake((work) => work.origin === session.origin, "Lost")
  }

  /** Takes no more deliveries, and closes when all that arrived are settled. */
  private retire(session: ConsumerSession.Session) {
    return Effect.forkIn(
      session.cancel.pipe(
        Effect.andThen(session.spent),
        Effect.raceFirst(Effect.ignore(session.lost)),
        // When the session was lost, some of its deliveries may still run.
        Effect.andThen(Effect.sync(() => this.abandon(session))),
        Effect.andThen(this.closeSession(session))
      ),
      this.scope
    )
  }

  private forEachSession(each: (session: ConsumerSession.Session) => Effect.Effect<void>): Effect.Effect<void> {
    return Effect.suspend(() => Effect.forEach([...this.sessions], each, { concurrency: "unbounded", discard: true }))
  }
}

/** How many bodies of this size one consumer may hold. */
const windowFor = (most: number, largest: number): number =>
  Math.max(1, Math.min(most, Math.floor(ConsumerSession.maxHeldBytes / Math.max(1, largest))))

const tooManyBytes = new BrokerError({
  reason: new BrokerRefused({
    operation: "holding deliveries",
    detail: `their bodies have more than ${ConsumerSession.maxHeldBytes} bytes: it consumes again with a smaller window`
  })
})
