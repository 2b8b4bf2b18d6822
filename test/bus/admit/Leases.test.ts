/** Claims are leases: the living renew them, and what the dead leave ends by itself. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Layer, Schedule } from "effect"
import { EventBus } from "../../../src/bus/EventBus.ts"
import * as EventBusMake from "../../../src/bus/EventBusMake.ts"
import { ClaimStore, type Subject } from "../../../src/bus/port/ClaimStore.ts"
import * as MemoryBroker from "../../../src/memory/MemoryBroker.ts"
import * as MemoryCache from "../../../src/memory/MemoryCache.ts"
import * as MemoryClaims from "../../../src/memory/MemoryClaims.ts"
import { fresh, keyed, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { makeLedger } from "../../../src/ports/conformance/setup/HandlerLedger.ts"
import { recordedLog } from "../../support/RecordedLog.ts"
import * as Stage from "../Stage.ts"
import { make, type Store, unavailable, whileUp } from "./ClaimStage.ts"

const subjectOf = (subscriber: string, type: string, id: string): Subject => ({ subscriber, source: "suite", type, id })
const background = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })

/** Who has the claim of an event. Asking leaves nothing behind. */
const holder = Effect.fnUntraced(function* (claims: Store, subject: Subject) {
  const claim = yield* claims.claim(subject, "onlooker", 1_000)
  if (claim._tag === "Claimed") yield* claims.release(subject, "onlooker")
  return claim._tag
})

for (const ordering of ["none", "key"] as const) {
  describe(`leases, ordering "${ordering}"`, () => {
    it.effect("D6, N17: a handler keeps its claim as long as it runs, and not after its deadline", () =>
      Effect.gen(function* () {
        const { claims, process } = yield* make
        const { bus, subscribe } = yield* process
        const Changed = keyed()
        const name = fresh()
        const end = yield* Deferred.make<void>()
        yield* subscribe(name, {
          events: [Changed],
          ordering,
          idempotent: true,
          deadline: "2 minutes",
          retry: Schedule.recurs(0),
          // It ignores the interruption, too.
          handler: () => Effect.uninterruptible(Deferred.await(end))
        })
        yield* background(bus.publish(Changed, { n: 1, k: "k" }, { id: "long" }))
        const subject = subjectOf(name, Changed.name, "long")
        for (let passed = 0; passed < 115; passed += 5) {
          yield* Stage.pass(Stage.seconds(5), 500)
          assert.strictEqual(yield* holder(claims, subject), "Held", `after ${passed + 5} s`)
        }
        yield* Stage.pass(Stage.seconds(20), 500)
        assert.strictEqual(yield* holder(claims, subject), "Claimed")
        yield* Deferred.succeed(end, undefined)
        yield* Stage.pass(1_000, 100)
      })
    )

    it.effect("D6, N17: all claims of a process are renewed by one call per turn, and none that ends soon", () =>
      Effect.gen(function* () {
        const { claims, processWith } = yield* make
        const renewed: Array<number> = []
        const { bus, subscribe } = yield* processWith({
          ...claims,
          renew: (held, millis) => {
            renewed.push(held.length)
            return claims.renew(held, millis)
          }
        })
        const Changed = keyed()
        const end = yield* Deferred.make<void>()
        const options = { events: [Changed], ordering, idempotent: true, concurrency: 50 } as const
        const ledger = makeLedger()
        for (const _ of upTo(2))
          yield* subscribe(fresh(), {
            ...options,
            handler: (event, info) => (event.data.n < 20 ? Deferred.await(end) : ledger.handler(event, info))
          })
        const publish = (from: number) =>
          background(
            bus.publishAll(
              Changed,
              upTo(20).map((n) => ({ n: from + n, k: `${from + n}` }))
            )
          )
        yield* publish(100)
        yield* Stage.pass(Stage.seconds(20), 500)
        assert.lengthOf(ledger.entries, 40)
        assert.deepStrictEqual(renewed, [])
        yield* publish(0)
        yield* Stage.pass(Stage.seconds(20), 500)
        assert.isTrue(renewed.length >= 7 && renewed.length <= 8, String(renewed))
        assert.deepStrictEqual([...new Set(renewed)], [40])
        yield* Deferred.succeed(end, undefined)
        yield* Stage.pass(Stage.seconds(20), 500)
        assert.isAtMost(renewed.length, 9)
      })
    )

    it.effect("D6, N17: who could not renew in time does not overwrite what another process did since", () =>
      Effect.gen(function* () {
        const { claims, processWith } = yield* make
        let isUp = true
        const { bus, subscribe } = yield* processWith(whileUp(claims, () => isUp))
        const Changed = keyed()
        const name = fresh()
        const fences: Array<number> = []
        const end = yield* Deferred.make<void>()
        yield* subscribe(name, {
          events: [Changed],
          ordering,
          idempotent: true,
          handler: (_, { fence = 0 }) =>
            Effect.andThen(
              Effect.sync(() => fences.push(fence)),
              Deferred.await(end)
            )
        })
        const subject = subjectOf(name, Changed.name, "stalled")
        yield* background(bus.publish(Changed, { n: 1, k: "k" }, { id: "stalled" }))
        yield* Stage.pass(500, 100)
        isUp = false
        yield* Stage.pass(Stage.seconds(11), 500)
        const other = yield* claims.claim(subject, "another process", 60_000)
        assert(other._tag === "Claimed" && other.fence > (fences[0] ?? 0), other._tag)
        isUp = true
        yield* Stage.pass(Stage.seconds(5), 500)
        yield* Deferred.succeed(end, undefined)
        yield* Stage.pass(Stage.seconds(2), 500)
        assert.strictEqual(yield* holder(claims, subject), "Held")
        assert.deepStrictEqual(yield* claims.claim(subject, "another process", 60_000), other)
        assert.isTrue(yield* claims.done(subject, "another process", 60_000))
      })
    )

    it.effect("D1, D6, N17: a process takes an event again at once whose claim it could not give up", () =>
      Effect.gen(function* () {
        const { claims, processWith } = yield* make
        let failing = 1
        const { bus, subscribe } = yield* processWith({
          ...claims,
          release: (subject, claimant) => (failing-- > 0 ? Effect.fail(unavailable) : claims.release(subject, claimant))
        })
        const Changed = keyed()
        const starts: Array<number> = []
        yield* subscribe(fresh(), {
          events: [Changed],
          ordering,
          idempotent: true,
          retry: Schedule.spaced("100 millis"),
          handler: (_, { attempt, fence = 0 }) =>
            Effect.suspend(() => {
              starts.push(fence)
              return attempt === 1 ? Effect.fail("first") : Effect.void
            })
        })
        yield* background(bus.publish(Changed, { n: 1, k: "k" }))
        yield* Stage.pass(1_000, 100)
        assert.lengthOf(starts, 2)
        assert.isAbove(starts[1] ?? 0, starts[0] ?? 0)
      })
    )
  })
}

