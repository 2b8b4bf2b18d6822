/**
 * One recurring event while this process consumes its queue. Only the process that is active there gets the token; it publishes
 * each tick, stores a token that knows the tick, and then acknowledges the old one. A crash between two of these steps repeats a
 * tick, with the same id, and loses none.
 */
import type * as Clock from "effect/Clock"
import * as Cron from "effect/Cron"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Event from "../../event/Event.ts"
import type * as Log from "../../observe/Log.ts"
import * as Monotonic from "../../observe/Monotonic.ts"
import type { ControlCopy } from "../delivery/Copies.ts"
import type { Delivery } from "../port/Broker.ts"
import * as Backoff from "../support/Backoff.ts"
import type { Recurring } from "./RecurringOptions.ts"
import type { RecurringStatus } from "./RecurringStatus.ts"
import * as Ticks from "./Ticks.ts"
import * as Token from "./Token.ts"

/** The wall clock may be set meanwhile: it is read again after this time. */
const lookEveryMillis = 60_000
/** RabbitMQ takes back what is held for longer than its consumer timeout, which is 30 minutes and may be set lower. */
const heldAtMostMillis = 5 * 60_000
/** A last tick that is further in the future was made by a clock that was wrong. */
const aheadAtMostMillis = 60 * 60_000

/** How long what is stored may take to arrive. */
const awaitedAtMost = "1 minute"

const publishingAgain: Backoff.Backoff = { baseMillis: 500, capMillis: 60_000, jitter: "equal" }

export interface ActiveParts {
  readonly recurring: Recurring<Event.Any>
  /** Publishes the event of a tick; fails with why it was not. */
  readonly publish: (tick: Date) => Effect.Effect<void, string>
  /** Completes when it is stored. */
  readonly store: (message: ControlCopy) => Effect.Effect<void>
  readonly status: RecurringStatus
  readonly newId: () => string
  readonly clock: Clock.Clock
  readonly log: Log.Log
}

interface Held {
  readonly token: Token.Token
  readonly delivery: Delivery
  /** Monotonic. */
  readonly since: number
}

export class ActiveRecurrence {
  private readonly parts: ActiveParts
  private readonly now: Monotonic.Monotonic
  private readonly arrived: Array<Delivery> = []
  private readonly hasArrived = Latch.makeUnsafe(false)
  /** The token that is stored and has not arrived: until then any other one knows less. */
  private awaited: string | undefined
  /** The first tick after what a token knows. */
  private following: { readonly token: Token.Token; readonly millis: number } | undefined
  private failures = 0

  constructor(parts: ActiveParts) {
    this.parts = parts
    this.now = Monotonic.of(parts.clock)
  }

  /** Takes a delivery of the queue. */
  offer(delivery: Delivery): void {
    this.arrived.push(delivery)
    this.hasArrived.openUnsafe()
  }

  /** Runs until it is interrupted. */
  get run(): Effect.Effect<never> {
    return Effect.gen({ self: this }, function* () {
      let held = yield* this.take(undefined)
      for (;;) {
        held = yield* this.take(held)
        held = yield* this.turn(held)
      }
    })
  }

  /** What is held once all that arrived is looked at. Waits while nothing is held. */
  private take(before: Held | undefined): Effect.Effect<Held> {
    return Effect.gen({ self: this }, function* () {
      let held = before
      for (;;) {
        for (const delivery of this.arrived.splice(0)) held = this.accept(held, delivery)
        this.hasArrived.closeUnsafe()
        if (held?.delivery.lost() === true) held = undefined
        if (this.awaited !== undefined) {
          const { _tag } = yield* Effect.timeoutOption(this.hasArrived.await, awaitedAtMost)
          // Somebody has emptied the queue.
          if (_tag === "None") this.awaited = undefined
          continue
        }
        if (held !== undefined) return held
        this.parts.status.standsBy()
        yield* this.hasArrived.await
      }
    })
  }

  private accept(held: Held | undefined, delivery: Delivery): Held | undefined {
    const { log, recurring } = this.parts
    const token = Token.read(delivery)
    if (token === undefined) {
      log.warning("what came into the queue of a recurring event is none of its messages", {
        subscriber: recurring.subscriber,
        id: delivery.properties.messageId,
        remedy: "nothing but the library publishes there; it is in the dead-letter queue"
      })
      if (delivery.reject === undefined) delivery.ack()
      else delivery.reject(delivery)
      return held
    }
    if (token.id === this.awaited) this.awaited = undefined
    const arrived: Held = { token, delivery, since: this.now() }
    if (held === undefined) return arrived
    const isKept = Token.better(held.token, token) === held.token
    ;(isKept ? delivery : held.delivery).ack()
    return isKept ? held : arrived
  }

