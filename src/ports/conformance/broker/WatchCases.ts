/** Remembered and live events together: `watch`, and delayed events, which are remembered late. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { EventBus } from "../../../bus/EventBus.ts"
import { until, untilEffect } from "../setup/Waiting.ts"
import { brokerCase, type BrokerCase } from "./BrokerCase.ts"
import { shared, start } from "../setup/BusProcess.ts"
import { fresh, keyed, numbered, upTo } from "../setup/TestEvents.ts"
import { assert } from "../Assert.ts"
import { makeLedger } from "../setup/HandlerLedger.ts"
import * as Event from "../../../event/Event.ts"
import * as WireFormat from "../../../event/WireFormat.ts"

/** Watches into a list until the scope ends. */
const watching = Effect.fnUntraced(function* <A extends { readonly n: number }>(
  bus: EventBus["Service"],
  event: Event.Event<string, A>,
  key?: string
) {
  const seen: Array<A> = []
  const fiber = yield* bus.watch(event, key).pipe(
    Stream.runForEach(({ data }) => Effect.sync(() => void seen.push(data))),
    Effect.forkScoped
  )
  return {
    seen,
    fiber,
    numbers: () => seen.map(({ n }) => n),
    reaches: (n: number) =>
      until(
        () => `${seen.map(({ n }) => n)} has no ${n}`,
        () => seen.some((data) => data.n === n)
      )
  }
})

