/**
 * What the parts of one runner share: its deliveries, its lanes, and how it counts and logs them. They change it
 * synchronously, so no part ever sees a change of another half done.
 */
import type * as Clock from "effect/Clock"
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Monotonic from "../../observe/Monotonic.ts"
import type * as Event from "../../event/Event.ts"
import type * as Log from "../../observe/Log.ts"
import type * as Meters from "../../observe/Meters.ts"
import type { Counters } from "../delivery/PolicyParts.ts"
import type { WaitingHeads } from "../delivery/WaitingHeads.ts"
import { logFields, type Work } from "../delivery/Work.ts"
import type { LongHandlers } from "../support/LongHandlers.ts"
import * as RenewedSet from "../support/RenewedSet.ts"
import * as Capacity from "./Capacity.ts"
import { KeyedMailbox } from "./Lanes.ts"
import { type Mailbox, UnorderedMailbox } from "./Mailbox.ts"
import type { ParkingApi } from "./ParkingApi.ts"
import { slowSeconds } from "./SlowLane.ts"

/** The part of a subscriber's settings that its runner needs. */
export interface RunnerSettings {
  readonly name: string
  readonly contracts: ReadonlyMap<string, Event.Any>
  readonly ordering: "none" | "key"
  readonly ephemeral: boolean
  readonly window: { readonly size: number }
  readonly concurrency: number
  readonly deadlineMillis: number
  readonly retired: ReadonlySet<string>
}

export interface RunnerParts {
  readonly subscriber: RunnerSettings
  readonly counters: Counters
  readonly metrics: Meters.SubscriberMetrics
  readonly log: Log.Log
  readonly longHandlers: LongHandlers
  readonly heads: WaitingHeads
}

export class RunnerState {
  readonly subscriber: RunnerSettings
  readonly keyed: boolean
  readonly counters: Counters
  readonly metrics: Meters.SubscriberMetrics
  readonly log: Log.Log
  readonly longHandlers: LongHandlers
  readonly heads: WaitingHeads
  readonly mailbox: Mailbox<Work>
  readonly capacity: ReturnType<typeof Capacity.make>
  /** Runs an effect that settles a delivery. */
  readonly fork: (effect: Effect.Effect<void>) => Fiber.Fiber<unknown, unknown>
  /** In the order of their starts, which is the order of their deadlines. */
  readonly running = RenewedSet.make<Work>()
  /** Every unsettled delivery, in the order of delivery. */
  readonly open = RenewedSet.make<Work>()
  /** Handlers that go on after their deadline and their interruption. */
  zombies = 0
  /** Of a keyed subscriber. */
  parking: ParkingApi | undefined
  /** A handler that takes as long as this may be too slow for what waits behind it. */
  readonly slowSeconds: number
  /** Starts whatever may start. `now` is the time, where it is known. The runner sets this. */
  pump: (now?: number) => void = () => {}
  /** Monotonic time. */
  readonly now: Monotonic.Monotonic
  private readonly clock: Clock.Clock

  constructor(
    { counters, heads, log, longHandlers, metrics, subscriber }: RunnerParts,
    batchSize: number,
    clock: Clock.Clock,
    fork: (effect: Effect.Effect<void>) => Fiber.Fiber<unknown, unknown>
  ) {
    this.subscriber = subscriber
    this.keyed = subscriber.ordering === "key"
    this.slowSeconds = slowSeconds(subscriber.window.size)
    this.counters = counters
    this.metrics = metrics
    this.log = log
    this.longHandlers = longHandlers
    this.heads = heads
    // Behind a parked head wait other parked events, too, which take no room in the window.
    heads.count((head) => (head.origin.parked ? (this.parking?.followers(head) ?? 0) : this.behind(head)))
    this.mailbox = this.keyed ? new KeyedMailbox() : new UnorderedMailbox()
    this.capacity = Capacity.make(subscriber.concurrency, batchSize, () => this.pump())
    this.fork = fork
    this.clock = clock
    this.now = Monotonic.of(clock)
  }

  /** Wall time. */
  wall(): number {
    return this.clock.currentTimeMillisUnsafe()
  }

  hasRoom(): boolean {
    return this.capacity.hasRoom(this.busy())
  }

  /** Handlers that count against the concurrency. */
  busy(): number {
    return this.running.size - this.zombies
  }

  /** How many events of its key wait for this one. */
  behind(work: Work): number {
    const inLane = this.mailbox.behind(work.event.key)
    // Its key can have followers before it is parked itself: a copy that was stored late has begun it.
    return work.origin.parked ? inLane : inLane + (this.parking?.followers(work) ?? 0)
  }

  logFields(work: Work): Log.Fields {
    return logFields(this.subscriber.name, work)
  }

  /** Lets go of a delivery that is settled or lost. `inLane` is whether it holds its lane. */
  release(work: Work, inLane = true): void {
    this.open.delete(work)
    if (inLane) this.mailbox.done(work.event.key)
    work.origin.settled(work.delivery)
    this.parking?.left(work)
  }

  /** Lets go of a delivery whose lane now belongs to its copy. */
  releaseToCopy(work: Work): void {
    this.open.delete(work)
    work.origin.settled(work.delivery)
    this.parking?.moved(work)
  }

  countReturn(): void {
    this.counters.returns++
    this.metrics.returns.update(1)
  }

  acknowledgeDuplicate(work: Work): void {
    this.counters.duplicates++
    this.metrics.outcome("duplicate").update(1)
    work.delivery.ack()
  }
}
