/**
 * The consumers of a subscriber through one life, from the first to the loss of the last.
 *
 * It starts slowly: with one delivery at a time, until what arrives shows no sign of an event that kills
 * the process; then a second consumer with the full prefetch takes over. By key only one consumer is
 * active and keeps its window; there Caution sees to it.
 */
import { Effect, type Queue, Scope } from "effect"
import type { Broker } from "./Broker.ts"
import type { BrokerError } from "./BrokerError.ts"
import * as Session from "./Session.ts"
import type { Runner } from "./Work.ts"

export interface Consumption {
  /** Consumes until that is lost; `running` is run when it has begun. */
  readonly run: (running: Effect.Effect<void>) => Effect.Effect<never, BrokerError>
  /** Stops new deliveries; what was delivered stays. */
  readonly cancel: Effect.Effect<void>
  /** Gives back what is unsettled. */
  readonly close: Effect.Effect<void>
}

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
  readonly inbox: Queue.Queue<Session.Arrival>
}) {
  const { broker, inbox, runner, subscriber } = options
  const scope = yield* Effect.scope
  const sessions = new Set<Session.Session>()
  const open = (prefetch: number, isolated: boolean) =>
    Session.open(
      (options) =>
        subscriber.ephemeral
          ? broker.consumeEphemeral({ ...options, patterns: subscriber.patterns })
          : broker.consume({ ...options, subscriber: subscriber.name }),
      inbox,
      { prefetch, isolated }
    ).pipe(
      Effect.tap((session) => Effect.sync(() => sessions.add(session))),
      Scope.provide(scope)
    )
  const close = (session: Session.Session) =>
    Effect.andThen(
      session.close,
      Effect.sync(() => {
        sessions.delete(session)
      })
    )
  const closeAll = Effect.suspend(() => Effect.forEach([...sessions], close, { discard: true }))
  /** What a session still has is not ours any more: its handlers end at once, its waits too. */
  const abandon = (session: Session.Session): void => {
    runner.disturb((work) => work.origin === session.origin, "Lost")
    runner.giveBack((work) => work.origin === session.origin)
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
  const life = Effect.fnUntraced(function* (running: Effect.Effect<void>) {
    const first = yield* open(whole ? subscriber.prefetch : 1, !whole)
    yield* running
    if (whole) return yield* first.lost
    yield* Effect.raceFirst(first.healthy, first.lost)
    const full = yield* open(subscriber.prefetch, false)
    yield* retire(first)
    return yield* full.lost
  })

  return {
    run: (running) =>
      Effect.onExit(life(running), () =>
        Effect.suspend(() => {
          for (const session of sessions) abandon(session)
          return closeAll
        })
      ),
    cancel: Effect.suspend(() =>
      Effect.forEach([...sessions], (session) => session.cancel, { concurrency: "unbounded", discard: true })
    ),
    close: closeAll
  } satisfies Consumption
})
