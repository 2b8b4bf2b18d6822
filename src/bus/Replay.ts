/**
 * Sends dead letters back. Each copy is confirmed before its letter is acknowledged: whatever ends a
 * replay, its process included, nothing is lost, and running it again goes on with what is left. At
 * worst an event was sent already and comes a second time, with the same id.
 *
 * It cannot chase its own tail: it is bounded by what there was when it began, and letters that it has
 * sent itself stay. A broker that goes away midway is waited for, for as long as one copy may take.
 */
import { Clock, Effect, Random } from "effect"
import { sizeOf } from "../event/Body.ts"
import * as Codec from "../event/Codec.ts"
import type { Broker, Delivery, Headers, Outgoing } from "./Broker.ts"
import { BrokerError, SettingsInvalid } from "./BrokerError.ts"
import { within } from "./Budget.ts"
import { type PublishReason, ReplayError } from "./BusError.ts"
import * as DeadLetter from "./DeadLetter.ts"
import * as Door from "./Door.ts"
import { CurrentIds } from "./Ids.ts"
import * as Outbox from "./Outbox.ts"
import * as RuntimeHeaders from "./RuntimeHeaders.ts"
import * as Selection from "./Selection.ts"
import * as Tally from "./Tally.ts"

export interface ReplayOptions extends Selection.Selection {
  /** Answers what would be replayed and sends nothing. */
  readonly dryRun?: boolean
  /** Events per second. As fast as the broker confirms when absent. */
  readonly rate?: number
  /** What was replayed so often already stays where it is. Default 3; `Infinity` for no bound. */
  readonly maxReplays?: number
}

/** What a replay did; in a dry run, what it would do. */
export interface ReplayReport extends Tally.Counts {
  /** Names this run, also in the events that it sent and in letters that come back. */
  readonly replayId: string
  readonly replayed: number
  /** Left because they were replayed `maxReplays` times already. */
  readonly guarded: number
  /** Left because they cannot be sent; why, for the first ten. */
  readonly refused: number
  readonly refusals: ReadonlyArray<string>
}

type Stop = { readonly _tag: "Stop"; readonly reason: PublishReason }

const copies = { count: 128, bytes: 8 * 1024 * 1024 }
const copyMillis = 15_000
/** How long what was sent may still be confirmed when a replay is interrupted. */
const graceMillis = 1_000
/** Losses of the way to the letters, one after the other, that are overcome. */
const keptLosses = 5
const keptRefusals = 10

export const make = Effect.fnUntraced(function* (broker: Broker["Service"]) {
  const clock = yield* Clock.Clock
  const ids = yield* CurrentIds

  const run = Effect.fnUntraced(function* (
    source: DeadLetter.Source,
    options: ReplayOptions,
    chosen: Selection.Chosen,
    state: State
  ) {
    const { maxReplays = 3 } = options
    const pace = yield* pacer(options.rate)
    // Who is gone would get its events as undeliverable ones: refused before anything is sent.
    if (source !== DeadLetter.undeliverable) yield* broker.depth(source)

    const selected = (letter: DeadLetter.DeadLetter): boolean => {
      // Its own tail: sent by this run, and failed again already.
      if (letter.replayId === state.replayId) return false
      if (!chosen.fits(letter)) state.tally.skip()
      else if (letter.replays >= maxReplays) state.guarded++
      else return true
      return false
    }

    if (options.dryRun === true) {
      return yield* DeadLetter.walk(broker, {
        source,
        keyed: chosen.byKey,
        workers: 1,
        begin: state.begin,
        each: (letter, delivery) =>
          Effect.sync(() => {
            const full = state.tally.doneSoFar() >= chosen.limit
            if (!full && selected(letter)) state.tally.done(letter)
            return !full || !DeadLetter.beyondReturned(delivery)
          })
      })
    }

    const outbox = yield* Outbox.make(broker, Door.make(copies), () => {})
    const resend = (letter: DeadLetter.DeadLetter, delivery: Delivery) =>
      Effect.callback<Outbox.Result>((resume) => {
        const withdraw = outbox.submit({
          message: copyOf(letter, delivery, source, state.replayId, clock.currentTimeMillisUnsafe()),
          bytes: sizeOf(delivery.body),
          mandatory: true,
          deadline: clock.currentTimeMillisUnsafe() + copyMillis,
          privileged: true,
          done: (result) => {
            // Here and not after it: who is interrupted now acknowledges what was confirmed all the same.
            if (result._tag === "Confirmed" && !delivery.lost()) {
              delivery.ack()
              state.tally.done(letter)
            }
            resume(Effect.succeed(result))
          }
        })
        return Effect.sync(withdraw)
      })

    let taken = 0
    const pass = DeadLetter.walk<Stop>(broker, {
      source,
      keyed: chosen.byKey,
      workers: workersFor(options.rate),
      begin: (count) => {
        state.begin(count)
        taken = state.tally.doneSoFar()
      },
      each: Effect.fnUntraced(function* (letter, delivery) {
        if (taken >= chosen.limit) return false
        if (!selected(letter)) return true
        taken++
        yield* pace()
        const result = yield* resend(letter, delivery)
        if (result._tag === "Confirmed") return true
        const { reason } = result
        if (reason._tag === "Invalid" || (reason._tag === "Unroutable" && source === DeadLetter.undeliverable)) {
          taken--
          state.refuse(letter, reason.message)
          return true
        }
        return yield* Effect.fail<Stop>({ _tag: "Stop", reason })
      }),
      end: Effect.asVoid(within(graceMillis, outbox.flushed))
    })

    for (let losses = 0; ; losses++) {
      const before = state.tally.doneSoFar()
      const lost = yield* pass.pipe(
        Effect.as(undefined),
        Effect.catchTag("BrokerError", (error) =>
          error.isRetryable && losses < keptLosses ? Effect.succeed(error) : Effect.fail(error)
        )
      )
      if (lost === undefined) return
      if (state.tally.doneSoFar() > before) losses = 0
      const jitter = yield* Random.next
      yield* Effect.sleep(200 * 2 ** losses * (0.5 + jitter / 2))
    }
  }, Effect.scoped)

  return Effect.fnUntraced(function* (source: DeadLetter.Source, options: ReplayOptions) {
    const state = makeState(options.dryRun === true, ids.next(clock.currentTimeMillisUnsafe()))
    yield* Selection.compile(options).pipe(
      Effect.flatMap((chosen) => run(source, options, chosen, state)),
      Effect.mapError(
        ({ reason }) =>
          new ReplayError({
            source: DeadLetter.nameOf(source),
            replayed: state.tally.doneSoFar(),
            remaining: state.tally.counts().remaining,
            reason
          })
      )
    )
    return state.report()
  })
})

