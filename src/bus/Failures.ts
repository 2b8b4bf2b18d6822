/**
 * What goes wrong while events are handled, as it happens: a live stream for this process and, for
 * dead letters, a system event for the others. Both are best effort; the dead-letter queue is the
 * record.
 */
import { Clock, Effect, PubSub, Schema, Stream } from "effect"
import * as Event from "../event/Event.ts"
import type * as Diagnosis from "./Diagnosis.ts"

export interface Retried {
  readonly _tag: "Retried"
  readonly subscriber: string
  readonly event: string
  readonly id: string
  readonly attempt: number
  readonly error: Diagnosis.Failure
  readonly retryInMillis: number
}

export interface DeadLettered {
  readonly _tag: "DeadLettered"
  readonly subscriber: string
  readonly event: string
  readonly id: string
  readonly attempts: number
  readonly reason: Diagnosis.DeadLetterReason
  readonly error: Diagnosis.Failure
}

export type BusFailure = Retried | DeadLettered

/**
 * Tells other processes that events were dead-lettered: ids and reason, never data. At most ten a
 * second per subscriber; what is beyond comes as one with the count and without ids.
 */
export const EventDeadLettered = Event.define("bus.event.dead-lettered", {
  version: 1,
  data: Schema.Struct({
    subscriber: Schema.String,
    count: Schema.Int,
    reason: Schema.optionalKey(Schema.String),
    eventId: Schema.optionalKey(Schema.String),
    eventType: Schema.optionalKey(Schema.String),
    attempts: Schema.optionalKey(Schema.Int)
  }),
  cache: false
})
export type Announcement = Event.Data<typeof EventDeadLettered>

export interface Failures {
  /** Whether anybody looks at the stream: else nothing need be made for it. */
  readonly isHeard: () => boolean
  readonly retried: (failure: Omit<Retried, "_tag">) => void
  readonly deadLettered: (diagnosis: Diagnosis.Diagnosis, announce: boolean) => void
  readonly stream: Stream.Stream<BusFailure>
}

const kept = 256
const announcedPerSecond = 10

interface Window {
  startedAt: number
  count: number
  suppressed: number
}

export const make = Effect.fnUntraced(function* (
  announce: (data: Announcement) => Effect.Effect<void>,
  onDropped: (count: number) => void
) {
  const clock = yield* Clock.Clock
  const feed = yield* PubSub.sliding<BusFailure>(kept)
  const windows = new Map<string, Window>()
  const run = Effect.runForkWith(yield* Effect.context<never>())
  const scope = yield* Effect.scope

  let listeners = 0
  const isHeard = (): boolean => listeners > 0
  const listen = Effect.acquireRelease(
    Effect.sync(() => void listeners++),
    () => Effect.sync(() => void listeners--)
  )
  const tell = (failure: BusFailure): void => {
    if (PubSub.publishUnsafe(feed, failure)) return
    // Full: the effectful form makes room by dropping the oldest.
    onDropped(1)
    run(PubSub.publish(feed, failure))
  }
  const send = (data: Announcement): void => {
    run(Effect.forkIn(announce(data), scope))
  }
  const summarise = (subscriber: string, window: Window) =>
    Effect.sleep("1 second").pipe(
      Effect.andThen(
        Effect.sync(() => {
          const count = window.suppressed
          window.suppressed = 0
          send({ subscriber, count })
        })
      ),
      Effect.forkIn(scope)
    )

  return {
    isHeard,
    retried: (failure) => tell({ _tag: "Retried", ...failure }),
    deadLettered: (diagnosis, others) => {
      const { attempts, error, eventId: id, eventType: event, reason, subscriber } = diagnosis
      if (isHeard()) tell({ _tag: "DeadLettered", subscriber, event, id, attempts, reason, error })
      // A subscriber of these announcements that fails on one must not make the next.
      if (!others || event.startsWith("bus.")) return
      const now = clock.currentTimeMillisUnsafe()
      let window = windows.get(subscriber)
      if (window === undefined || now - window.startedAt >= 1000) {
        window = { startedAt: now, count: 0, suppressed: 0 }
        windows.set(subscriber, window)
      }
      if (window.count++ < announcedPerSecond)
        send({ subscriber, count: 1, reason, eventId: id, eventType: event, attempts })
      else if (window.suppressed++ === 0) run(summarise(subscriber, window))
    },
    stream: Stream.unwrap(Effect.as(listen, Stream.fromPubSub(feed)))
  } satisfies Failures
})
