/** The promises of every `ClaimStore`: claims are exclusive leases, and only their holder makes one a done mark. */
import * as Effect from "effect/Effect"
import { ClaimStore, type HeldClaim, type Subject } from "../../../bus/port/ClaimStore.ts"
import { assert } from "../Assert.ts"
import * as ConformanceCase from "../ConformanceCase.ts"

let named = 0
/** An event that no other case claims. */
const fresh = (): Subject => ({ subscriber: "s", source: "o", type: "a.b", id: `e-${++named}-${process.pid}` })

const claimCase = (
  name: string,
  test: (store: ClaimStore["Service"]) => Effect.Effect<void, unknown>
): ConformanceCase.ConformanceCase<ClaimStore> => ConformanceCase.make(name, () => Effect.flatMap(ClaimStore, test))

export const claimStoreCases: ReadonlyArray<ConformanceCase.ConformanceCase<ClaimStore>> = [
  claimCase(
    "D6, N17: a claim is exclusive, a done mark is final, and only the holder makes one of the other",
    (store) =>
      Effect.gen(function* () {
        const subject = fresh()
        const first = yield* store.claim(subject, "a", 60_000)
        assert.strictEqual(first._tag, "Claimed")
        const second = yield* store.claim(subject, "b", 60_000)
        assert.strictEqual(second._tag, "Held")
        if (second._tag === "Held") assert(second.millis > 0 && second.millis <= 60_000, String(second.millis))
        assert.isFalse(yield* store.done(subject, "b", 60_000))
        assert.isTrue(yield* store.done(subject, "a", 60_000))
        assert.deepStrictEqual(yield* store.claim(subject, "a", 60_000), { _tag: "Done" })
        assert.deepStrictEqual(yield* store.claim(subject, "b", 60_000), { _tag: "Done" })
      })
  ),
  claimCase("D6, N17: a claim expires; the next holder gets a higher fence, and the late one no done mark", (store) =>
    Effect.gen(function* () {
      const subject = fresh()
      const first = yield* store.claim(subject, "a", 30)
      let second = yield* store.claim(subject, "b", 60_000)
      while (second._tag !== "Claimed") {
        yield* Effect.sleep(5)
        second = yield* store.claim(subject, "b", 60_000)
      }
      assert(first._tag === "Claimed" && second.fence > first.fence)
      assert.isFalse(yield* store.done(subject, "a", 60_000))
      yield* store.release(subject, "a")
      assert.strictEqual((yield* store.claim(subject, "c", 60_000))._tag, "Held")
    })
  ),
  claimCase("D6, N17: a renewed claim outlives its lease, and one that another has is not renewed", (store) =>
    Effect.gen(function* () {
      const [mine, taken, handled] = [fresh(), fresh(), fresh()]
      const held: Array<HeldClaim> = []
      for (const subject of [mine, taken, handled]) {
        const claim = yield* store.claim(subject, "a", subject === mine ? 60_000 : 1)
        assert(claim._tag === "Claimed")
        held.push({ subject, claimant: "a", fence: claim.fence })
      }
      yield* Effect.sleep(20)
      assert.strictEqual((yield* store.claim(taken, "b", 60_000))._tag, "Claimed")
      assert.isTrue(yield* store.done(handled, "b", 60_000))
      assert.deepStrictEqual(yield* store.renew(held, 300_000), [true, false, false])
      const claim = yield* store.claim(mine, "b", 60_000)
      assert(claim._tag === "Held" && claim.millis > 200_000, JSON.stringify(claim))
      assert.isTrue(yield* store.done(taken, "b", 60_000))
      assert.deepStrictEqual(yield* store.claim(handled, "a", 60_000), { _tag: "Done" })
      assert.deepStrictEqual(yield* store.renew([], 60_000), [])
    })
  ),
  claimCase(
    "D6, N17: a claim that expired is renewed with its fence while nobody has it, and can be released",
    (store) =>
      Effect.gen(function* () {
        const subject = fresh()
        const first = yield* store.claim(subject, "a", 1)
        assert(first._tag === "Claimed")
        yield* Effect.sleep(20)
        assert.deepStrictEqual(yield* store.renew([{ subject, claimant: "a", fence: first.fence }], 60_000), [true])
        assert.deepStrictEqual(yield* store.claim(subject, "a", 60_000), first)
        assert.strictEqual((yield* store.claim(subject, "b", 60_000))._tag, "Held")
        yield* store.release(subject, "a")
        const next = yield* store.claim(subject, "b", 60_000)
        assert(next._tag === "Claimed" && next.fence > first.fence)
      })
  ),
  claimCase("an answer that was lost can be asked for again", (store) =>
    Effect.gen(function* () {
      const subject = fresh()
      const first = yield* store.claim(subject, "a", 60_000)
      assert.deepStrictEqual(yield* store.claim(subject, "a", 60_000), first)
      assert.isTrue(yield* store.done(subject, "a", 60_000))
      assert.isTrue(yield* store.done(subject, "a", 60_000))
    })
  ),
  claimCase("N17: a done mark keeps the digest of the event that made it, which is no part of its identity", (store) =>
    Effect.gen(function* () {
      const subject = fresh()
      yield* store.claim({ ...subject, digest: "one" }, "a", 60_000)
      assert.strictEqual((yield* store.claim({ ...subject, digest: "two" }, "b", 60_000))._tag, "Held")
      assert.isTrue(yield* store.done({ ...subject, digest: "one" }, "a", 60_000))
      for (const digest of ["one", "two", undefined])
        assert.deepStrictEqual(yield* store.claim({ ...subject, digest }, "b", 60_000), { _tag: "Done", digest: "one" })
    })
  ),
  claimCase("a released claim is free at once", (store) =>
    Effect.gen(function* () {
      const subject = fresh()
      yield* store.claim(subject, "a", 60_000)
      yield* store.release(subject, "b")
      assert.strictEqual((yield* store.claim(subject, "b", 60_000))._tag, "Held")
      yield* store.release(subject, "a")
      assert.strictEqual((yield* store.claim(subject, "b", 60_000))._tag, "Claimed")
    })
  ),
  claimCase("a claim that expired while its holder worked still becomes a done mark when it is free", (store) =>
    Effect.gen(function* () {
      const subject = fresh()
      yield* store.claim(subject, "a", 1)
      yield* Effect.sleep(20)
      assert.isTrue(yield* store.done(subject, "a", 60_000))
      assert.deepStrictEqual(yield* store.claim(subject, "b", 60_000), { _tag: "Done" })
    })
  ),
  claimCase("D7, P15: a done mark belongs to one subscriber and one event, whatever their names", (store) =>
    Effect.gen(function* () {
      const { id } = fresh()
      const one: Subject = { subscriber: "a", source: "o", type: "a.b", id }
      const subjects: ReadonlyArray<Subject> = [
        one,
        { ...one, subscriber: "a.b" },
        { ...one, id: `b/${id}` },
        { ...one, subscriber: "a/b" },
        { ...one, id: `${id}:mark` },
        { ...one, id: `{${id}}` },
        { ...one, id: `${id}\u0000` },
        { ...one, id: `é${id}` },
        { ...one, id: `${id}\ud800` },
        { ...one, id: `${id}\ud801` }
      ]
      for (const subject of subjects) {
        assert.strictEqual((yield* store.claim(subject, "x", 60_000))._tag, "Claimed", JSON.stringify(subject))
        assert.isTrue(yield* store.done(subject, "x", 60_000))
      }
    })
  ),
  claimCase(
    "D7, N17, P15: an event is identified by source, type and id, and no part can take the place of another",
    (store) =>
      Effect.gen(function* () {
        const { id } = fresh()
        const subscriber = "identity"
        const subjects: ReadonlyArray<Subject> = [
          { subscriber, source: "/shops/north", type: "shop.order.paid", id },
          { subscriber, source: "/shops/south", type: "shop.order.paid", id },
          { subscriber, source: "/shops/north", type: "shop.order.sent", id },
          { subscriber, source: "/shops/north/shop.order.paid", type: "", id },
          { subscriber, source: "", type: "/shops/north/shop.order.paid", id },
          { subscriber, source: '/shops/north","shop.order.paid', type: "", id },
          { subscriber, source: "/shops/north", type: "", id: `shop.order.paid","${id}` },
          { subscriber, source: "/shops/north", type: "", id: `shop.order.paid${id}` },
          { subscriber, source: "", type: "", id: `/shops/northshop.order.paid${id}` },
          { subscriber, source: "\ud800", type: "", id },
          { subscriber, source: "\ud801", type: "", id },
          { subscriber, source: "\ufffd", type: "", id }
        ]
        for (const subject of subjects) {
          assert.strictEqual((yield* store.claim(subject, "x", 60_000))._tag, "Claimed", JSON.stringify(subject))
          assert.isTrue(yield* store.done(subject, "x", 60_000))
        }
        for (const subject of subjects)
          assert.deepStrictEqual(yield* store.claim({ ...subject }, "y", 60_000), { _tag: "Done" })
      })
  ),
  claimCase("of many claimants at once exactly one gets it", (store) =>
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
    })
  )
]
