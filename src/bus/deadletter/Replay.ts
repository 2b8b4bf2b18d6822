/**
 * Sends dead letters back to their subscriber. Each copy is confirmed before its letter is acknowledged: whatever
 * ends a replay, even the death of its process, loses nothing, and running it again goes on with the letters that
 * are left. At worst an event was sent already and comes a second time, with the same id.
 *
 * A replay ends: it looks only at the letters that were there when it began, and leaves the ones that it has sent
 * itself. When the broker goes away, it waits as long as a single copy may take.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Lifetime from "../../event/options/Lifetime.ts"
import * as Kinds from "../../event/options/OptionKinds.ts"
import { millisOf } from "../../event/options/OptionNames.ts"
import * as WireFormat from "../../event/WireFormat.ts"
import * as Monotonic from "../../observe/Monotonic.ts"
import { sizeOf } from "../../event/Body.ts"
import type { Broker, Delivery, Outgoing } from "../port/Broker.ts"
import type { BrokerError } from "../port/BrokerError.ts"
import * as InFlightLimit from "../send/InFlightLimit.ts"
import * as Outbox from "../send/Outbox.ts"
import type { Outcome } from "../send/Outcome.ts"
import type { PublishReason } from "../send/PublishReason.ts"
import { Shipment } from "../send/Shipment.ts"
import * as Backoff from "../support/Backoff.ts"
import { within } from "../support/DrainBudget.ts"
import { CurrentIds } from "../support/EventIds.ts"
import * as DeadLetter from "./DeadLetter.ts"
import { ReplayError } from "./DeadLettersError.ts"
import * as LetterExpiry from "./LetterExpiry.ts"
import * as LetterFilter from "./LetterFilter.ts"
import { LetterProgress } from "./LetterProgress.ts"
import { beyondReturned, walk } from "./LetterWalk.ts"
import { type Changes, copyOf, type Edited } from "./ReplayCopy.ts"
import { type ReplayOptions, ReplayState } from "./ReplayState.ts"

interface Stopped {
  readonly _tag: "Stopped"
  readonly reason: PublishReason
}

/** Another body for a letter, or why it cannot have that one. */
export type Rewrite = (letter: DeadLetter.DeadLetter, delivery: Delivery) => Result.Result<Edited, string>

const copies = { count: 128, bytes: 8 * 1024 * 1024 }
const copyMillis = 15_000
/** How long sent copies may still be confirmed when a replay is interrupted. */
const graceMillis = 1_000
/** A replay goes on after this many losses of its connection in a row. */
const survivedLosses = 5
/** Without a cap: it ends after `survivedLosses`. */
const reconnecting: Backoff.Backoff = { baseMillis: 200, capMillis: Number.POSITIVE_INFINITY, jitter: "equal" }

/** One replay of the letters of one source. */
class Replay {
  private readonly broker: Broker["Service"]
  private readonly clock: Clock.Clock
  private readonly source: DeadLetter.Source
  private readonly options: ReplayOptions
  private readonly state: ReplayState
  private readonly rewrite: Rewrite | undefined

  constructor(
    broker: Broker["Service"],
    clock: Clock.Clock,
    source: DeadLetter.Source,
    options: ReplayOptions,
    state: ReplayState,
    rewrite: Rewrite | undefined
  ) {
    this.rewrite = rewrite
    this.broker = broker
    this.clock = clock
    this.source = source
    this.options = options
    this.state = state
  }

  run(): Effect.Effect<void, BrokerError | Stopped, Scope.Scope> {
    const { broker, options, source } = this
    return Effect.gen({ self: this }, function* () {
      const pace = yield* pacer(options.rate)
      // Copies for a deleted subscriber would end as undeliverable events: refuse before anything is sent.
      if (source !== DeadLetter.undeliverable) yield* broker.depth(source)
      if (options.dryRun === true) return yield* this.dryRun()
      const outbox = yield* Outbox.make(broker, InFlightLimit.make(copies), () => {})
      yield* this.sendAll(this.walkOnce(outbox, pace))
    })
  }

