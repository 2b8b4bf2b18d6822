/** Dead letters to look at: of a subscriber that fails, or put into the queue of one that does not run. */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { assert } from "../../Assert.ts"
import { shared } from "../../setup/BusProcess.ts"
import { makeLedger } from "../../setup/HandlerLedger.ts"
import { send } from "../../setup/RawMessage.ts"
import { fresh, numbered, numbers, upTo } from "../../setup/TestEvents.ts"
import { lettersOf, untilEffect } from "../../setup/Waiting.ts"

export class Broken extends Error {
  readonly _tag = "Broken"
}

/** A subscriber without retries, whose handler fails while `state.broken`. */
export const breakable = Effect.fnUntraced(function* (options: { readonly concurrency?: number } = {}) {
  const process = yield* shared
  const Happened = numbered()
  const name = fresh()
  const ledger = makeLedger()
  const state = { broken: true }
  yield* process.bus.subscribe(name, {
    ...options,
    events: [Happened],
    retry: Schedule.recurs(0),
    handler: (event, info) =>
      Effect.suspend(() => (state.broken ? Effect.fail(new Broken("down")) : ledger.handler(event, info)))
  })
  return { ...process, Happened, name, ledger, state }
})

/** A subscriber as `breakable`, with `count` dead letters, and their ids in the order of the queue. */
export const withLetters = Effect.fnUntraced(function* (count: number) {
  const made = yield* breakable({ concurrency: 1 })
  yield* made.bus.publishAll(made.Happened, numbers(count))
  const ids = (yield* lettersOf(made, made.name, count)).map(({ eventId }) => eventId)
  return { ...made, ids }
})

/** Puts letters into the dead-letter queue of a subscriber that does not run, in this order. */
export const putLetters = Effect.fnUntraced(function* (process: Effect.Success<typeof shared>, count: number) {
  const name = fresh()
  yield* process.broker.declare({ name, ordering: "none", patterns: [fresh()] })
  const ids = upTo(count).map((n) => `${name}-${n}`)
  const outcomes = yield* Effect.forEach(
    ids,
    (messageId) =>
      send(process.broker, {
        to: { _tag: "DeadLetter", subscriber: name },
        key: name,
        body: Buffer.from("{}"),
        properties: { messageId, type: "a.b", timestamp: Date.now(), appId: "suite", contentType: "application/json" },
        headers: {}
      }),
    { concurrency: "unbounded" }
  )
  assert(outcomes.every(({ _tag }) => _tag === "Confirmed"))
  return { ...process, name, ids }
})

/** Waits until the count is as expected, and returns it. */
export const countBecomes = Effect.fnUntraced(function* <E>(count: Effect.Effect<number, E>, expected: number) {
  let now = -1
  yield* untilEffect(
    () => `${now} instead of ${expected}`,
    Effect.map(count, (found) => (now = found) === expected)
  )
  return now
})

/** Waits until the list has this many letters, and returns their ids. */
export const listBecomes = Effect.fnUntraced(function* <E>(
  list: Effect.Effect<ReadonlyArray<{ readonly eventId: string }>, E>,
  count: number
) {
  let ids: ReadonlyArray<string> = []
  yield* untilEffect(
    () => `${ids.length} of ${count}`,
    Effect.map(list, (found) => (ids = found.map(({ eventId }) => eventId)).length === count)
  )
  return ids
})
