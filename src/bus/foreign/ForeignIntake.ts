/**
 * Moves the messages of a queue that another system declared to the queue of a subscriber. Each is stored there, confirmed,
 * before it is acknowledged, so none is lost between the two; a process that ends in between leaves it twice. So nothing of
 * a handler depends on the other queue: on whether it counts deliveries, how long it keeps a message, or where it sends what
 * is rejected.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { constVoid } from "effect/Function"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import type * as Log from "../../observe/Log.ts"
import type { Copies } from "../delivery/Copies.ts"
import type { Origin } from "../delivery/Work.ts"
import type { Broker, Delivery } from "../port/Broker.ts"
import { BrokerError } from "../port/BrokerError.ts"
import { BrokerRefused } from "../port/BrokerReason.ts"
import * as RuntimeHeaders from "../send/RuntimeHeaders.ts"
import { SubscribeError } from "../subscriber/SubscribeError.ts"
import * as Backoff from "../support/Backoff.ts"
import { CurrentIds, type EventIds } from "../support/EventIds.ts"
import { Consumers } from "../supervise/Consumers.ts"
import * as Restarts from "../supervise/Restarts.ts"

/** What one process moves at once. */
const prefetch = 100
/** A queue that somebody reads alone is asked for again after this time. */
const askAgain = "5 seconds"
/** At the end, what is on its way to the own queue is waited for this long. */
const movedWithin = "4 seconds"

export interface IntakeParts {
  readonly broker: Broker["Service"]
  readonly subscriber: { readonly name: string; readonly ordering: "none" | "key" }
  readonly queue: string
  readonly copies: Copies
  readonly log: Log.Log
}

export interface Intake {
  /** Why nothing comes from the queue; undefined while messages can come. */
  readonly fault: () => string | undefined
  /** Takes nothing more, and completes when what was taken is moved, or a few seconds have passed. */
  readonly stop: Effect.Effect<void>
}

class Mover {
  readonly consumers: Consumers
  readonly started: Deferred.Deferred<void, BrokerError>
  fault: string | undefined
  private readonly parts: IntakeParts
  private readonly clock: Clock.Clock
  private readonly ids: EventIds
  private readonly run: (effect: Effect.Effect<unknown>) => Fiber.Fiber<unknown>
  private readonly idle = Latch.makeUnsafe(true)
  private moving = 0
  private isStream = false

  constructor(
    parts: IntakeParts,
    scope: Scope.Scope,
    tools: {
      readonly clock: Clock.Clock
      readonly ids: EventIds
      readonly run: (effect: Effect.Effect<unknown>) => Fiber.Fiber<unknown>
      readonly started: Deferred.Deferred<void, BrokerError>
    }
  ) {
    this.parts = parts
    this.clock = tools.clock
    this.ids = tools.ids
    this.run = tools.run
    this.started = tools.started
    const { broker, queue, subscriber } = parts
    const isAlone = subscriber.ordering === "key"
    this.consumers = new Consumers(
      {
        broker: {
          ...broker,
          consume: ({ onDelivery, onLost, prefetch: window }) =>
            broker.consumeForeign({ queue, prefetch: window, exclusive: isAlone, onDelivery, onLost })
        },
        subscriber: { ...subscriber, patterns: [], prefetch, window: { size: prefetch }, ephemeral: false },
        // Nothing of a handler waits for these: they are given back with their consumer.
        runner: { hold: constVoid, giveBack: constVoid, wake: constVoid },
        inbox: {
          accept: (delivery, origin) => this.move(delivery, origin),
          offer: (delivery, origin) => this.move(delivery, origin),
          consumers: new Set()
        },
        parkedQueue: undefined,
        handover: undefined,
        remind: Effect.void
      },
      scope
    )
  }