type State = ReturnType<typeof makeState>

const makeState = (dryRun: boolean, replayId: string) => {
  const tally = Tally.make(dryRun)
  let refusals: Array<string> = []
  const state = {
    tally,
    replayId,
    guarded: 0,
    refused: 0,
    begin: (found: number): void => {
      tally.begin(found)
      state.guarded = state.refused = 0
      refusals = []
    },
    refuse: (letter: DeadLetter.DeadLetter, why: string): void => {
      state.refused++
      if (refusals.length < keptRefusals) refusals.push(`${letter.eventId}: ${why}`)
    },
    report: (): ReplayReport => {
      const { done, ...counts } = tally.counts()
      const { guarded, refused } = state
      return { replayId, replayed: done, guarded, refused, refusals, ...counts }
    }
  }
  return state
}

/** A copy is built, never copied: nothing of the letter's headers but what a user set. */
const copyOf = (
  letter: DeadLetter.DeadLetter,
  delivery: Delivery,
  source: DeadLetter.Source,
  replayId: string,
  now: number
): Outgoing => {
  const { properties } = delivery
  const headers: Headers = { ...RuntimeHeaders.userHeaders(delivery), ...RuntimeHeaders.traceHeaders(delivery) }
  const history = { failures: letter.failures, replays: letter.replays + 1, replayId, firstSpan: letter.firstSpan }
  // A retry whose queue was gone is nobody else's business.
  const recipient = source === DeadLetter.undeliverable ? delivery.recipient : source
  const isEvent = recipient === undefined
  return {
    to: isEvent ? { _tag: "Event", name: letter.eventType } : { _tag: "Subscriber", name: recipient, seconds: 0 },
    key: undefined,
    body: delivery.body,
    properties: {
      messageId: letter.eventId,
      type: letter.eventType,
      timestamp: properties.timestamp ?? now,
      appId: properties.appId ?? "",
      correlationId: properties.correlationId,
      contentType: properties.contentType ?? Codec.contentType
    },
    headers: isEvent ? headers : { ...headers, ...RuntimeHeaders.write({ ...RuntimeHeaders.fresh, ...history }) }
  }
}

/** One confirm takes up to 20 ms: more workers than the rate needs would only hold letters. */
const workersFor = (rate = Number.POSITIVE_INFINITY): number =>
  Math.min(copies.count, Math.max(1, Math.ceil(rate / 50)))

/** Lets one pass at each tick of the rate; who comes late does not make up for it. */
const pacer = Effect.fnUntraced(function* (rate: number | undefined) {
  if (rate === undefined || rate === Number.POSITIVE_INFINITY) return () => Effect.void
  if (!(rate > 0)) {
    return yield* new BrokerError({
      reason: new SettingsInvalid({
        setting: "rate",
        problem: `${rate} is not a rate`,
        remedy: "Give events per second, above 0"
      })
    })
  }
  const clock = yield* Clock.Clock
  let next = clock.currentTimeMillisUnsafe()
  return (): Effect.Effect<void> => {
    const now = clock.currentTimeMillisUnsafe()
    const at = Math.max(now, next)
    next = at + 1000 / rate
    return at > now ? Effect.sleep(at - now) : Effect.void
  }
})