  /** Publishes what is due, or waits for a while. */
  private turn(held: Held): Effect.Effect<Held> {
    const { catchUp, cron, spec } = this.parts.recurring
    const { clock, status } = this.parts
    return Effect.suspend(() => {
      const now = clock.currentTimeMillisUnsafe()
      const { last, since } = held.token
      if (held.token.spec !== spec || (last !== undefined && last > now + aheadAtMostMillis))
        return this.begin(held, now)
      if (this.following?.token !== held.token) {
        const millis = Cron.next(cron, last ?? since).getTime()
        this.following = { token: held.token, millis }
        status.waits(new Date(millis))
      }
      // What came back counts against it on the broker, and what is held for long is taken back: also while its tick fails.
      if (held.delivery.redelivered || this.now() - held.since >= heldAtMostMillis)
        return this.replace(held, held.token)
      const next = this.following.millis
      if (next <= now) return this.due(held, Ticks.plan(cron, last ?? since, now, catchUp))
      const pause = Math.min(next - now, lookEveryMillis)
      return Effect.as(Effect.raceFirst(Effect.sleep(Math.max(1, pause)), this.hasArrived.await), held)
    })
  }

  /** Its ticks are others than those of the token, or the token is of a wrong clock: it begins anew, now. */
  private begin(held: Held, now: number): Effect.Effect<Held> {
    const { log, recurring } = this.parts
    log.info("a recurring event begins anew", {
      subscriber: recurring.subscriber,
      event: recurring.event.name,
      cron: recurring.spec,
      before: held.token.spec,
      last: held.token.last === undefined ? undefined : new Date(held.token.last).toISOString()
    })
    return this.replace(held, { ...held.token, since: now, last: undefined, spec: recurring.spec })
  }

  private due(held: Held, { due, hasSkipped, last }: Ticks.Plan): Effect.Effect<Held> {
    return Effect.gen({ self: this }, function* () {
      if (hasSkipped) this.warnOfSkipped(held.token, due[0] ?? last)
      if (due.length === 0) return yield* this.replace(held, { ...held.token, last: last.getTime() })
      let current = held
      for (const tick of due) {
        const error = yield* this.publish(tick)
        if (error !== undefined) {
          yield* this.failed(tick, error)
          return current
        }
        current = yield* this.replace(current, { ...current.token, last: tick.getTime() })
      }
      return current
    })
  }

  /** The error, if it is not published. */
  private publish(tick: Date): Effect.Effect<string | undefined> {
    return Effect.match(this.parts.publish(tick), {
      onFailure: (error) => error,
      onSuccess: () => {
        this.failures = 0
        return undefined
      }
    })
  }

  /** Waits before the next attempt, which may be one for a later tick. */
  private failed(tick: Date, detail: string): Effect.Effect<void> {
    const { log, recurring, status } = this.parts
    status.fails(tick, detail)
    log.error("a tick of a recurring event is not published", {
      subscriber: recurring.subscriber,
      event: recurring.event.name,
      tick: tick.toISOString(),
      detail,
      remedy: "it is tried again until it is published, or until `catchUp` prefers a later one"
    })
    return Backoff.wait(publishingAgain, this.failures++)
  }

  /** Stores a token in place of the one that is held. Completes when it is held instead. */
  private replace(held: Held, next: Omit<Token.Token, "id">): Effect.Effect<Held> {
    const { clock, newId, recurring, store } = this.parts
    return Effect.suspend(() => {
      const id = newId()
      this.awaited = id
      return store(Token.write({ ...next, id }, recurring.subscriber, clock.currentTimeMillisUnsafe()))
    }).pipe(
      Effect.andThen(
        Effect.suspend(() => {
          held.delivery.ack()
          return this.take(undefined)
        })
      )
    )
  }

  private warnOfSkipped({ last, since }: Token.Token, until: Date): void {
    const { log, recurring } = this.parts
    log.warning("ticks of a recurring event passed while nobody published them", {
      subscriber: recurring.subscriber,
      event: recurring.event.name,
      after: new Date(last ?? since).toISOString(),
      until: until.toISOString(),
      catchUp: recurring.catchUp
    })
  }
}
