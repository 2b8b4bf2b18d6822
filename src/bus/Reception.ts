/**
 * The first look at a delivery: whether it can be read, whether it is to be attempted at all, and where it
 * waits for its turn.
 */
import { Effect, type Fiber, Result } from "effect"
import type * as Event from "../event/Event.ts"
import * as Caution from "./Caution.ts"
import type { Mailbox } from "./Mailbox.ts"
import type { Parking } from "./Parking.ts"
import type { Population } from "./Population.ts"
import type { Delivery } from "./Broker.ts"
import { begin, type Decision, type Origin, type Policy, read, type Runner, type Work } from "./Work.ts"

export const make = <E extends Event.Any>(options: {
  readonly subscriber: {
    readonly contracts: ReadonlyMap<string, E>
    readonly ordering: "none" | "key"
    readonly prefetch: number
    readonly unknown: "skip" | "dead-letter"
  }
  readonly policy: Policy
  readonly box: Mailbox<Work>
  readonly open: Population<Work>
  readonly caution: Caution.Caution
  readonly parking: Parking | undefined
  readonly decide: (work: Work, decision: Effect.Effect<Decision>, inLane: boolean) => void
  readonly pump: (now?: number) => void
  readonly run: (effect: Effect.Effect<void>) => Fiber.Fiber<unknown, unknown>
  /** Counts a delivery of the subscriber's own queue. */
  readonly delivered: (redelivered: boolean) => void
  readonly skip: (delivery: Delivery, event: string) => void
  readonly now: () => number
}): Runner["accept"] => {
  const { box, caution, decide, delivered, now, open, parking, policy, pump, run, skip, subscriber } = options
  const keyed = subscriber.ordering === "key"

  const accept: Runner["accept"] = (delivery, origin) => {
    // Who hears of the arrival may close its consumer within the call.
    if (!delivery.lost()) origin.arrived(delivery)
    if (delivery.lost()) return origin.settled(delivery)
    if (!origin.parked) delivered(delivery.redelivered)
    const { decoded, parsed } = read(delivery, subscriber.contracts)
    if (Result.isFailure(decoded)) return refuse(origin, delivery, Result.getOrUndefined(parsed), decoded.failure)
    const work = begin(delivery, origin, decoded.success, now())
    open.add(work)
    if (origin.parked) {
      parking?.takes(work)
      return pump()
    }
    const guilty = keyed ? caution.arrived(work) : origin.isolated && Caution.countOf(delivery) >= Caution.maxCrashes
    if (guilty) return decide(work, policy.crashed(work), false)
    if (parking?.takes(work) === true) return pump()
    if (work.progress.due !== undefined && work.progress.due > work.receivedAt)
      return decide(work, policy.notYetDue(work), false)
    box.offer(work, work.event.key)
    if (keyed) crowd(work)
    pump(work.receivedAt)
  }

  /** A head that waits is told when too many stand behind it. */
  const crowd = (work: Work): void => {
    if (box.behind(work.event.key) <= subscriber.prefetch / 2) return
    for (const other of open) if (other.wake !== undefined && other.event.key === work.event.key) other.wake("LaneFull")
  }

  const refuse = (origin: Origin, ...[delivery, parsed, error]: Parameters<Policy["undecodable"]>): void => {
    if (error._tag === "UnknownEvent" && subscriber.unknown === "skip") {
      skip(delivery, error.event)
      return origin.settled(delivery)
    }
    run(Effect.onExit(policy.undecodable(delivery, parsed, error), () => Effect.sync(() => origin.settled(delivery))))
  }

  return accept
}
