/**
 * Sees a subscriber that has gone quiet while it looks healthy (P11): deliveries are held and none runs,
 * is being settled or waits for a known time; or its queue has no consumer although it should be one.
 * What is slow is not quiet: a false alarm would cost every delivery that is held one of its lives.
 */
import { Effect } from "effect"
import { BrokerError, BrokerRefused } from "./BrokerError.ts"

export interface Watched {
  /** Whether it should make progress: it runs and is not paused. */
  readonly running: () => boolean
  /** Whether it holds deliveries and nothing is on its way to happen to them. */
  readonly stuck: () => boolean
  /** Consumers of its queue when it was looked at last; undefined when that is not known. */
  readonly consumers: () => number | undefined
}

const everyMillis = 10_000
/** So many looks in a row: 40 seconds, more than two looks at the queue. */
const looks = 4

/** Fails when there was no progress. */
export const watch = ({ consumers, running, stuck }: Watched): Effect.Effect<never, BrokerError> =>
  Effect.gen(function* () {
    let stalled = 0
    let alone = 0
    for (;;) {
      yield* Effect.sleep(everyMillis)
      stalled = running() && stuck() ? stalled + 1 : 0
      alone = running() && consumers() === 0 ? alone + 1 : 0
      if (stalled >= looks) return yield* quiet("it holds deliveries and handles none")
      if (alone >= looks) return yield* quiet("its queue has no consumer")
    }
  })

const operation = "making progress"

const quiet = (detail: string): BrokerError => new BrokerError({ reason: new BrokerRefused({ operation, detail }) })

export const isAlarm = ({ reason }: BrokerError): boolean => reason._tag === "Refused" && reason.operation === operation
