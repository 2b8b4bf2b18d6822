/**
 * What the classes of this room share: the parts that they work with, and what is known of the parked queue.
 */
import type * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { Copies } from "../delivery/Copies.ts"
import type { FailurePolicy } from "../delivery/FailurePolicy.ts"
import type { ParkingHost } from "../handle/ParkingApi.ts"
import type { Trials } from "../handle/Trials.ts"
import { ParkedKeys, type PendingCopy } from "./ParkedKeys.ts"

export interface ParkingOptions {
  readonly subscriber: { readonly name: string; readonly window: { readonly size: number } }
  readonly copies: Copies
  readonly policy: FailurePolicy
  readonly nextId: () => string
  readonly trials: Trials
  /** Declares the parked queue where it may be missing. Returns whether it is there. */
  readonly declare: Effect.Effect<boolean>
}

export class ParkingState {
  readonly subscriber: string
  readonly copies: Copies
  readonly policy: FailurePolicy
  readonly host: ParkingHost
  /** How many followers of one key may stay in the window of the subscriber. */
  get maxFollowers(): number {
    return this.window.size / 2
  }
  private readonly window: { readonly size: number }
  readonly keys = new ParkedKeys()
  /** Whether no parked event may run: the parked queue has no consumer, or one that is about to close. */
  resting = true
  /** Whether the events that were parked before still arrive. */
  loading = false
  /** Whether nothing moves any more. */
  stopped = false
  /**
   * Set while the active process is about to change: whatever waits is stored. Then nothing moves until the consumer is
   * closed, since the original of a copy that is on its way then would come back beside it.
   */
  leaving: "storing" | "stored" | undefined = undefined
  /** Open once the parked queue is needed and there. */
  readonly needed = Latch.makeUnsafe(false)
  readonly declare: Effect.Effect<boolean>
  /** Copies that were stored when the consumer was opened, and did not arrive yet. */
  missing = new Set<PendingCopy>()

  /** Whether events move to the parked queue. */
  get isMoving(): boolean {
    return !this.stopped && this.leaving !== "stored"
  }

  constructor({ copies, declare, policy, subscriber }: ParkingOptions, host: ParkingHost) {
    this.subscriber = subscriber.name
    this.copies = copies
    this.policy = policy
    this.declare = declare
    this.host = host
    this.window = subscriber.window
  }
}