export const watchCases: ReadonlyArray<BrokerCase> = [
  brokerCase(
    "N23: watch emits the last event, then each live one of its key; all watchers share one subscription",
    ({ connect }) =>
      Effect.gen(function* () {
        const { bus, subscriptions } = yield* Effect.map(start(connect()), (process) => ({
          ...process,
          subscriptions: Effect.map(process.bus.tree, ({ subscribers }) => subscribers.length)
        }))
        const Changed = keyed()
        yield* bus.publish(Changed, { n: 0, k: "a" })
        yield* bus.publish(Changed, { n: 100, k: "b" })
        yield* Effect.scoped(
          Effect.gen(function* () {
            const [one, two, other, none] = [
              yield* watching(bus, Changed, "a"),
              yield* watching(bus, Changed, "a"),
              yield* watching(bus, Changed, "b"),
              yield* watching(bus, Changed, "c")
            ]
            yield* Effect.all([one.reaches(0), two.reaches(0), other.reaches(100)])
            assert.strictEqual(yield* subscriptions, 1)
            for (const n of upTo(30)) {
              yield* bus.publish(Changed, { n: n + 1, k: "a" })
              if (n % 10 === 0) yield* bus.publish(Changed, { n: 101 + n, k: "b" })
            }
            yield* Effect.all([one.reaches(30), two.reaches(30), other.reaches(121)])
            for (const watcher of [one, two]) assert.deepStrictEqual(watcher.numbers(), upTo(31))
            assert.deepStrictEqual(other.numbers(), [100, 101, 111, 121])
            assert.deepStrictEqual(none.seen, [])
            // A later watcher begins with the last event of that time.
            const late = yield* watching(bus, Changed, "a")
            yield* late.reaches(30)
            assert.deepStrictEqual(late.numbers(), [30])
            yield* Fiber.interrupt(one.fiber)
            yield* bus.publish(Changed, { n: 31, k: "a" })
            yield* late.reaches(31)
            assert.deepStrictEqual(one.numbers(), upTo(31))
          })
        )
        yield* untilEffect(
          () => "its subscription is left",
          Effect.map(subscriptions, (count) => count === 0)
        )
      })
  ),
  brokerCase("watch decodes remembered and live events by the contract that asks", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const name = fresh("grown")
      const V1 = Schema.Struct({ n: Schema.Finite })
      const V2 = Schema.Struct({ n: Schema.Finite, unit: Schema.String })
      const Old = Event.make(name, { version: 1, data: V1 })
      const previous = [{ version: 1, data: V1, up: (old: typeof V1.Type) => ({ ...old, unit: "percent" }) }] as const
      const New = Event.make(name, { version: 2, data: V2, previous })
      yield* bus.publish(Old, { n: 1 })
      const watcher = yield* watching(bus, New)
      yield* watcher.reaches(1)
      yield* bus.publish(Old, { n: 2 })
      yield* watcher.reaches(2)
      yield* bus.publish(New, { n: 3, unit: "points" })
      yield* watcher.reaches(3)
      assert.deepStrictEqual(
        watcher.seen.map(({ unit }) => unit),
        ["percent", "percent", "points"]
      )
    })
  ),
  brokerCase("N23: watch takes events of two sources with one id for two events", ({ connect }) =>
    Effect.gen(function* () {
      const [north, south] = [
        yield* start(connect({ source: "shop-north" })),
        yield* start(connect({ source: "shop-south" }))
      ]
      const Changed = keyed()
      const watcher = yield* watching(north.bus, Changed, "a")
      yield* untilEffect(
        () => "nobody is there",
        Effect.map(north.bus.publish(Changed, { n: 0, k: "b" }), ({ routed }) => routed === true)
      )
      yield* north.bus.publish(Changed, { n: 1, k: "a" }, { id: "17" })
      yield* watcher.reaches(1)
      yield* south.bus.publish(Changed, { n: 2, k: "a" }, { id: "17" })
      yield* watcher.reaches(2)
      assert.deepStrictEqual(watcher.numbers(), [1, 2])
    })
  ),
  brokerCase("watch ends with the bus; an event without a cache is watched live", ({ connect }) =>
    Effect.gen(function* () {
      const process = yield* start(connect())
      const Fleeting = Event.make(fresh(), { version: 1, data: Schema.Struct({ n: Schema.Finite }), cache: false })
      yield* process.bus.publish(Fleeting, { n: 0 })
      const watcher = yield* watching(process.bus, Fleeting)
      yield* untilEffect(
        () => "nobody is there",
        Effect.map(process.bus.publish(Fleeting, { n: 1 }), ({ routed }) => routed === true)
      )
      yield* watcher.reaches(1)
      yield* process.stop
      yield* Fiber.join(watcher.fiber)
      assert.notInclude(watcher.numbers(), 0)
    })
  ),
  brokerCase("N23: watch is complete after a lost connection: missed events are read from the cache", ({ network }) =>
    Effect.gen(function* () {
      const { connect, cut, mend } = yield* network
      const process = yield* start(connect())
      const Changed = keyed()
      yield* process.bus.publish(Changed, { n: 0, k: "a" })
      const watcher = yield* watching(process.bus, Changed, "a")
      yield* watcher.reaches(0)
      yield* cut
      // Another process published it, and wrote it to the cache.
      const time = Date.now()
      const head = { id: "id", time, key: "a", correlationId: undefined, causationId: undefined, actor: undefined }
      const body = Buffer.from(WireFormat.encoder(Changed, "other")(head, { n: 1, k: "a" }))
      process.store.write({ event: Changed.name, key: "a", id: "id", time, body, settings: {} })
      yield* mend
      yield* watcher.reaches(1)
      yield* untilEffect(
        () => "not back",
        Effect.map(process.bus.publish(Changed, { n: 2, k: "a" }), ({ routed }) => routed === true)
      )
      yield* watcher.reaches(2)
      const numbers = watcher.numbers()
      assert.deepStrictEqual(numbers.slice(0, 2), [0, 1])
      assert.isTrue(numbers.slice(2).every((n) => n === 2))
    })
  ),
  brokerCase("N28: a delayed event is remembered once, at its delivery, and not by its copies", ({ connect }) =>
    Effect.gen(function* () {
      const process = yield* start(connect())
      const Happened = numbered()
      const ledgers = upTo(2).map(makeLedger)
      for (const ledger of ledgers) {
        yield* process.subscribe(fresh(), {
          events: [Happened],
          handler: (event, info) =>
            Effect.andThen(ledger.handler(event, info), info.attempt === 1 ? Effect.fail("again") : Effect.void)
        })
      }
      const watcher = yield* watching(process.bus, Happened)
      const { id } = yield* process.bus.publish(Happened, { n: 1 }, { delay: "1 second" })
      assert.isTrue(Option.isNone(yield* process.cache.last(Happened)))
      for (const ledger of ledgers) yield* ledger.reaches(1)
      const last = Option.getOrThrow(yield* process.cache.last(Happened))
      assert.deepStrictEqual([last.id, last.data.n], [id, 1])
      assert.deepStrictEqual(ledgers[0]?.entries[0]?.info.headers, {})
      yield* watcher.reaches(1)
      // No copy of it is written.
      const { store } = process
      const write = store.write
      const writes: Array<string> = []
      const spy: typeof write = (entry) => {
        if (entry.event === Happened.name) writes.push(entry.id)
        write(entry)
      }
      Object.assign(store, { write: spy })
      for (const ledger of ledgers) yield* ledger.reaches(2)
      assert.deepStrictEqual(writes, [])
      assert.strictEqual((yield* process.cache.history(Happened)).length, 1)
      assert.deepStrictEqual(watcher.numbers(), [1])
    })
  )
]
