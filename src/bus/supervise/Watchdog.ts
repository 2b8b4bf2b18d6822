/**
 * Detects a subscriber that stands still while it looks healthy: it holds deliveries, but none runs, is being
 * settled or waits for a known time; or its queue has no consumer although it should have one. A slow subscriber
 * must not trigger it: a false alarm returns every held delivery, and each return uses up one of its lives.
 */
import * as Effect from "effect/Effect"
import * as LookPace from "../support/LookPace.ts"
import { BrokerError } from "../port/BrokerError.ts"
import { BrokerRefused } from "../port/BrokerReason.ts"

export interface Watched {
  /** Whether it should make progress: it runs and is not paused. */
  readonly running: () => boolean
  /** Whether it holds deliveries and nothing is about to happen to them. */
  readonly stuck: () => boolean
  /** Consumers of its queue at the last inspection; undefined when that failed. */
  readonly consumers: () => number | undefined
}

const everyMillis = 10_000
/** Checks in a row that must fail: 40 seconds, longer than two inspections of the queue are apart. */
const checks = 4

/** Fails when the subscriber stands still. */
export const watch = ({ consumers, running, stuck }: Watched): Effect.Effect<never, BrokerError> =>
  Effect.gen(function* () {
    const pause = Effect.sleep(yield* LookPace.between(everyMillis))
    let stalled = 0
    let unconsumed = 0
    for (;;) {
      yield* pause
      stalled = running() && stuck() ? stalled + 1 : 0
      unconsumed = running() && consumers() === 0 ? unconsumed + 1 : 0
      if (stalled >= checks) return yield* alarm("it holds deliveries and handles none")
      if (unconsumed >= checks) return yield* alarm("its queue has no consumer")
    }
  })

const operation = "making progress"

const alarm = (detail: string): BrokerError => new BrokerError({ reason: new BrokerRefused({ operation, detail }) })

export const isAlarm = ({ reason }: BrokerError): boolean => reason._tag === "Refused" && reason.operation === operation