  private dryRun(): Effect.Effect<void, BrokerError> {
    const { broker, source, state } = this
    const { byKey, limit } = state.filter
    return walk(broker, {
      source,
      withKeys: byKey,
      workers: 1,
      begin: (count) => state.begin(count),
      each: (letter, delivery) =>
        Effect.sync(() => {
          const full = state.replayed >= limit
          if (!full && state.selects(letter) && this.changed(letter, delivery) !== refused) state.sent(letter)
          return !full || !beyondReturned(delivery)
        })
    })
  }

  /** Walks again after the connection was lost: what was acknowledged is gone, the rest is back in the queue. */
  private sendAll(walkOnce: Effect.Effect<void, BrokerError | Stopped>): Effect.Effect<void, BrokerError | Stopped> {
    const { state } = this
    return Effect.gen(function* () {
      for (let losses = 0; ; losses++) {
        const before = state.replayed
        const lost = yield* walkOnce.pipe(
          Effect.as(false),
          Effect.catchTag("BrokerError", (error) =>
            error.isRetryable && losses < survivedLosses ? Effect.succeed(true) : Effect.fail(error)
          )
        )
        if (!lost) return
        if (state.replayed > before) losses = 0
        yield* Backoff.wait(reconnecting, losses)
      }
    })
  }

  private walkOnce(outbox: Outbox.Outbox, pace: Pace): Effect.Effect<void, BrokerError | Stopped> {
    const { broker, options, source, state } = this
    const { byKey, limit } = state.filter
    let taken = 0
    return walk<Stopped>(broker, {
      source,
      withKeys: byKey,
      workers: workersFor(options.rate),
      begin: (count) => {
        state.begin(count)
        taken = state.replayed
      },
      each: Effect.fnUntraced({ self: this }, function* (letter, delivery) {
        if (taken >= limit) return false
        if (!state.selects(letter)) return true
        const changes = this.changed(letter, delivery)
        if (changes === refused) return true
        taken++
        yield* pace()
        // The broker has taken it back: a copy would be one too many. The next read says why.
        if (delivery.lost()) return true
        const reason = yield* this.resend(outbox, letter, delivery, changes)
        if (reason._tag === "Confirmed") return true
        if (reason._tag === "Invalid" || (reason._tag === "Unroutable" && source === DeadLetter.undeliverable)) {
          taken--
          state.refuse(letter, reason.message)
          return true
        }
        return yield* Effect.fail<Stopped>({ _tag: "Stopped", reason })
      }),
      end: Effect.asVoid(within(graceMillis, outbox.flushed))
    })
  }

  /** What is different in what is sent. */
  private changed(letter: DeadLetter.DeadLetter, delivery: Delivery): Changes | typeof refused {
    const rewritten = this.rewrite?.(letter, delivery) ?? Result.succeed(undefined)
    const changes = Result.flatMap(rewritten, (edited) =>
      Result.map(this.renewed(delivery, edited), (renewed): Changes => ({ edited, renewed }))
    )
    if (Result.isSuccess(changes)) return changes.success
    this.state.refuse(letter, changes.failure)
    return refused
  }

  private renewed(
    delivery: Delivery,
    edited: Edited | undefined
  ): Result.Result<LetterExpiry.Renewed | undefined, string> {
    const { clock, options } = this
    const expiryTime = LetterExpiry.of(delivery)
    if (expiryTime === undefined) return Result.succeed(undefined)
    const now = clock.currentTimeMillisUnsafe()
    if (options.expiresAfter !== undefined) {
      const { headers, properties } = delivery
      const message =
        edited === undefined
          ? delivery
          : { body: edited.body, headers, properties: { ...properties, contentType: WireFormat.contentType } }
      return LetterExpiry.renew(message, new Date(now + Math.floor(millisOf(options.expiresAfter))))
    }
    return expiryTime.getTime() > now ? Result.succeed(undefined) : Result.fail(hasExpired(expiryTime))
  }

