/**
 * The calls that the rest of a subscriber makes to its runner.
 */
import type * as Effect from "effect/Effect"
import type { WakeReason, Origin, Work } from "../delivery/Work.ts"
import type { Delivery } from "../port/Broker.ts"
import type { Lane, SubscriberStats } from "../subscriber/Subscription.ts"
import type { Capacity } from "./Capacity.ts"

/** Runs the handlers of one subscriber. */
export interface Runner extends Capacity {
  readonly accept: (delivery: Delivery, origin: Origin) => void
  /** Completes when no handler runs. */
  readonly quiet: Effect.Effect<void>
  /**
   * Interrupts the handlers of these deliveries and forgets the ones that did not start. Without ordering,
   * a delivery that has failed in this process before is sent again with its progress.
   */
  readonly giveBack: (which: (work: Work) => boolean) => void
  /** Parks what failed in this process and did not start again, with its progress. Only by key. */
  readonly parkAttempted: () => void
  /** Whether closing the consumer would return a delivery that came back before. */
  readonly returnsAgain: () => boolean
  /** Ends the waits in place of these deliveries. */
  readonly wake: (which: (work: Work) => boolean, why: WakeReason) => void
  /** Completes when nothing is being settled. */
  readonly settledAll: Effect.Effect<void>
  readonly running: () => number
  readonly held: () => number
  /** Every unsettled delivery, in the order of delivery. */
  readonly open: () => Iterable<Work>
  /** When the oldest unsettled event was published. */
  readonly oldest: () => Date | undefined
  readonly keys: () => ReadonlyArray<Lane>
  /** Whether it holds deliveries that may run, but none runs, waits for its time or is being settled. */
  readonly stuck: () => boolean
  readonly zombies: () => number
  readonly lanes: () => number
  /** What waits by key. */
  readonly waiting: () => Pick<SubscriberStats, "claimed" | "behindWaiting" | "maxBehindWaiting">
  /** Completes when more handlers ignore their deadline than the subscriber can bear. */
  readonly overrun: Effect.Effect<void>
  readonly overran: () => boolean
}
