/** The forms of a subscriber: ephemeral, a stream, a layer; bounded memory (P13) and its numbers. */
import { brokerCase, type BrokerCase } from "./BrokerCase.ts"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { shared, start } from "../setup/BusProcess.ts"
import { fresh, keyed, numbered, numbers, upTo } from "../setup/TestEvents.ts"
import { makeLedger } from "../setup/HandlerLedger.ts"
import { statsBecome, until, untilEffect } from "../setup/Waiting.ts"
import { assert } from "../Assert.ts"
import { EventBus } from "../../../bus/EventBus.ts"
import * as Subscriber from "../../../bus/Subscriber.ts"

export const formCases: ReadonlyArray<BrokerCase> = [
  brokerCase(
    "N23: an ephemeral subscriber gets new events only, retries in the process, and drops what it cannot handle",
    () =>
      Effect.gen(function* () {
        const { bus } = yield* shared
        const Happened = numbered()
        const [a, b] = [makeLedger(), makeLedger()]
        yield* bus.publish(Happened, { n: -1 })
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* bus.subscribeEphemeral({ events: [Happened], handler: a.handler })
            const subscription = yield* bus.subscribeEphemeral({
              events: [Happened],
              retry: Schedule.spaced("20 millis").pipe(Schedule.upTo({ times: 1 })),
              handler: (event, info) =>
                Effect.andThen(
                  b.handler(event, info),
                  event.data.n === 1 || (event.data.n === 2 && info.attempt === 1) ? Effect.fail("no") : Effect.void
                )
            })
            yield* bus.publishAll(Happened, numbers(4))
            yield* a.reaches(4)
            yield* b.reaches(6)
            yield* statsBecome(subscription, { held: 0 })
            assert.deepInclude(yield* subscription.stats, { handled: 3, retried: 2, deadLettered: 1 })
          })
        )
        assert.deepStrictEqual(
          [a.sorted(), b.sorted()],
          [
            [0, 1, 2, 3],
            [0, 1, 1, 2, 2, 3]
          ]
        )
        yield* untilEffect(
          () => "its queue is left",
          Effect.map(bus.publish(Happened, { n: 9 }), ({ routed }) => !routed)
        )
      })
  ),
  brokerCase("N23: a stream emits events in order, and a gap when its reader is too slow", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const Happened = keyed()
      // Events of one key have an order.
      const k = "k"
      const items = yield* Queue.unbounded<string>()
      const go = yield* Deferred.make<void>()
      yield* bus.stream([Happened], { buffer: 8 }).pipe(
        Stream.runForEach((item) =>
          Queue.offer(items, item._tag === "Gap" ? "gap" : String(item.event.data.n)).pipe(
            Effect.andThen(item._tag === "Event" && item.event.data.n === 0 ? Deferred.await(go) : Effect.void)
          )
        ),
        Effect.forkScoped
      )
      yield* untilEffect(
        () => "the stream is not there",
        Effect.map(bus.publish(Happened, { n: 0, k }), ({ routed }) => routed === true)
      )
      assert.strictEqual(yield* Queue.take(items), "0")
      const { id } = yield* bus.publish(Happened, { n: 1, k })
      assert.isString(id)
      yield* bus.publishAll(
        Happened,
        numbers(100, 2).map(({ n }) => ({ n, k }))
      )
      yield* bus.publish(Happened, { n: 999, k })
      const slow = makeLedger()
      yield* bus.subscribeEphemeral({ events: [Happened], handler: slow.handler })
      yield* bus.publish(Happened, { n: 1_000, k })
      yield* slow.reaches(1)
      yield* Deferred.succeed(go, undefined)
      const rest: Array<string> = []
      while (rest.at(-1) !== "1000") rest.push(yield* Queue.take(items))
      const heard = rest.filter((item) => item !== "gap").map(Number)
      assert.deepStrictEqual(
        heard,
        heard.toSorted((x, y) => x - y)
      )
      assert.isBelow(heard.length, 100)
      assert.include(rest, "gap")
    })
  ),
  brokerCase("a consumer whose deliveries are settled at once gets more than its prefetch, and none again", () =>
    Effect.gen(function* () {
      const { broker, bus } = yield* shared
      const Happened = numbered()
      const seen: Array<number> = []
      const consumed = broker.consumeEphemeral({
        patterns: [Happened.name],
        isSettled: false,
        prefetch: 2,
        onDelivery: ({ deliveryCount, redelivered }) => seen.push(redelivered ? -1 : deliveryCount),
        onLost: () => {}
      })
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* consumed
          yield* bus.publishAll(Happened, numbers(20))
          yield* until(
            () => `${seen.length} of 20`,
            () => seen.length === 20
          )
        })
      )
      yield* consumed
      yield* bus.publish(Happened, { n: 21 })
      yield* until(
        () => `${seen.length} of 21`,
        () => seen.length === 21
      )
      assert.isTrue(seen.every((count) => count === 0))
    })
  ),
  brokerCase("the bus has the figures of its subscribers, and health probes them", ({ connect }) =>
    Effect.gen(function* () {
      const process = yield* start(connect())
      const Happened = numbered()
      const name = fresh()
      const subscription = yield* process.subscribe(name, { events: [Happened], handler: () => Effect.void })
      assert.deepStrictEqual(
        (yield* process.bus.tree).subscribers.map((one) => one.name),
        [name]
      )
      yield* process.bus.publishAll(Happened, numbers(5))
      yield* statsBecome(subscription, { handled: 5 })
      assert.deepInclude(yield* subscription.stats, { held: 0, inFlight: 0, returns: 0, zombies: 0, lanes: 0 })
      assert.strictEqual((yield* SubscriptionRef.get(subscription.status))._tag, "Running")
      for (const probe of yield* process.internals.probes) {
        const { status } = yield* probe.check
        // Other cases of the namespace have dead letters too.
        if (probe.name === "dead letters") assert.notStrictEqual(status, "down")
        else assert.strictEqual(status, "up", probe.name)
      }
    })
  ),
  brokerCase("a subscriber layer lives as long as its scope and builds the services of its handler once", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const Happened = numbered()
      const ledger = makeLedger()
      let made = 0
      class Mailer extends Context.Service<Mailer, { readonly sent: Array<number> }>()("test/Mailer") {}
      const MailerLive = Layer.effect(
        Mailer,
        Effect.acquireRelease(
          Effect.sync(() => ({ sent: [] as Array<number>, number: ++made })),
          () => Effect.void
        )
      )
      const name = fresh()
      const Greeter = Subscriber.layer(name, {
        events: [Happened],
        handler: (event, info) =>
          Effect.flatMap(Mailer, ({ sent }) =>
            Effect.andThen(
              ledger.handler(event, info),
              Effect.sync(() => sent.push(event.data.n))
            )
          )
      })
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* Layer.build(Greeter.pipe(Layer.provide(MailerLive), Layer.provide(Layer.succeed(EventBus, bus))))
          yield* bus.publishAll(Happened, numbers(20))
          yield* ledger.reaches(20)
        })
      )
      assert.strictEqual(made, 1)
      assert.deepStrictEqual(
        (yield* bus.tree).subscribers.filter((one) => one.name === name),
        []
      )
      yield* bus.publish(Happened, { n: 20 })
      const after = makeLedger()
      yield* bus.subscribe(name, { events: [Happened], handler: after.handler })
      yield* after.reaches(1)
      assert.deepStrictEqual([ledger.sorted(), after.numbers()], [upTo(20), [20]])
    })
  ),
  brokerCase(
    "P13: a subscriber holds at most its prefetch and runs at most its concurrency; the rest stays on the broker",
    () =>
      Effect.gen(function* () {
        const { broker, bus } = yield* shared
        const Happened = numbered()
        const name = fresh()
        const gate = yield* Deferred.make<void>()
        let [running, most, handled] = [0, 0, 0]
        const subscription = yield* bus.subscribe(name, {
          events: [Happened],
          concurrency: 3,
          prefetch: 7,
          handler: () =>
            Effect.sync(() => void (most = Math.max(most, ++running))).pipe(
              Effect.andThen(Deferred.await(gate)),
              Effect.andThen(
                Effect.sync(() => {
                  running--
                  handled++
                })
              )
            )
        })
        yield* bus.publishAll(Happened, numbers(60))
        yield* until(
          () => `${running} running`,
          () => running === 3
        )
        // One more may be held by the slow start, which has a consumer of its own.
        yield* untilEffect(
          () => "not all it may hold",
          Effect.map(broker.depth(name), ({ ready }) => ready === 60 - 7 || ready === 60 - 8)
        )
        assert.isAtMost((yield* subscription.stats).held, 8)
        yield* Deferred.succeed(gate, undefined)
        yield* until(
          () => `${handled} of 60`,
          () => handled === 60
        )
        assert.strictEqual(most, 3)
      })
  )
]
