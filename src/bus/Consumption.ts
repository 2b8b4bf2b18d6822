/**
 * The consumers of a subscriber through one life, from the first to the loss of the last.
 *
 * It starts slowly: with one delivery at a time, until what arrives shows no sign of an event that kills
 * the process; then a second consumer with the full prefetch takes over. By key only one consumer is
 * active and keeps its window; there Caution sees to it. A pause gives nothing back for a while.
 */
import { Effect, Latch, Scope } from "effect"
import type { Activation } from "./Activation.ts"
import type { Broker } from "./Broker.ts"
import type { BrokerError } from "./BrokerError.ts"
import type * as Inbox from "./Inbox.ts"
import * as Session from "./Session.ts"
import type { Runner } from "./Work.ts"

export interface Consumption {
  /** Consumes until that is lost; `running` is run when it has begun. */
  readonly run: (running: Effect.Effect<void>) => Effect.Effect<never, BrokerError>
  /** Opens no consumer any more: what is being opened takes nothing, what is lost is not replaced. */
  readonly end: () => void
  /** Stops new deliveries; what was delivered stays. */
  readonly cancel: Effect.Effect<void>
  /** Gives back what is unsettled. */
  readonly close: Effect.Effect<void>
  /** Takes no deliveries until it is resumed, and gives nothing back: a return costs an event one of its lives. */
  readonly pause: (on: boolean) => void
}

/** What is held in a pause goes back after so long: the broker's own limit for that is 30 minutes. */
const heldAtMost = "10 minutes"

/** Consumers belong to the current scope. */
export const make = Effect.fnUntraced(function* (options: {
  readonly broker: Broker["Service"]
  readonly subscriber: {
    readonly name: string
    readonly ordering: "none" | "key"
    readonly patterns: ReadonlyArray<string>
    readonly prefetch: number
    readonly ephemeral: boolean
  }
  readonly runner: Runner
  readonly inbox: Inbox.Inbox
  /** Of a keyed subscriber: what it does when it becomes the active one. */
  readonly activation: Activation | undefined
}) {
  const { broker, inbox, runner, subscriber } = options
  const scope = yield* Effect.scope
  const sessions = new Set<Session.Session>()
  let ended = false
  const openNow = (prefetch: number, isolated: boolean) =>
    Session.open(
      (options) =>
        subscriber.ephemeral
          ? broker.consumeEphemeral({ ...options, patterns: subscriber.patterns })
          : broker.consume({ ...options, subscriber: subscriber.name }),
      inbox,
      { prefetch, isolated }
    ).pipe(
      Effect.tap((session) => {
        sessions.add(session)
        // It came up beside the end, which has cancelled only those it knew; by key a cancel starts the standby.
        return ended ? (whole ? close(session) : session.cancel) : Effect.void
      }),
      Scope.provide(scope)
    )
  const open = (prefetch: number, isolated: boolean) =>
    Effect.suspend(() => (ended ? Effect.never : openNow(prefetch, isolated)))
  const close = (session: Session.Session) =>
    Effect.andThen(
      session.close,
      Effect.sync(() => {
        sessions.delete(session)
      })
    )
  const closeAll = Effect.suspend(() =>
    Effect.forEach([...sessions], close, { concurrency: "unbounded", discard: true })
  )
  /** What a session still has is not ours any more: its handlers end at once, its waits too. */
  const abandon = (session: Session.Session): void => {
    // First what did not start: the end of a wait would let the next one of its lane begin.
    runner.giveBack((work) => work.origin === session.origin)
    runner.disturb((work) => work.origin === session.origin, "Lost")
  }
  /** Takes no more deliveries, and is closed when nothing is left of what it brought. */
  const retire = (session: Session.Session) =>
    Effect.forkIn(
      session.cancel.pipe(
        Effect.andThen(session.spent),
        Effect.raceFirst(Effect.ignore(session.lost)),
        // Of a lost one something may still run; of a spent one nothing is left.
        Effect.andThen(Effect.sync(() => abandon(session))),
        Effect.andThen(close(session))
      ),
      scope
    )

  // By key the window is kept whatever is in it.
  const whole = subscriber.ephemeral || subscriber.ordering === "key"
  const paused = yield* Latch.make(false)
  const resumed = yield* Latch.make(true)
  /** Until the pause is over: with what it holds, for a while. */
  const sitOut = Effect.fnUntraced(function* (session: Session.Session) {
    // No cancel: RabbitMQ takes back what it was about to deliver, a life each, and by key it would start the
    // standby beside what runs here (P6). The prefetch bounds what it goes on to bring.
    const back = yield* Effect.timeoutOption(Effect.raceFirst(resumed.await, session.lost), heldAtMost)
    if (back._tag === "Some") return true
    abandon(session)
    yield* close(session)
    yield* resumed.await
    return false
  })
  /** Through pauses that are not too long. */
  const stays = Effect.fnUntraced(function* (session: Session.Session) {
    for (;;) {
      yield* Effect.raceFirst(paused.await, session.lost)
      const back = yield* Effect.timeoutOption(Effect.raceFirst(resumed.await, session.lost), heldAtMost)
      if (back._tag === "None") return
    }
  })
  /** One consumer, and beside it the one of what is parked, which is closed before. */
  const wholeLife = Effect.fnUntraced(function* (running: Effect.Effect<void>) {
    for (let first = true; ; first = false) {
      yield* resumed.await
      const session = yield* open(subscriber.prefetch, false)
      if (first) yield* running
      yield* Effect.raceFirst(stays(session), options.activation?.run ?? Effect.never)
      abandon(session)
      yield* close(session)
    }
  })
  const slowLife = Effect.fnUntraced(function* (running: Effect.Effect<void>) {
    yield* resumed.await
    const first = yield* open(1, true)
    yield* running
    let slow = true
    let current = first
    for (;;) {
      const pausing = Effect.as(paused.await, true)
      const pause = yield* Effect.raceFirst(
        slow ? Effect.raceFirst(Effect.as(current.healthy, false), pausing) : pausing,
        current.lost
      )
      if (pause) {
        if (yield* sitOut(current)) continue
      } else slow = false
      const next = yield* open(slow ? 1 : subscriber.prefetch, slow)
      yield* retire(current)
      current = next
    }
  })

  return {
    run: (running) =>
      Effect.onExit((whole ? wholeLife : slowLife)(running), () =>
        Effect.suspend(() => {
          for (const session of sessions) abandon(session)
          return closeAll
        })
      ),
    cancel: Effect.suspend(() =>
      Effect.forEach([...sessions], (session) => session.cancel, { concurrency: "unbounded", discard: true })
    ),
    end: () => {
      ended = true
    },
    close: closeAll,
    pause: (on) => {
      runner.hold("pause", on)
      if (on) {
        resumed.closeUnsafe()
        paused.openUnsafe()
      } else {
        paused.closeUnsafe()
        resumed.openUnsafe()
      }
    }
  } satisfies Consumption
})