  /** Moves until it is interrupted. A queue that is away, or in use, is asked for again. */
  readonly life: Effect.Effect<never> = Effect.gen({ self: this }, function* () {
    const { broker, log, queue, subscriber } = this.parts
    const fields = { subscriber: subscriber.name, queue }
    for (let attempt = 0; ; attempt++) {
      let hasBegun = false
      const error = yield* Effect.flip(
        this.consumers.run(
          Effect.suspend(() => {
            hasBegun = true
            if (this.fault !== undefined) log.info("the queue of another system is read again", fields)
            this.fault = undefined
            return Deferred.succeed(this.started, undefined)
          })
        )
      )
      if (hasBegun) attempt = 0
      const isInUse = error.reason._tag === "QueueInUse"
      const isStarted = yield* Deferred.isDone(this.started)
      if (!isStarted && !isInUse && !error.isRetryable) {
        yield* Deferred.fail(this.started, error)
        return yield* Effect.never
      }
      if (this.fault === undefined)
        log.warning("the queue of another system is not read", { ...fields, detail: error.message })
      this.fault = error.message
      if (this.isStream) return yield* Effect.never
      // Another process of this subscriber reads it, in most cases.
      if (isInUse) yield* Effect.andThen(Deferred.succeed(this.started, undefined), Effect.sleep(askAgain))
      else yield* Restarts.wait(broker.status, yield* Backoff.delay(Restarts.backoff, attempt))
    }
  })

  readonly settled: Effect.Effect<void> = Effect.suspend(() => this.idle.await)

  private move(delivery: Delivery, origin: Origin): void {
    if (delivery.lost()) return origin.settled(delivery)
    if (delivery.headers["x-stream-offset"] !== undefined) return this.refuseStream()
    origin.arrived(delivery)
    this.moving++
    this.idle.closeUnsafe()
    const { copies, subscriber } = this.parts
    const { appId, correlationId, messageId, timestamp, type } = delivery.properties
    const now = this.clock.currentTimeMillisUnsafe()
    const isOrdered = subscriber.ordering === "key"
    const source = {
      subscriber: subscriber.name,
      id: messageId === undefined || messageId === "" ? this.ids.next(now) : messageId,
      type: type ?? "?",
      source: appId ?? "",
      // One key for all of them: which one an event has is known when it is read.
      key: isOrdered ? subscriber.name : undefined,
      time: timestamp ?? now,
      correlationId,
      progress: RuntimeHeaders.fresh
    }
    this.run(
      Effect.onExit(copies.take(delivery, source, isOrdered), () =>
        Effect.sync(() => {
          origin.settled(delivery)
          if (--this.moving === 0) this.idle.openUnsafe()
        })
      )
    )
  }

  /** A stream keeps what is acknowledged, and gives all of it to each reader: nothing here remembers how far it came. */
  private refuseStream(): void {
    if (this.isStream) return
    this.isStream = true
    const { log, queue, subscriber } = this.parts
    const detail = `queue ${queue} is a stream, which keeps what was read: bind a queue of ours to the exchange that fills it (Foreign.exchange), or have its owner add a quorum queue`
    this.fault = detail
    log.error("the queue of another system cannot be read", { subscriber: subscriber.name, queue, detail })
    Deferred.doneUnsafe(
      this.started,
      Exit.fail(new BrokerError({ reason: new BrokerRefused({ operation: "consuming", detail }) }))
    )
  }
}

/** Moves until the scope ends. Completes when the queue is consumed, or stands by for another process. */
export const start = Effect.fnUntraced(function* (parts: IntakeParts) {
  const scope = yield* Effect.scope
  const mover = new Mover(parts, scope, {
    clock: yield* Clock.Clock,
    ids: yield* CurrentIds,
    run: Effect.runForkWith(yield* Effect.context<never>()),
    started: yield* Deferred.make<void, BrokerError>()
  })
  const stop = yield* Effect.cached(
    Effect.suspend(() => {
      mover.consumers.end()
      return Effect.andThen(mover.consumers.cancel, Effect.asVoid(Effect.timeoutOption(mover.settled, movedWithin)))
    })
  )
  yield* Effect.forkScoped(mover.life)
  // Younger than the fiber, so it runs before the consumers close.
  yield* Effect.addFinalizer(() => stop)
  yield* Effect.mapError(Deferred.await(mover.started), (error) =>
    SubscribeError.fromBroker(parts.subscriber.name, error)
  )
  return { fault: () => mover.fault, stop } satisfies Intake
})
