/** What every store of marks does: memory and Redis pass the same cases. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import type { MarkStore, Subject } from "../../src/bus/Marks.ts"

let named = 0
const fresh = (): Subject => ({ subscriber: "s", id: `e-${++named}-${process.pid}` })

export const markSuite = (name: string, make: Effect.Effect<MarkStore, unknown, Scope.Scope>): void => {
  describe(`${name} as a store of marks`, () => {
    const test = (title: string, body: (store: MarkStore) => Effect.Effect<void, unknown>): void => {
      it.live(title, () => Effect.scoped(Effect.flatMap(make, body)))
    }

    test("D6, N17: a claim is exclusive, a mark is for good, and only the holder makes one of the other", (store) =>
      Effect.gen(function* () {
        const subject = fresh()
        const first = yield* store.claim(subject, "a", 60_000)
        assert.strictEqual(first._tag, "Claimed")
        const second = yield* store.claim(subject, "b", 60_000)
        assert.strictEqual(second._tag, "Held")
        if (second._tag === "Held") assert.isTrue(second.millis > 0 && second.millis <= 60_000, String(second.millis))
        assert.isFalse(yield* store.done(subject, "b", 60_000))
        assert.isTrue(yield* store.done(subject, "a", 60_000))
        assert.deepStrictEqual(yield* store.claim(subject, "a", 60_000), { _tag: "Done" })
        assert.deepStrictEqual(yield* store.claim(subject, "b", 60_000), { _tag: "Done" })
      }))

    test("D6, N17: a claim ends by itself; who comes then gets a higher fence, and who was late no mark", (store) =>
      Effect.gen(function* () {
        const subject = fresh()
        const first = yield* store.claim(subject, "a", 30)
        let second = yield* store.claim(subject, "b", 60_000)
        while (second._tag !== "Claimed") {
          yield* Effect.sleep(5)
          second = yield* store.claim(subject, "b", 60_000)
        }
        assert.isTrue(first._tag === "Claimed" && second.fence > first.fence)
        assert.isFalse(yield* store.done(subject, "a", 60_000))
        yield* store.release(subject, "a")
        assert.strictEqual((yield* store.claim(subject, "c", 60_000))._tag, "Held")
      }))

    test("an answer that was lost can be asked for again", (store) =>
      Effect.gen(function* () {
        const subject = fresh()
        const first = yield* store.claim(subject, "a", 60_000)
        assert.deepStrictEqual(yield* store.claim(subject, "a", 60_000), first)
        assert.isTrue(yield* store.done(subject, "a", 60_000))
        assert.isTrue(yield* store.done(subject, "a", 60_000))
      }))

    test("what was given up is free at once", (store) =>
      Effect.gen(function* () {
        const subject = fresh()
        yield* store.claim(subject, "a", 60_000)
        yield* store.release(subject, "b")
        assert.strictEqual((yield* store.claim(subject, "b", 60_000))._tag, "Held")
        yield* store.release(subject, "a")
        assert.strictEqual((yield* store.claim(subject, "b", 60_000))._tag, "Claimed")
      }))

    test("a claim that ended while its holder worked still becomes a mark when nobody else has it", (store) =>
      Effect.gen(function* () {
        const subject = fresh()
        yield* store.claim(subject, "a", 1)
        yield* Effect.sleep(20)
        assert.isTrue(yield* store.done(subject, "a", 60_000))
        assert.deepStrictEqual(yield* store.claim(subject, "b", 60_000), { _tag: "Done" })
      }))

    test("D7, P15: a mark belongs to one subscriber and one event, whatever they are called", (store) =>
      Effect.gen(function* () {
        const { id } = fresh()
        const subjects: ReadonlyArray<Subject> = [
          { subscriber: "a", id },
          { subscriber: "a.b", id },
          { subscriber: "a", id: `b/${id}` },
          { subscriber: "a/b", id },
          { subscriber: "a", id: `${id}:mark` },
          { subscriber: "a", id: `{${id}}` },
          { subscriber: "a", id: `${id}\u0000` },
          { subscriber: "a", id: `é${id}` }
        ]
        for (const subject of subjects) {
          assert.strictEqual((yield* store.claim(subject, "x", 60_000))._tag, "Claimed", JSON.stringify(subject))
          assert.isTrue(yield* store.done(subject, "x", 60_000))
        }
      }))

    test("of many that ask at once one gets it", (store) =>
      Effect.gen(function* () {
        const subject = fresh()
        const claims = yield* Effect.forEach(
          Array.from({ length: 50 }, (_, n) => `p${n}`),
          (claimant) => store.claim(subject, claimant, 60_000),
          { concurrency: "unbounded" }
        )
        assert.lengthOf(
          claims.filter(({ _tag }) => _tag === "Claimed"),
          1
        )
      }))
  })
}