  private resend(
    outbox: Outbox.Outbox,
    letter: DeadLetter.DeadLetter,
    delivery: Delivery,
    changes: Changes
  ): Effect.Effect<Outcome> {
    const { clock, source, state } = this
    return Effect.callback<Outcome>((resume) => {
      const now = clock.currentTimeMillisUnsafe()
      const message = copyOf(letter, delivery, source, state.replayId, now, changes)
      const shipment = new ReplayShipment(
        message,
        sizeOf(message.body),
        Monotonic.of(clock)() + copyMillis,
        (outcome) => {
          // Here and not after the effect: an interruption must not keep a confirmed letter from its ack.
          if (outcome._tag === "Confirmed" && !delivery.lost()) {
            delivery.ack()
            state.sent(letter)
          }
          resume(Effect.succeed(outcome))
        }
      )
      outbox.submit(shipment)
      return Effect.sync(() => shipment.withdraw())
    })
  }
}

const hasExpired = (at: Date): string =>
  `it expired at ${at.toISOString()} and would be a dead letter again: give expiresAfter (--expires-after), how long from now on it may be handled, or discard it`

const refused: unique symbol = Symbol("refused")

/** The copy of a dead letter in the outbox of its replay. */
class ReplayShipment extends Shipment {
  readonly finished: (outcome: Outcome) => void

  constructor(message: Outgoing, bytes: number, deadline: number, finished: (outcome: Outcome) => void) {
    super(message, bytes, deadline, true, true)
    this.finished = finished
  }
}

export const make = Effect.fnUntraced(function* (broker: Broker["Service"]) {
  const clock = yield* Clock.Clock
  const ids = yield* CurrentIds
  return Effect.fnUntraced(function* (source: DeadLetter.Source, options: ReplayOptions, rewrite?: Rewrite) {
    const failed =
      (state: { readonly replayed: number; readonly remaining: number }) =>
      ({ reason }: BrokerError | Stopped) => {
        const { remaining, replayed } = state
        return new ReplayError({ source: DeadLetter.nameOf(source), replayed, remaining, reason })
      }
    const filter = yield* Effect.mapError(
      LetterFilter.compile(options, furtherKinds),
      failed({ replayed: 0, remaining: 0 })
    )
    const state = new ReplayState(ids.next(clock.currentTimeMillisUnsafe()), filter, options, yield* LetterProgress)
    const replay = new Replay(broker, clock, source, options, state, rewrite)
    yield* replay.run().pipe(Effect.scoped, Effect.mapError(failed(state)))
    return state.report()
  })
})

/** One confirm takes up to 20 ms: more workers than the rate needs would only hold letters. */
const workersFor = (rate = Number.POSITIVE_INFINITY): number =>
  Math.min(copies.count, Math.max(1, Math.ceil(rate / 50)))

type Pace = () => Effect.Effect<void>

/** Lets one letter pass at each tick of the rate. Missed ticks are not made up for. */
const furtherKinds = {
  dryRun: Kinds.bool,
  rate: Kinds.above,
  unsigned: Kinds.bool,
  maxReplays: Kinds.limit,
  expiresAfter: Lifetime.kind
}

const pacer = Effect.fnUntraced(function* (rate: number | undefined) {
  if (rate === undefined || rate === Number.POSITIVE_INFINITY) return (): Effect.Effect<void> => Effect.void
  const monotonic = yield* Monotonic.make
  let next = monotonic()
  return (): Effect.Effect<void> => {
    const now = monotonic()
    const at = Math.max(now, next)
    next = at + 1000 / rate
    return at > now ? Effect.sleep(at - now) : Effect.void
  }
})
