/**
 * Failed attempts and dead letters as they happen: a live stream for this process and, for dead letters, a
 * system event for other processes. Both are best effort; the dead-letter queue is the record.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as PubSub from "effect/PubSub"
import * as Stream from "effect/Stream"
import * as Monotonic from "../../observe/Monotonic.ts"
import type * as Diagnosis from "../send/Diagnosis.ts"
import type { Announcement } from "./EventDeadLettered.ts"

export interface Retried {
  readonly _tag: "Retried"
  readonly subscriber: string
  readonly event: string
  readonly id: string
  readonly attempt: number
  readonly error: Diagnosis.Failure
  readonly retryIn: Duration.Duration
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

export interface FailureFeed {
  /** Whether the stream is being read. If not, nothing needs to be built for it. */
  readonly isObserved: () => boolean
  readonly retried: (failure: Omit<Retried, "_tag">) => void
  readonly deadLettered: (diagnosis: Diagnosis.Diagnosis, announce: boolean) => void
  readonly stream: Stream.Stream<BusFailure>
}

/** How many failures a slow reader may be behind before the oldest are dropped. */
const bufferSize = 256
const maxAnnouncedPerSecond = 10

interface Window {
  startedAt: number
  count: number
  suppressed: number
}

export const make = Effect.fnUntraced(function* (
  announce: (data: Announcement) => Effect.Effect<void>,
  onDropped: (count: number) => void
) {
  const monotonic = yield* Monotonic.make
  const feed = yield* PubSub.sliding<BusFailure>(bufferSize)
  const windows = new Map<string, Window>()
  const run = Effect.runForkWith(yield* Effect.context<never>())
  const scope = yield* Effect.scope

  let readers = 0
  const isObserved = (): boolean => readers > 0
  const observe = Effect.acquireRelease(
    Effect.sync(() => void readers++),
    () => Effect.sync(() => void readers--)
  )
  const emit = (failure: BusFailure): void => {
    if (PubSub.publishUnsafe(feed, failure)) return
    // The buffer is full. The effectful form drops the oldest to make room.
    onDropped(1)
    run(PubSub.publish(feed, failure))
  }
  const announceSoon = (data: Announcement): void => {
    run(Effect.forkIn(announce(data), scope))
  }
  const summarise = (subscriber: string, window: Window) =>
    Effect.sleep("1 second").pipe(
      Effect.andThen(
        Effect.sync(() => {
          const count = window.suppressed
          window.suppressed = 0
          announceSoon({ subscriber, count })
        })
      ),
      Effect.forkIn(scope)
    )

  return {
    isObserved,
    retried: (failure) => emit({ _tag: "Retried", ...failure }),
    deadLettered: (diagnosis, isAnnounced) => {
      const { attempts, error, eventId: id, eventType: event, reason, subscriber } = diagnosis
      if (isObserved()) emit({ _tag: "DeadLettered", subscriber, event, id, attempts, reason, error })
      // A subscriber that fails on an announcement must not cause the next one.
      if (!isAnnounced || event.startsWith("bus.")) return
      const now = monotonic()
      let window = windows.get(subscriber)
      if (window === undefined || now - window.startedAt >= 1000) {
        window = { startedAt: now, count: 0, suppressed: 0 }
        windows.set(subscriber, window)
      }
      if (window.count++ < maxAnnouncedPerSecond)
        announceSoon({ subscriber, count: 1, reason, eventId: id, eventType: event, attempts })
      else if (window.suppressed++ === 0) run(summarise(subscriber, window))
    },
    stream: Stream.unwrap(Effect.as(observe, Stream.fromPubSub(feed)))
  } satisfies FailureFeed
})
