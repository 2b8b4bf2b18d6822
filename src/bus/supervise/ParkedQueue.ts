/**
 * The parked queue of a keyed subscriber, in the process that is active for it. Parked events come first, so this
 * process reads all of them before it runs anything of the subscriber's own queue. RabbitMQ does not announce
 * which process is active; the first delivery does. Until then this keeps every delivery away from the runner, and
 * afterwards the control messages.
 *
 * One consumer at a time holds all that is parked. The broker takes its deliveries back and forgets the consumer
 * in one step, so when the queue has no consumer, everything parked is in it.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Log from "../../observe/Log.ts"
import * as ControlMessage from "../delivery/ControlMessage.ts"
import * as Returns from "../delivery/Returns.ts"
import type { Origin } from "../delivery/Work.ts"
import type { Runner } from "../handle/RunnerApi.ts"
import * as ParkedKeys from "../park/ParkedKeys.ts"
import type { Parking } from "../park/Parking.ts"
import type { Broker, Delivery } from "../port/Broker.ts"
import type { BrokerError } from "../port/BrokerError.ts"
import * as ConsumerSession from "./ConsumerSession.ts"
import type { Arrival, Inbox, InboxFilter } from "./Inbox.ts"

/** The consumer of the parked queue is renewed this often: the broker takes a delivery back after 30 minutes. */
const renewAfter = "10 minutes"
const pollEvery = "200 millis"
/** When nothing has arrived for this long, the queue is inspected for what is still to come. */
const doubtAfter = "2 seconds"
/** What exceeds the bounds is dead-lettered within this time, or else goes back. */
const roomWithin = "1 minute"
/** Polls after which a consumer that another process still holds is worth a warning. */
const patientPolls = 50

/** Only a key that was parked needs the queue, and many subscribers never park one. */
const isNotThere = ({ _tag }: BrokerError["reason"]): boolean => _tag === "TopologyMissing" || _tag === "Permission"

export interface ParkedQueueParts {
  readonly broker: Broker["Service"]
  readonly subscriber: { readonly name: string; readonly parksFromStart: boolean }
  readonly runner: Runner
  readonly parking: Parking
  readonly inbox: () => Inbox
  readonly log: Log.Log
}

export class ParkedQueue implements InboxFilter {
  /** Reads the parked queue once that is needed, until its consumer is lost. Closes it when interrupted. */
  readonly run: Effect.Effect<never, BrokerError>
  private readonly parts: ParkedQueueParts
  /** Open when the parked queue has to be read. */
  private readonly wanted = Latch.makeUnsafe(false)
  /** Open when all that was parked has arrived, and some of it is to be stored anew. */
  private readonly complete = Latch.makeUnsafe(false)
  /** Open when all that was parked has arrived. */
  private readonly loaded = Latch.makeUnsafe(false)
  /** Opened by each parked delivery. */
  private readonly arrived = Latch.makeUnsafe(false)
  /** Deliveries of the subscriber's own queue that wait until the parked ones are loaded. */
  private waiting: Array<Arrival> = []
  private missing = 0
  /** Whether a consumer of the parked queue is open. */
  private isReading = false

  constructor(parts: ParkedQueueParts) {
    this.parts = parts
    const isWanted = Effect.raceFirst(this.wanted.await, Effect.andThen(this.announce(), Effect.never))
    this.run = Effect.andThen(isWanted, Effect.forever(Effect.scoped(this.readOnce()))).pipe(
      Effect.onExit(() => Effect.sync(() => this.reset()))
    )
  }

  keeps(delivery: Delivery, origin: Origin): boolean {
    const { parking } = this.parts
    // A lost delivery says nothing about which process is active or what is parked.
    if (delivery.lost() || origin.parked) return false
    const control = ControlMessage.read(delivery)
    if (!this.loaded.isOpen()) {
      // It has said what it is for, and must not use up its lives in processes that die: the next one finds out by itself.
      if (control?._tag === "Reminder" && Returns.countOf(delivery) >= Returns.suspiciousCount) {
        delivery.ack()
        origin.settled(delivery)
      } else this.waiting.push({ delivery, origin })
      // Must be last: the reading may begin within the call.
      this.wanted.openUnsafe()
      return true
    }
    if (control === undefined) return false
    parking.control(control, () => {
      delivery.ack()
      origin.settled(delivery)
    })
    return true
  }

  /**
   * A process that died left parked events behind, and maybe nothing in the subscriber's own queue: whichever process is
   * active now learns it at once, and not from the next reminder.
   */
  private announce(): Effect.Effect<void> {
    const { broker, parking, subscriber } = this.parts
    return broker.depth(subscriber.name, "parked").pipe(
      Effect.flatMap(({ consumers, ready }) => (consumers === 0 && ready > 0 ? parking.remind : Effect.void)),
      Effect.ignore
    )
  }

  /** Whether all that was parked has arrived. */
  isLoaded(): boolean {
    return this.loaded.isOpen()
  }

  accepted(): void {
    // Accepting the delivery may have ended the reading.
    if (!this.isReading) return
    this.arrived.openUnsafe()
    if (--this.missing !== 0) return
    if (this.parts.parking.renew === undefined) this.load()
    else this.complete.openUnsafe()
  }

  /** Everything that was parked has arrived: the subscriber's own queue may go on. */
  private load(): void {
    if (this.loaded.isOpen()) return
    this.parts.parking.loaded()
    if (!this.isReading) return
    this.loaded.openUnsafe()
    const all = this.waiting
    this.waiting = []
    const inbox = this.parts.inbox()
    for (const { delivery, origin } of all) inbox.accept(delivery, origin)
  }

