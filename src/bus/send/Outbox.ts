/**
 * Brings messages to their outcome: past the in-flight limit, over the broker, again when an answer is lost or
 * negative, until confirmed or past the deadline. What has to be sent again goes in its original order and
 * before anything newer of its key.
 *
 * A message costs one call and one callback. Two fibers serve all of them: one sends again, one ends the overdue.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as Monotonic from "../../observe/Monotonic.ts"
import type { Broker } from "../port/Broker.ts"
import type { BrokerError } from "../port/BrokerError.ts"
import { type Confirmed, rejected, type SendOutcome, unknown } from "../port/SendOutcome.ts"
import * as Backoff from "../support/Backoff.ts"
import type { InFlightLimit } from "./InFlightLimit.ts"
import * as NotSent from "./NotSent.ts"
import type { Outcome } from "./Outcome.ts"
import * as PublishReason from "./PublishReason.ts"
import type { Carrier, Shipment } from "./Shipment.ts"
import { ShipmentChain } from "./ShipmentChain.ts"
import { StalledShipments } from "./StalledShipments.ts"

const sweepEvery = "100 millis"
const sendingAgain: Backoff.Backoff = { baseMillis: 20, capMillis: 5_000, jitter: "equal" }
const unroutable = new PublishReason.Unroutable()

/** An outbox over this broker. Its fibers end with the scope; `onResent` is called with how many were sent again. */
export const make = (
  broker: Broker["Service"],
  limit: InFlightLimit,
  onResent: (count: number) => void
): Effect.Effect<Outbox, never, Scope.Scope> =>
  Effect.gen(function* () {
    const outbox = new Outbox(broker, limit, yield* Clock.Clock, onResent)
    yield* outbox.run
    return outbox
  })

export class Outbox implements Carrier {
  private readonly broker: Broker["Service"]
  private readonly limit: InFlightLimit
  private readonly now: Monotonic.Monotonic
  private readonly onResent: (count: number) => void
  private readonly shipments = new ShipmentChain()
  private readonly stalled = new StalledShipments()
  private readonly isBusy = Latch.makeUnsafe(false)
  private readonly isIdle = Latch.makeUnsafe(true)
  private readonly hasStalled = Latch.makeUnsafe(false)
  private submissions = 0
  private resends = 0

  constructor(broker: Broker["Service"], limit: InFlightLimit, clock: Clock.Clock, onResent: (count: number) => void) {
    this.broker = broker
    this.limit = limit
    this.now = Monotonic.of(clock)
    this.onResent = onResent
  }

  /** Takes a shipment, once. */
  submit(shipment: Shipment): void {
    shipment.submitted(this, this.submissions++)
    if (this.shipments.size === 0) {
      this.isIdle.closeUnsafe()
      this.isBusy.openUnsafe()
    }
    this.shipments.add(shipment)
    if (this.limit.tryEnter(shipment.bytes, shipment.privileged)) this.admitted(shipment)
    else if (this.limit.phase() === "shut") this.giveUp(shipment)
    else this.limit.wait(shipment)
  }

  /** Completes when nothing is in flight. */
  get flushed(): Effect.Effect<void> {
    return this.isIdle.await
  }

  /** Fails all that waits and is not sent; what is in flight is still awaited. */
  shut(): void {
    this.limit.setPhase("shut")
    for (const shipment of this.shipments.all())
      if (shipment.state === "waiting" || shipment.state === "stalled") this.giveUp(shipment)
  }

  resent(): number {
    return this.resends
  }

  admitted(shipment: Shipment): void {
    if (this.stalled.holds(shipment.message.key)) this.stall(shipment)
    else this.send(shipment)
  }

  answered(shipment: Shipment, outcome: SendOutcome): void {
    const wasAlone = this.stalled.endAlone(shipment)
    this.settle(shipment, outcome)
    const { key } = shipment.message
    // Not within the call: each answer would be a level of the stack.
    if (wasAlone && key !== undefined && shipment.state !== "stalled")
      queueMicrotask(() => this.countResent(this.stalled.sendNext(key, (next) => this.resend(next))))
  }

  private settle(shipment: Shipment, outcome: SendOutcome): void {
    // Its publisher has an outcome already; only its room was still held.
    if (shipment.state === "abandoned") {
      this.remove(shipment)
      return this.limit.leave(shipment.bytes)
    }
    switch (outcome._tag) {
      case "Confirmed": {
        this.limit.leave(shipment.bytes)
        return this.confirm(shipment, outcome)
      }
      case "Rejected": {
        shipment.rejected = true
        if (!shipment.endsWhenRejected) return this.stall(shipment)
        this.limit.leave(shipment.bytes)
        return this.fail(shipment, outcome)
      }
      case "Unknown": {
        shipment.unresolved = true
        return this.stall(shipment)
      }
      case "NotSent":
        return this.notSent(shipment, outcome.error)
    }
  }

