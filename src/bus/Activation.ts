/**
 * What a process does when it becomes the active one of a keyed subscriber: it reads all that is parked
 * before it runs anything of the subscriber's own queue, since what is parked comes first. RabbitMQ tells
 * nobody that he is active; the first delivery does.
 *
 * What is parked is held by one consumer at a time. The broker gives it back, and forgets the consumer, in
 * one step; so when nobody consumes it, all of it is there.
 */
import { Effect, Latch } from "effect"
import type * as Log from "../observe/Log.ts"
import type { Broker, Delivery } from "./Broker.ts"
import type { BrokerError } from "./BrokerError.ts"
import * as Control from "./Control.ts"
import type * as Inbox from "./Inbox.ts"
import * as ParkedKeys from "./ParkedKeys.ts"
import * as Session from "./Session.ts"
import type { Origin, Runner } from "./Work.ts"

export interface Activation {
  /** Takes each delivery in its order. */
  readonly accept: (delivery: Delivery, origin: Origin) => void
  /** Reads the parked queue as soon as that is needed, and goes on with it until that is lost; closes it when interrupted. */
  readonly run: Effect.Effect<never, BrokerError>
}

/** A consumer of the parked queue is renewed after so long: the broker gives a delivery 30 minutes. */
const renewAfter = "10 minutes"
const askEvery = "200 millis"
/** How long nothing arrives until it is looked whether anything is left to come. */
const doubtAfter = "2 seconds"

export const make = Effect.fnUntraced(function* (options: {
  readonly broker: Broker["Service"]
  readonly subscriber: { readonly name: string; readonly onBlocked: "dead-letter" | "park" }
  readonly runner: Runner
  readonly parking: NonNullable<Runner["parking"]>
  readonly inbox: () => Inbox.Inbox
  readonly log: Log.Log
}) {
  const { broker, log, parking, runner, subscriber } = options
  const wanted = yield* Latch.make(false)
  const known = yield* Latch.make(false)
  const arrived = yield* Latch.make(false)
  let pending: Array<Inbox.Arrival> = []
  let missing = 0
  /** How often it has ended: what it was does not hold any more. */
  let runs = 0

  const accept: Activation["accept"] = (delivery, origin) => {
    // Of a consumer that is gone: it says nothing of who is active, nor of what is parked.
    if (delivery.lost()) return runner.accept(delivery, origin)
    if (origin.parked) {
      const before = runs
      runner.accept(delivery, origin)
      // It may have ended within the call.
      if (runs !== before) return
      arrived.openUnsafe()
      if (--missing === 0 && !known.isOpen()) know()
      return
    }
    const control = Control.read(delivery)
    const needed = subscriber.onBlocked === "park" || control !== undefined || wanted.isOpen()
    if (!known.isOpen() && needed) {
      pending.push({ delivery, origin })
      wanted.openUnsafe()
      return
    }
    if (control === undefined) return runner.accept(delivery, origin)
    parking.control(control, () => {
      delivery.ack()
      origin.settled(delivery)
    })
  }

  const know = (): void => {
    if (known.isOpen()) return
    const before = runs
    parking.loaded()
    if (runs !== before) return
    known.openUnsafe()
    const all = pending
    pending = []
    for (const { delivery, origin } of all) accept(delivery, origin)
  }

  /** How many are parked, when nobody has them any more; undefined where nothing ever was. */
  const vacant = Effect.gen(function* () {
    for (let round = 0; ; round++) {
      const { consumers, ready } = yield* broker.depth(subscriber.name, "parked")
      if (consumers === 0) return ready
      if (round === 50)
        log.warning("what is parked is still held by a process that was active before", { subscriber: subscriber.name })
      yield* Effect.sleep(askEvery)
    }
  }).pipe(
    Effect.catchIf(
      ({ reason }) => reason._tag === "TopologyMissing" && subscriber.onBlocked !== "park",
      () => Effect.succeed(0)
    )
  )

  /** Who purges the queue meanwhile must not hold up the subscriber. */
  const doubt = Effect.gen(function* () {
    for (;;) {
      arrived.closeUnsafe()
      const more = yield* Effect.timeoutOption(arrived.await, doubtAfter)
      if (more._tag === "Some") continue
      const { ready } = yield* broker.depth(subscriber.name, "parked")
      const last = yield* Effect.timeoutOption(arrived.await, doubtAfter)
      if (ready === 0 && last._tag === "None") return know()
    }
  })

  const read = Effect.gen(function* () {
    const count = yield* vacant
    parking.loading()
    missing = count
    const session = yield* Session.open(
      (options) => broker.consume({ ...options, subscriber: subscriber.name, queue: "parked" }),
      options.inbox(),
      { prefetch: Math.min(count + ParkedKeys.prefetch, 65_535), isolated: false, parked: true }
    )
    const close = Effect.suspend(() => {
      parking.rest()
      runner.disturb((work) => work.origin === session.origin, "Lost")
      runner.giveBack((work) => work.origin === session.origin)
      return session.close
    })
    const hold = Effect.gen(function* () {
      if (count === 0) know()
      else yield* Effect.raceFirst(known.await, doubt)
      do yield* Effect.sleep(renewAfter)
      while (parking.count() === 0)
      // What runs is let run; nothing else begins.
      parking.rest()
      while (!parking.isStill()) yield* Effect.sleep(askEvery)
      known.closeUnsafe()
    })
    yield* Effect.onExit(Effect.raceFirst(hold, session.lost), () => close)
  })

  return {
    accept,
    run: Effect.andThen(wanted.await, Effect.forever(Effect.scoped(read))).pipe(
      Effect.onExit(() =>
        Effect.sync(() => {
          runs++
          parking.rest()
          pending = []
          wanted.closeUnsafe()
          known.closeUnsafe()
          parking.reset()
        })
      )
    )
  } satisfies Activation
})
