/**
 * Where an event waits until it runs again: in this process, on the broker, or in the parked queue.
 *
 * In a keyed subscriber the lane waits with its first event, so that wait is bounded: in time, and in the
 * number of events behind it.
 */
import * as Effect from "effect/Effect"
import * as Monotonic from "../../observe/Monotonic.ts"
import type * as Diagnosis from "../send/Diagnosis.ts"
import type * as RuntimeHeaders from "../send/RuntimeHeaders.ts"
import { maxInPlaceMillis } from "../subscriber/OptionChecks.ts"
import type { DeadLettering } from "./DeadLettering.ts"
import * as Decision from "./Decision.ts"
import type { PolicyParts } from "./PolicyParts.ts"
import * as Returns from "./Returns.ts"
import { longMillis } from "./WaitingHeads.ts"
import { copySource, startsOf, wait, type Work } from "./Work.ts"

/** From this delay on, a retry waits on the broker, where it survives any restart. */
const onBrokerMillis = 1000

/** An event that is to run again, and what its dead letter would say if it cannot wait. */
export interface Delay {
  readonly work: Work
  readonly millis: number
  /** How many events of its key wait behind it. */
  readonly behind: number
  /** Attempts made so far. */
  readonly attempts: number
  readonly failure: () => Diagnosis.Failure
  /** Whether it waits for the claim of another process: it has not failed, so its key is parked before it is given up. */
  readonly isClaimed?: boolean
}

export class Delaying {
  private readonly parts: PolicyParts<never>
  private readonly deadLettering: DeadLettering
  private readonly keyed: boolean
  private readonly parks: boolean
  /** At most half of the window waits in this process, and by key at most as many wait behind all that do. */
  private get maxWaiting(): number {
    return this.parts.subscriber.window.size / 2
  }
  private waiting = 0

  constructor(parts: PolicyParts<never>, deadLettering: DeadLettering) {
    const { subscriber } = parts
    this.parts = parts
    this.deadLettering = deadLettering
    this.keyed = subscriber.ordering === "key"
    this.parks = subscriber.onBlocked === "park"
  }

  delay(delay: Delay): Effect.Effect<Decision.Decision> {
    const { behind, millis, work } = delay
    const due = this.parts.monotonic() + millis
    // Its start is written down and has ended: it must not count when another event ends the process.
    const wasTried = startsOf(work) > (delay.isClaimed === true ? 1 : 0)
    if (this.parks && work.event.key !== undefined && work.origin.parked) {
      if (millis >= onBrokerMillis || wasTried) return Effect.succeed(this.park(due))
    } else if (this.keyed || this.parts.subscriber.ephemeral) {
      if (this.keyed && behind > this.maxWaiting) return this.leaveLane(delay, due, "LaneFull")
      if (due - work.receivedAt > maxInPlaceMillis) return this.leaveLane(delay, due, "LaneTooSlow")
      if (wasTried) return Effect.succeed(this.park(due))
    } else if (millis >= onBrokerMillis || this.waiting >= this.maxWaiting) {
      return this.delayOnBroker(work, work.progress, Math.max(millis, onBrokerMillis))
    }
    return this.waitInPlace(work, due, this.isLong(delay), () => this.leaveLane(delay, due, "LaneFull"))
  }

  /**
   * Its key cannot be parked, for want of room or of a queue: it waits within the bounds of its own lane, as other keys do
   * then, and is dead-lettered beyond them. `due` is wall time.
   */
  waitUnparked(work: Work, due: number | undefined): Effect.Effect<Decision.Decision> {
    const { clock, monotonic } = this.parts
    const now = clock.currentTimeMillisUnsafe()
    const dueHere = monotonic() + Math.max(0, (due ?? now) - now)
    return dueHere - work.receivedAt > maxInPlaceMillis
      ? this.giveUp(work, "LaneTooSlow")
      : this.waitInPlace(work, dueHere, false, () => this.giveUp(work, "LaneFull"))
  }

  /** Dead-letters an event that blocks its key, with the last of its failures. */
  giveUp(work: Work, reason: "LaneFull" | "LaneTooSlow"): Effect.Effect<Decision.Decision> {
    const { attempt, failures } = work.progress
    const { message, tag } = failures.at(-1) ?? neverFailed
    return this.deadLettering.deadLetter(work, reason, { tag, message }, attempt - 1)
  }