  withdraw(shipment: Shipment): void {
    if (shipment.state === "waiting") this.limit.giveUp(shipment)
    else if (shipment.state === "stalled" && !shipment.unresolved && !shipment.rejected) {
      this.stalled.delete(shipment)
      this.limit.leave(shipment.bytes)
    } else {
      shipment.withdrawn = true
      return
    }
    shipment.state = "done"
    this.remove(shipment)
  }

  /** Forks the fibers that serve all shipments. */
  get run(): Effect.Effect<void, never, Scope.Scope> {
    const followStatus = SubscriptionRef.changes(this.broker.status).pipe(
      Stream.runForEach((status) => Effect.sync(() => this.limit.setReady(status._tag === "Up")))
    )
    return Effect.forEach(
      [Effect.repeat(this.recover, Schedule.forever), Effect.repeat(this.sweep, Schedule.forever), followStatus],
      (fiber) => Effect.forkScoped(fiber),
      { discard: true }
    )
  }

  private send(shipment: Shipment): void {
    shipment.state = "sent"
    shipment.sends++
    // The broker may answer within the call.
    this.broker.send(shipment)
  }

  private resend(shipment: Shipment): void {
    // Its call may have failed since.
    if (shipment.rejected && shipment.endsWhenRejected) this.answered(shipment, rejected)
    else this.send(shipment)
  }

  private confirm(shipment: Shipment, outcome: Confirmed): void {
    if (outcome.routed || !shipment.mandatory) this.finish(shipment, outcome)
    else this.fail(shipment, unroutable)
  }

  private notSent(shipment: Shipment, { reason }: BrokerError): void {
    if (shipment.withdrawn && !shipment.unresolved && !shipment.rejected) {
      shipment.state = "done"
      this.remove(shipment)
      return this.limit.leave(shipment.bytes)
    }
    shipment.refusal = reason
    const final = NotSent.finalReason(shipment, reason)
    if (final === undefined) return this.stall(shipment)
    this.limit.leave(shipment.bytes)
    this.fail(shipment, shipment.rejected ? rejected : final)
  }

  private countResent(count: number): void {
    this.resends += count
    this.onResent(count)
  }

  private stall(shipment: Shipment): void {
    shipment.state = "stalled"
    this.stalled.add(shipment)
    this.hasStalled.openUnsafe()
  }

  private finish(shipment: Shipment, outcome: Outcome): void {
    shipment.state = "done"
    shipment.finished(outcome)
    this.remove(shipment)
  }

  private fail(shipment: Shipment, reason: PublishReason.PublishReason): void {
    this.finish(shipment, shipment.unresolved ? unknown : reason)
  }

  private remove(shipment: Shipment): void {
    this.shipments.delete(shipment)
    if (this.shipments.size > 0) return
    this.isBusy.closeUnsafe()
    this.isIdle.openUnsafe()
  }

  /** Ends what is past its deadline, or what a shut outbox does not send any more. */
  private giveUp(shipment: Shipment): void {
    switch (shipment.state) {
      case "waiting": {
        this.limit.giveUp(shipment)
        return this.fail(shipment, this.obstacle(shipment))
      }
      case "stalled": {
        this.stalled.delete(shipment)
        const reason = this.obstacle(shipment)
        this.limit.leave(shipment.bytes)
        return this.fail(shipment, reason)
      }
      case "sent": {
        // Its room is free when the broker answers or the channel is gone. The state comes first: what
        // `finished` resumes runs within the call and may bring about the answer.
        shipment.state = "abandoned"
        shipment.finished(unknown)
        return
      }
      case "abandoned":
      case "done":
        return
    }
  }

  private obstacle(shipment: Shipment): PublishReason.PublishReason {
    return NotSent.reasonOf(
      shipment,
      shipment.state === "waiting",
      SubscriptionRef.getUnsafe(this.broker.status),
      this.limit
    )
  }

  /** One round of sending again. */
  private get recover(): Effect.Effect<void> {
    return this.hasStalled.await.pipe(
      Effect.andThen(Effect.suspend(() => Backoff.wait(sendingAgain, this.stalled.leastSends()))),
      // What stalls while the broker is away is sent when it is back, not by polling.
      Effect.andThen(
        SubscriptionRef.changes(this.broker.status).pipe(
          Stream.takeUntil((status) => status._tag === "Up" || status._tag === "Closed"),
          Stream.runDrain
        )
      ),
      Effect.andThen(
        Effect.sync(() => {
          this.hasStalled.closeUnsafe()
          this.countResent(this.stalled.sendAgain((shipment) => this.resend(shipment)))
        })
      )
    )
  }

  private get sweep(): Effect.Effect<void> {
    return this.isBusy.await.pipe(
      Effect.andThen(Effect.sleep(sweepEvery)),
      Effect.andThen(
        Effect.sync(() => {
          const now = this.now()
          for (const shipment of this.shipments.all()) if (shipment.deadline <= now) this.giveUp(shipment)
        })
      )
    )
  }
}