  private reset(): void {
    this.isReading = false
    this.parts.parking.rest()
    this.waiting = []
    this.wanted.closeUnsafe()
    this.loaded.closeUnsafe()
    this.parts.parking.reset()
  }

  /** Holds all that is parked with one consumer, until it has to be renewed. */
  private readOnce() {
    const { broker, inbox, parking, runner, subscriber } = this.parts
    return Effect.gen({ self: this }, function* () {
      // First, since a copy that is stored from here on is not expected among what is counted.
      parking.beginLoading()
      const count = yield* this.untilVacant()
      this.missing = count ?? 0
      this.complete.closeUnsafe()
      this.isReading = true
      if (count === undefined) return yield* this.untilNeeded()
      const session = yield* ConsumerSession.open(
        (options) => broker.consume({ ...options, subscriber: subscriber.name, queue: "parked" }),
        inbox(),
        { prefetch: Math.min(count + ParkedKeys.prefetch, 65_535), isolated: false, parked: true }
      )
      const close = Effect.suspend(() => {
        parking.rest()
        runner.wake((work) => work.origin === session.origin, "Lost")
        runner.giveBack((work) => work.origin === session.origin)
        return session.close
      })
      yield* Effect.onExit(Effect.raceFirst(this.hold(count, session), session.lost), () => close)
    })
  }

  private hold(count: number, session: ConsumerSession.Session): Effect.Effect<void, BrokerError> {
    const { parking } = this.parts
    const isFull = Effect.as(session.full, true)
    return Effect.gen({ self: this }, function* () {
      if (count === 0) this.load()
      else if (yield* Effect.raceFirst(Effect.as(this.loadAll(), false), isFull)) return yield* this.makeRoom(session)
      // It is read anew when it holds too much, too.
      do if (yield* Effect.raceFirst(Effect.as(Effect.sleep(renewAfter), false), isFull)) break
      while (parking.count() === 0)
      // Handlers that run may end; no other begins.
      parking.rest()
      while (!parking.isStill()) yield* Effect.sleep(pollEvery)
      this.loaded.closeUnsafe()
    })
  }

  private loadAll(): Effect.Effect<void, BrokerError> {
    return Effect.gen({ self: this }, function* () {
      yield* Effect.raceFirst(Effect.raceFirst(this.loaded.await, this.complete.await), this.untilEmpty())
      if (!this.loaded.isOpen()) yield* this.renew()
      this.load()
    })
  }

  /**
   * What is parked exceeds what may be held, so nothing of it can run. Each pass settles what cannot be read and the
   * largest of the rest. What stays moves to the end of the queue by its renewal, and the next pass begins behind it.
   */
  private makeRoom(session: ConsumerSession.Session): Effect.Effect<void> {
    const { log, parking, subscriber } = this.parts
    return Effect.gen(function* () {
      log.error("more is parked than one process may hold: the largest events are dead-lettered", {
        subscriber: subscriber.name,
        events: parking.count(),
        bytes: session.heldBytes()
      })
      // What has just arrived may not have been read yet.
      for (;;) {
        yield* parking.surplus.deadLetter
        if (session.heldBytes() <= ParkedKeys.maxParked.bytes) break
        yield* Effect.sleep(pollEvery)
      }
      yield* parking.renew?.store ?? Effect.void
    }).pipe(Effect.timeoutOption(roomWithin), Effect.asVoid)
  }

  /** Stores anew what came back before, and waits for its copies. */
  private renew(): Effect.Effect<void, BrokerError> {
    return Effect.suspend(() => {
      const { renew } = this.parts.parking
      if (renew === undefined) return Effect.void
      return Effect.andThen(renew.store, Effect.raceFirst(renew.arrived, this.untilEmpty()))
    })
  }

  /** There is no parked queue, so nothing is parked. It is declared, and then read, when the first key is. */
  private untilNeeded(): Effect.Effect<void> {
    const { parking } = this.parts
    parking.forgetNeed()
    this.load()
    return Effect.map(parking.needed, () => {
      parking.rest()
      this.loaded.closeUnsafe()
    })
  }

  /** Waits until no process consumes the parked queue. Returns how many events it holds; undefined without a queue. */
  private untilVacant(): Effect.Effect<number | undefined, BrokerError> {
    const { broker, log, subscriber } = this.parts
    const inspect = Effect.catchIf(
      broker.depth(subscriber.name, "parked"),
      ({ reason }) => !subscriber.parksFromStart && isNotThere(reason),
      () => Effect.undefined
    )
    return Effect.gen(function* () {
      for (let polls = 0; ; polls++) {
        const depth = yield* inspect
        if (depth === undefined || depth.consumers === 0) return depth?.ready
        if (polls === patientPolls) {
          log.warning("the parked events are still held by a process that was active before", {
            subscriber: subscriber.name
          })
        }
        yield* Effect.sleep(pollEvery)
      }
    })
  }

  /** A parked queue that is purged meanwhile must not block the subscriber: nothing more would arrive. */
  private untilEmpty(): Effect.Effect<void, BrokerError> {
    const { broker, subscriber } = this.parts
    const arrivesSoon = Effect.map(Effect.timeoutOption(this.arrived.await, doubtAfter), ({ _tag }) => _tag === "Some")
    return Effect.gen({ self: this }, function* () {
      for (;;) {
        this.arrived.closeUnsafe()
        if (yield* arrivesSoon) continue
        const { ready } = yield* broker.depth(subscriber.name, "parked")
        if (!(yield* arrivesSoon) && ready === 0) return
      }
    })
  }
}