  /** Sends a copy that comes back after at least `millis`. */
  delayOnBroker(work: Work, progress: RuntimeHeaders.Progress, millis: number): Effect.Effect<Decision.Decision> {
    const { copies, subscriber } = this.parts
    const source = copySource(subscriber.name, work, progress)
    return Effect.as(copies.delay(work.delivery, source, millis), Decision.settled)
  }

  /** Sends a copy instead of giving it back. Where the broker refuses that, it is given back. */
  handOver(work: Work): Effect.Effect<Decision.Decision> {
    return Effect.as(this.tryDelay(work, 0, 0), Decision.settled)
  }

  /** Sends a copy instead of holding what may end the process and cannot start. Where the broker refuses that, it is held. */
  setAside(work: Work): Effect.Effect<Decision.Decision> {
    const returns = Returns.countOf(work.delivery)
    return Returns.apart(returns).pipe(
      Effect.flatMap((millis) => this.tryDelay(work, returns, millis)),
      Effect.map((isStored) => (isStored || work.delivery.lost() ? Decision.settled : Decision.runAgain))
    )
  }

  private tryDelay(work: Work, returns: number, millis: number): Effect.Effect<boolean> {
    const { copies, subscriber } = this.parts
    const source = copySource(subscriber.name, work, { ...work.progress, returns })
    return copies.tryDelay(work.delivery, source, millis)
  }

  private waitInPlace(
    work: Work,
    due: number,
    isLong: boolean,
    onFull: () => Effect.Effect<Decision.Decision>
  ): Effect.Effect<Decision.Decision> {
    const { heads, monotonic } = this.parts
    return Effect.suspend(() => {
      const millis = Math.max(0, due - monotonic())
      this.waiting++
      return Effect.ensuring(
        this.keyed && work.event.key !== undefined ? heads.wait(work, millis, isLong) : wait(work, millis),
        Effect.sync(() => {
          this.waiting--
        })
      )
    }).pipe(
      Effect.flatMap((ended) => {
        switch (ended) {
          case "Elapsed":
          case "Released":
            return Decision.runAgainNow
          case "LaneFull":
            return onFull()
          case "Drain":
            return this.leaveProcess(work, due)
          case "Lost":
            return Decision.settledNow
        }
      })
    )
  }

  /** Its copy says in wall time when it is due. */
  private park(due: number): Decision.Decision {
    const { clock, monotonic } = this.parts
    return Decision.park(Monotonic.wallAfter(clock, due - monotonic()), true)
  }

  /**
   * Whether its lane stands still for long, and may be parked for others: a claim is asked for again and again, and short
   * retries follow each other. A retry that is never parked keeps its place, since all keys wait alike while what their
   * handlers call is down.
   */
  private isLong({ isClaimed = false, millis, work: { failingSince, heldSince } }: Delay): boolean {
    if (!this.parks && !isClaimed) return false
    const since = heldSince ?? failingSince
    return millis >= longMillis || (since !== undefined && this.parts.monotonic() - since >= longMillis)
  }

  /** Another process goes on: attempt and time are stored with a copy, which by key stays the first of its lane. */
  private leaveProcess(work: Work, due: number): Effect.Effect<Decision.Decision> {
    if (this.parts.subscriber.ephemeral) return Decision.settledNow
    return this.keyed && work.event.key !== undefined
      ? Effect.succeed(this.park(due))
      : this.delayOnBroker(work, work.progress, due - this.parts.monotonic())
  }

  /** The lane cannot wait like this: its key is parked, or its first event is dead-lettered. */
  private leaveLane(
    { attempts, failure, isClaimed = false, work }: Delay,
    due: number,
    reason: "LaneFull" | "LaneTooSlow"
  ): Effect.Effect<Decision.Decision> {
    const parks = this.parks || (isClaimed && reason === "LaneFull" && !this.parts.subscriber.ephemeral)
    if (!parks) return this.deadLettering.deadLetter(work, reason, failure(), attempts)
    // Without a key it delays no other event.
    return work.event.key === undefined
      ? this.delayOnBroker(work, work.progress, due - this.parts.monotonic())
      : Effect.succeed(this.park(due))
  }
}

const neverFailed: Diagnosis.Failure = { tag: "LaneFull", message: "too many events of its key wait behind it" }