describe("a key whose first event is claimed elsewhere", () => {
  it.effect("D6, P5: is asked for again within half a second, and ten seconds after a death at the latest", () =>
    Effect.gen(function* () {
      const { claims, process } = yield* make
      const { bus, subscribe } = yield* process
      const Changed = keyed()
      const name = fresh()
      const book = Stage.makeBook()
      for (const id of ["dead", "given up"])
        yield* claims.claim(subjectOf(name, Changed.name, id), "another process", 10_000)
      yield* subscribe(name, { events: [Changed], ordering: "key", idempotent: true, handler: book.note })
      yield* background(bus.publish(Changed, { n: 1, k: "a" }, { id: "dead" }))
      yield* background(bus.publish(Changed, { n: 2, k: "b" }, { id: "given up" }))
      yield* Stage.pass(3_100, 100)
      assert.isEmpty(book.entries)
      yield* claims.release(subjectOf(name, Changed.name, "given up"), "another process")
      yield* Stage.pass(Stage.seconds(10), 100)
      assert.deepStrictEqual(
        book.entries.map(({ attempt, n }) => [n, attempt]),
        [
          [2, 1],
          [1, 1]
        ]
      )
      const [second = 0, first = 0] = book.times()
      assert.isAtMost(second, 3_600)
      assert.isAtMost(first, 10_000)
    })
  )

  it.effect("D6: is named in the log once, and so is a claim that another process took over", () => {
    const { layer, of } = recordedLog()
    return Effect.gen(function* () {
      const claims = yield* MemoryClaims.make
      const Changed = keyed()
      const name = fresh()
      const ports = Layer.mergeAll(
        MemoryBroker.layer({ namespace: "test" }),
        MemoryCache.layer,
        Layer.succeed(ClaimStore, { ...claims, renew: (held) => Effect.succeed(held.map(() => false)) })
      )
      const bus = Context.get(
        yield* Layer.build(Layer.provide(EventBusMake.layerWith({ source: "suite" }), ports)),
        EventBus
      )
      yield* claims.claim(subjectOf(name, Changed.name, "held"), "another process", 8_000)
      yield* bus.subscribe(name, {
        events: [Changed],
        ordering: "key",
        idempotent: true,
        handler: () => Effect.sleep("8 seconds")
      })
      yield* background(bus.publish(Changed, { n: 1, k: "a" }, { id: "held" }))
      yield* Stage.pass(Stage.seconds(20), 250)
      const about = { subscriber: name, event: Changed.name, id: "held" }
      for (const message of [
        "the events of a key wait: another process has claimed the first of them",
        "a claim was not renewed in time: another process handles the event as well"
      ])
        assert.deepStrictEqual(
          of(message).map(({ fields }) => fields),
          [about],
          message
        )
    }).pipe(Effect.provide(layer))
  })
})
