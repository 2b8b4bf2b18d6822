/** The order of one call through rejections: what is stored of a key is stored in the order given (P6). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Event from "../../../src/event/Event.ts"
import type { PublishAllError } from "../../../src/bus/send/PublishError.ts"
import { fromSeed } from "../../support/RandomSource.ts"
import * as Scripted from "../ScriptedBroker.ts"
import * as Stage from "./PublisherStage.ts"

const Moved = Event.make("account.moved", {
  version: 1,
  data: Schema.Struct({ account: Schema.String, step: Schema.Finite }),
  key: ({ account }) => account
})
const of = (account: string, from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => ({ account, step: from + i }))
const failuresOf = (error: PublishAllError) =>
  error.failures.map(({ error: { reason }, index }) => `${index} ${reason._tag}`)

const silent = Effect.gen(function* () {
  const stage = yield* Stage.make()
  stage.scripted.script = undefined
  const label = ({ message }: Scripted.Sent): string => {
    // The stage publishes nothing but events of this contract.
    const { data } = JSON.parse(message.body.toString()) as { readonly data: typeof Moved.Type }
    return `${data.account}${data.step}`
  }
  const answer = (at: number, outcome: Parameters<Scripted.Sent["answer"]>[0]): void =>
    stage.scripted.sent[at]?.answer(outcome)
  return { ...stage, sent: () => stage.scripted.sent.map(label), answer, label }
})
const start = <A, E>(effect: Effect.Effect<A, E>) => Effect.forkChild(effect, { startImmediately: true })

describe("publishAll of one key", () => {
  for (const [what, answers] of [
    ["before", ["rejected", "confirmed", "confirmed"]],
    ["after", ["confirmed", "confirmed", "rejected"]]
  ] as const) {
    it.effect(`P6: an event that is rejected ${what} later ones are confirmed fails and is not sent again`, () =>
      Effect.gen(function* () {
        const { answer, publishAll, sent } = yield* silent
        const call = yield* start(Effect.flip(publishAll(Moved, of("a", 0, 3))))
        const order = what === "before" ? [0, 1, 2] : [1, 2, 0]
        for (const [i, at] of order.entries())
          answer(at, answers[i] === "rejected" ? Scripted.rejected : Scripted.confirmed)
        yield* TestClock.adjust("20 seconds")
        const error = yield* Fiber.join(call)
        assert.deepStrictEqual(failuresOf(error), ["0 Rejected"])
        assert.deepStrictEqual([error.confirmed, error.next], [2, 3])
        assert.deepStrictEqual(sent(), ["a0", "a1", "a2"])
      })
    )
  }

  for (const order of [
    [0, 1, 2],
    [2, 1, 0]
  ]) {
    it.effect(
      `P6: all of several that are rejected fail at once, answered as ${order}: other queues may have them`,
      () =>
        Effect.gen(function* () {
          const { answer, publishAll, sent } = yield* silent
          const call = yield* start(Effect.flip(publishAll(Moved, of("a", 0, 3))))
          for (const at of order) answer(at, Scripted.rejected)
          yield* TestClock.adjust("1 second")
          const error = yield* Fiber.join(call)
          assert.deepStrictEqual(failuresOf(error).toSorted(), ["0 Rejected", "1 Rejected", "2 Rejected"])
          assert.deepStrictEqual(sent(), ["a0", "a1", "a2"])
        })
    )
  }

  it.effect(
    "P6: one that is rejected before any later one was sent keeps its place; from there on one is sent at a time",
    () =>
      Effect.gen(function* () {
        const { answer, publishAll, scripted, sent } = yield* silent
        const first = of("a", 0, 1)
        const items = Stream.fromIterable(first).pipe(
          Stream.concat(Stream.fromEffectDrain(Effect.sleep("5 millis"))),
          Stream.concat(Stream.fromIterable([...of("a", 1, 4), ...of("b", 0, 2)]))
        )
        const call = yield* start(publishAll(Moved, items, { timeout: "1 hour" }))
        answer(0, Scripted.rejected)
        yield* TestClock.adjust("5 millis")
        assert.deepStrictEqual(sent(), ["a0", "b0", "b1"])
        for (let round = 0; round < 3; round++) {
          yield* TestClock.adjust("5 seconds")
          assert.deepStrictEqual(
            sent().slice(3),
            Array.from({ length: round + 1 }, () => "a0")
          )
          answer(scripted.sent.length - 1, round < 2 ? Scripted.rejected : Scripted.confirmed)
        }
        answer(1, Scripted.confirmed)
        answer(2, Scripted.confirmed)
        for (const next of ["a1", "a2", "a3"]) {
          yield* TestClock.adjust(0)
          assert.strictEqual(sent().at(-1), next)
          answer(scripted.sent.length - 1, Scripted.confirmed)
        }
        assert.strictEqual(yield* Fiber.join(call), 6)
      })
  )

  it.effect("P6: an event of another key, or without one, does not overtake", () =>
    Effect.gen(function* () {
      const { answer, publishAll, scripted, sent } = yield* silent
      const call = yield* start(publishAll(Moved, [...of("a", 0, 1), ...of("b", 0, 1), ...of("c", 0, 1)]))
      answer(2, Scripted.confirmed)
      answer(1, Scripted.confirmed)
      answer(0, Scripted.rejected)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(sent().slice(3), ["a0"])
      answer(3, Scripted.confirmed)
      assert.strictEqual(yield* Fiber.join(call), 3)
      const Keyless = Event.make("account.seen", { version: 1, data: Moved.schema })
      const other = yield* start(publishAll(Keyless, of("a", 0, 2)))
      answer(5, Scripted.confirmed)
      answer(4, Scripted.rejected)
      yield* TestClock.adjust("1 second")
      answer(scripted.sent.length - 1, Scripted.confirmed)
      assert.strictEqual(yield* Fiber.join(other), 2)
    })
  )

  it.effect("P6: whatever is rejected, lost and answered out of order, what is stored of a key is in order", () =>
    Effect.gen(function* () {
      for (let seed = 1; seed <= 60; seed++) {
        const { below, next, pick } = fromSeed(seed)
        const { label, publishAll, scripted } = yield* silent
        const stored: Array<string> = []
        const items = Array.from({ length: 40 + below(60) }, (_, step) => ({ account: pick(["a", "b", "c"]), step }))
        const call = yield* start(Effect.exit(publishAll(Moved, items, { timeout: "30 seconds" })))
        const open: Array<Scripted.Sent> = []
        let seen = 0
        for (let round = 0; round < 400 && call.pollUnsafe() === undefined; round++) {
          // The broker stores in the order in which it was sent; what it rejects, another queue may store.
          for (const sent of scripted.sent.slice(seen)) {
            seen++
            const isRejected = next() < 0.1
            if (!isRejected || next() < 0.3) stored.push(label(sent))
            open.push({ ...sent, answer: () => sent.answer(isRejected ? Scripted.rejected : Scripted.confirmed) })
          }
          for (let count = below(open.length + 1); count > 0; count--)
            open.splice(below(open.length), 1)[0]?.answer(Scripted.confirmed)
          yield* TestClock.adjust(below(200))
        }
        yield* Fiber.join(call)
        for (const account of ["a", "b", "c"]) {
          const steps = [...new Set(stored.filter((one) => one.startsWith(account)))].map((one) => Number(one.slice(1)))
          assert.deepStrictEqual(
            steps,
            steps.toSorted((one, other) => one - other),
            `seed ${seed}, ${account}`
          )
        }
      }
    })
  )
})
