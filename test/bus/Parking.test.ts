/** What is parked through hours, deaths and takeovers: in order, not early, not lost (P3, P5, P6, P7). */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Effect, Exit, Layer, Schedule, Scope, SubscriptionRef } from "effect"
import { Broker, type SendOutcome } from "../../src/bus/Broker.ts"
import * as MemoryBroker from "../../src/memory/MemoryBroker.ts"
import * as MemoryCache from "../../src/memory/MemoryCache.ts"
import type { MemoryServer } from "../../src/memory/MemoryServer.ts"
import { type Entry, fresh, keyed, processOver, start, upTo } from "../suites/Workbench.ts"
import * as Stage from "./Stage.ts"

type Tamper = (broker: Broker["Service"]) => Partial<Broker["Service"]>

/** A process that can die: its line to the broker is cut before anything else of it ends. */
const mortal = Effect.fnUntraced(function* (server: MemoryServer["Service"], tamper: Tamper = () => ({})) {
  const line = yield* Scope.make()
  const context = yield* Layer.buildWithScope(MemoryBroker.layerOf(server, { namespace: "test" }), line)
  const broker = Context.get(context, Broker)
  const ports = Layer.merge(Layer.succeed(Broker, { ...broker, ...tamper(broker) }), MemoryCache.layer)
  const process = yield* Stage.runningOut(start(processOver(ports)))
  return { ...process, die: Scope.close(line, Exit.void) }
})

/** From its copy `nth` on a process hears nothing of what it parks, until its line is cut. */
const deafFrom = (nth: number) => {
  let copies = 0
  let isCut = false
  const unheard: Array<(outcome: SendOutcome) => void> = []
  const tamper: Tamper = (broker) => ({
    send: (message, done) => {
      if (message.to._tag !== "Parked" || ++copies < nth || isCut) return broker.send(message, done)
      unheard.push(done)
      broker.send(message, () => {})
    }
  })
  return {
    tamper,
    copies: () => copies,
    cut: Effect.sync(() => {
      isCut = true
      for (const done of unheard.splice(0)) done({ _tag: "Lost" })
    })
  }
}

const isRising = (numbers: ReadonlyArray<number>): boolean =>
  numbers.every((n, at) => at === 0 || n > (numbers[at - 1] ?? n))
const pairs = (count: number, k = "a", from = 0) => upTo(count).map((n) => ({ n: from + n, k }))

describe("parking", () => {
  it.effect("P6, P7: waits for hours, through renewals of its consumer, and is not early", () =>
    Effect.gen(function* () {
      const { bus } = yield* Stage.make
      const Changed = keyed()
      const book = Stage.makeBook()
      const subscription = yield* bus.subscribe(fresh(), {
        events: [Changed],
        ordering: "key",
        onBlocked: "park",
        retry: Schedule.spaced("3 hours"),
        handler: (event, info) =>
          Effect.andThen(
            book.note(event, info),
            event.data.n === 0 && info.attempt < 3 ? Effect.fail("no") : Effect.void
          )
      })
      yield* bus.publishAll(Changed, pairs(5))
      yield* Stage.pass(Stage.seconds(5), 1000)
      assert.deepStrictEqual(
        book.entries.map(({ attempt, n }) => [n, attempt]),
        [[0, 1]]
      )
      const [first] = book.times()
      yield* bus.publish(Changed, { n: 5, k: "a" })
      yield* Stage.pass(Stage.hours(6) + Stage.seconds(60), Stage.seconds(10))
      assert.deepStrictEqual(
        book.entries.map(({ attempt, n }) => [n, attempt]),
        [[0, 1], [0, 2], [0, 3], ...upTo(5).map((n) => [n + 1, 1])]
      )
      const at = book.times()
      assert.isAtLeast((at[1] ?? 0) - (first ?? 0), Stage.hours(3))
      assert.isAtLeast((at[2] ?? 0) - (at[1] ?? 0), Stage.hours(3))
      assert.isAtMost((at[2] ?? 0) - (first ?? 0), Stage.hours(6) + Stage.seconds(60))
      const { handled, held, parked, returns } = yield* subscription.stats
      assert.deepStrictEqual({ handled, held, parked, returns }, { handled: 6, held: 0, parked: 0, returns: 0 })
    })
  )

  it.effect("a keyed Schedule above ten minutes is refused without parking, and parking without order", () =>
    Effect.gen(function* () {
      const { bus } = yield* Stage.make
      const Changed = keyed()
      const base = { events: [Changed], handler: () => Effect.void } as const
      const long = yield* Effect.flip(
        bus.subscribe(fresh(), { ...base, ordering: "key", retry: Schedule.spaced("11 minutes") })
      )
      assert.match(long.message, /onBlocked "park"/)
      const loose = yield* Effect.flip(bus.subscribe(fresh(), { ...base, onBlocked: "park" }))
      assert.match(loose.message, /onBlocked/)
    })
  )

  it.effect("P6: who takes over hears of what is parked within half a minute, although nothing is published", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make
      const Changed = keyed()
      const name = fresh()
      const book = Stage.makeBook()
      const options = {
        events: [Changed],
        ordering: "key",
        onBlocked: "park",
        retry: Schedule.spaced("20 minutes"),
        handler: (event: Entry["event"], info: Entry["info"]) =>
          Effect.andThen(
            book.note(event, info),
            info.attempt === 1 && event.data.n === 0 ? Effect.fail("no") : Effect.void
          )
      } as const
      const one = yield* mortal(stage.server)
      yield* one.subscribe(name, options)
      const two = yield* mortal(stage.server)
      const standby = yield* two.subscribe(name, options)
      yield* stage.bus.publishAll(Changed, pairs(3))
      yield* Stage.pass(Stage.seconds(5), 500)
      assert.strictEqual(book.entries.length, 1)
      yield* one.die
      yield* Stage.pass(Stage.seconds(40), 500)
      assert.strictEqual((yield* standby.stats).parked, 3)
      yield* Stage.pass(Stage.minutes(20), Stage.seconds(5))
      assert.deepStrictEqual(
        book.entries.map(({ attempt, n }) => [n, attempt]),
        [
          [0, 1],
          [0, 2],
          [1, 1],
          [2, 1]
        ]
      )
      const at = book.times()
      assert.isAtLeast((at[1] ?? 0) - (at[0] ?? 0), Stage.minutes(20))
    })
  )

  it.effect("P3, P6: in order and not lost, whenever a process dies, by failures of any length", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make
      const Changed = keyed()
      const name = fresh()
      const keys = 5
      const count = 300
      const tries = new Map<number, number>()
      const handled: Array<number> = []
      const running = new Map<string, symbol>()
      const overlaps: Array<string> = []
      const living = new Set<symbol>()
      const begin = Effect.gen(function* () {
        const self = Symbol("process")
        const one = yield* mortal(stage.server)
        living.add(self)
        yield* one.subscribe(name, {
          events: [Changed],
          ordering: "key",
          onBlocked: "park",
          prefetch: 20,
          retry: (error: string | object) =>
            error === "short"
              ? Schedule.spaced("300 millis")
              : error === "long"
                ? Schedule.spaced("12 minutes")
                : Schedule.spaced("4 seconds"),
          handler: ({ data: { k, n } }) =>
            Effect.gen(function* () {
              const other = running.get(k)
              if (other !== undefined && living.has(other)) overlaps.push(`${k} at ${n}`)
              running.set(k, self)
              yield* Effect.sleep(10)
              if (!living.has(self)) return
              const times = (tries.get(n) ?? 0) + 1
              tries.set(n, times)
              if (n % 7 === 3 && times <= 2) return yield* Effect.fail("short")
              if (n % 23 === 5 && times <= 2) return yield* Effect.fail("medium")
              if (n % 41 === 11 && times <= 2) return yield* Effect.fail("long")
              handled.push(n)
            }).pipe(Effect.ensuring(Effect.sync(() => void (running.get(k) === self && running.delete(k)))))
        })
        return Effect.suspend(() => {
          living.delete(self)
          return one.die
        })
      })
      const deaths: Array<Effect.Effect<void>> = [yield* begin, yield* begin]
      for (const round of upTo(30)) {
        yield* stage.bus
          .publishAll(
            Changed,
            upTo(count / 30).map((n) => ({ n: (round * count) / 30 + n, k: `k${n % keys}` }))
          )
          .pipe(Effect.forkChild({ startImmediately: true }))
        yield* Stage.pass(100 + round * 37, 10)
        const death = deaths.shift()
        if (round % 3 === 0 && death !== undefined) {
          yield* death
          deaths.push(yield* begin)
        } else if (death !== undefined) deaths.push(death)
        yield* Stage.pass(round % 5 === 0 ? 5_000 : 500, 50)
      }
      for (let round = 0; round < 400 && new Set(handled).size < count; round++)
        yield* Stage.pass(Stage.minutes(1), 2_000)
      assert.deepStrictEqual(
        [...new Set(handled)].toSorted((a, b) => a - b),
        upTo(count)
      )
      for (const k of upTo(keys)) {
        const lane = [...new Set(handled.filter((n) => (n % 10) % keys === k))]
        assert.isTrue(isRising(lane), `out of order: ${lane}`)
      }
      assert.deepStrictEqual(overlaps, [])
      assert.strictEqual(yield* stage.letters.count(name), 0)
    })
  )

  it.effect("C11, P3: a parked event that kills its process ends as a CrashLoop, and takes nobody along", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make
      const Changed = keyed()
      const name = fresh()
      const living = new Set<symbol>()
      const handled: Array<number> = []
      let deaths = 0
      let deadly = false
      const begin = Effect.gen(function* () {
        const self = Symbol("process")
        const one = yield* mortal(stage.server)
        living.add(self)
        const die = Effect.suspend(() => {
          living.delete(self)
          deaths++
          return one.die
        })
        yield* one.subscribe(name, {
          events: [Changed],
          ordering: "key",
          onBlocked: "park",
          retry: Schedule.spaced("15 minutes"),
          handler: ({ data: { n } }) =>
            Effect.gen(function* () {
              if (n === 0 && deadly) {
                yield* Effect.forkDetach(die)
                return yield* Effect.never
              }
              if (n === 0) return yield* Effect.fail("not now")
              yield* Effect.sleep(5)
              if (living.has(self)) handled.push(n)
            })
        })
      })
      yield* begin
      yield* stage.bus.publishAll(Changed, pairs(10))
      yield* Stage.pass(Stage.seconds(5), 100)
      deadly = true
      yield* stage.bus.publishAll(Changed, pairs(10, "b", 100))
      for (let round = 0; round < 60 && (yield* stage.letters.count(name)) === 0; round++) {
        if (living.size === 0) yield* begin
        yield* Stage.pass(Stage.minutes(1), 5_000)
      }
      yield* Stage.pass(Stage.minutes(1), 1_000)
      const letters = yield* stage.letters.list(name)
      assert.deepStrictEqual(
        letters.map(({ body, reason }) => [reason, JSON.parse(body.toString()).data.n]),
        [["CrashLoop", 0]]
      )
      assert.isAtMost(deaths, 9)
      assert.deepStrictEqual(
        [...new Set(handled)].toSorted((a, b) => a - b),
        [...upTo(9).map((n) => n + 1), ...upTo(10).map((n) => 100 + n)]
      )
    })
  )

  it.effect("P5, P13: no more than 10,000 are parked: then the head is given up, and the key goes on", () =>
    Effect.gen(function* () {
      const { bus, letters } = yield* Stage.make
      const Changed = keyed()
      const name = fresh()
      const handled: Array<number> = []
      const subscription = yield* bus.subscribe(name, {
        events: [Changed],
        ordering: "key",
        onBlocked: "park",
        prefetch: 20,
        retry: Schedule.spaced("1 day"),
        handler: ({ data: { n } }) => (n === 0 ? Effect.fail("not now") : Effect.sync(() => void handled.push(n)))
      })
      yield* bus.publish(Changed, { n: 0, k: "a" })
      yield* Stage.pass(1000, 100)
      const most = 10_000
      yield* Effect.forkChild(bus.publishAll(Changed, pairs(most + 50, "a", 1)), { startImmediately: true })
      for (let round = 0; round < 400 && handled.length < most + 50; round++) yield* Stage.pass(100, 50)
      assert.deepStrictEqual(
        handled,
        upTo(most + 50).map((n) => n + 1)
      )
      assert.deepStrictEqual(
        (yield* letters.list(name)).map(({ attempts, error, reason }) => [reason, attempts, error.message]),
        [["LaneFull", 1, "not now"]]
      )
      yield* Stage.pass(1000, 100)
      assert.strictEqual((yield* subscription.stats).parked, 0)
    })
  )

  it.effect("P3: what was parked before is handled although nothing is parked any more", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make
      const Changed = keyed()
      const name = fresh()
      const book = Stage.makeBook()
      const one = yield* mortal(stage.server)
      const base = { events: [Changed], ordering: "key" } as const
      yield* one.subscribe(name, {
        ...base,
        onBlocked: "park",
        retry: Schedule.spaced("20 minutes"),
        handler: () => Effect.fail("not now")
      })
      yield* stage.bus.publishAll(Changed, pairs(3))
      yield* Stage.pass(Stage.seconds(2), 100)
      yield* one.die
      const two = yield* mortal(stage.server)
      yield* two.subscribe(name, { ...base, handler: book.note })
      yield* Stage.pass(Stage.minutes(21), Stage.seconds(2))
      assert.deepStrictEqual(
        book.entries.map(({ n }) => n),
        [0, 1, 2]
      )
      assert.isAtLeast(book.times()[0] ?? 0, Stage.minutes(20))
      assert.isAbove(yield* Clock.currentTimeMillis, 0)
    })
  )

  /** Fails whatever `fails` says, until it is told not to. */
  const moody = (fails: (n: number, attempt: number) => boolean, after: "20 minutes" | "5 minutes" = "20 minutes") => {
    const book = Stage.makeBook()
    const Changed = keyed()
    const options = {
      events: [Changed],
      ordering: "key",
      onBlocked: "park",
      prefetch: 8,
      retry: Schedule.spaced(after),
      handler: (event: Entry["event"], info: Entry["info"]) =>
        Effect.andThen(book.note(event, info), fails(event.data.n, info.attempt) ? Effect.fail("not now") : Effect.void)
    } as const
    return { book, Changed, options, tried: () => book.entries.map(({ attempt, n }) => [n, attempt]) }
  }

  it.effect("P6, P7: a head that failed again is still the head, for whoever takes over", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make
      const name = fresh()
      const { Changed, options, tried } = moody((n, attempt) => n === 0 && attempt < 3)
      const one = yield* mortal(stage.server)
      yield* one.subscribe(name, options)
      yield* stage.bus.publishAll(Changed, pairs(4))
      yield* Stage.pass(Stage.minutes(21), Stage.seconds(5))
      assert.deepStrictEqual(tried(), [
        [0, 1],
        [0, 2]
      ])
      // Its copy stands behind all others of the queue now.
      yield* one.die
      const two = yield* mortal(stage.server)
      yield* two.subscribe(name, options)
      yield* Stage.pass(Stage.minutes(21), Stage.seconds(5))
      assert.deepStrictEqual(tried().slice(2), [
        [0, 3],
        [1, 1],
        [2, 1],
        [3, 1]
      ])
    })
  )

  it.effect(
    "P3, P6: a process that dies between a copy and its acknowledgement leaves no second one, and no disorder",
    () =>
      Effect.gen(function* () {
        const stage = yield* Stage.make
        const name = fresh()
        const { Changed, options, tried } = moody((n, attempt) => n === 0 && attempt < 3)
        // Two are moved; it never hears that the third copy is stored.
        const deaf = deafFrom(3)
        const one = yield* mortal(stage.server, deaf.tamper)
        yield* one.subscribe(name, options)
        yield* stage.bus.publishAll(Changed, pairs(6))
        yield* Stage.pass(Stage.seconds(10), 500)
        assert.strictEqual(deaf.copies(), 3)
        yield* one.die
        yield* deaf.cut
        const two = yield* mortal(stage.server)
        const subscription = yield* two.subscribe(name, options)
        yield* Stage.pass(Stage.minutes(42), Stage.seconds(5))
        assert.deepStrictEqual(tried(), [[0, 1], [0, 2], [0, 3], ...upTo(5).map((n) => [n + 1, 1])])
        const { duplicates, handled, held } = yield* subscription.stats
        assert.deepStrictEqual({ duplicates, handled, held }, { duplicates: 1, handled: 6, held: 0 })
      })
  )

  it.effect("P6, P7: of two copies of a head the one that knows more counts", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make
      const name = fresh()
      const { Changed, options, tried } = moody((n, attempt) => n === 0 && attempt < 3)
      // The third is the head, which failed once more.
      const deaf = deafFrom(3)
      const one = yield* mortal(stage.server, deaf.tamper)
      yield* one.subscribe(name, options)
      yield* stage.bus.publishAll(Changed, pairs(2))
      yield* Stage.pass(Stage.minutes(21), Stage.seconds(5))
      assert.strictEqual(deaf.copies(), 3)
      yield* one.die
      yield* deaf.cut
      const two = yield* mortal(stage.server)
      const subscription = yield* two.subscribe(name, options)
      yield* Stage.pass(Stage.minutes(21), Stage.seconds(5))
      assert.deepStrictEqual(tried(), [
        [0, 1],
        [0, 2],
        [0, 3],
        [1, 1]
      ])
      assert.strictEqual((yield* subscription.stats).parked, 0)
    })
  )

  it.effect("P6: nothing runs while another one still has what is parked", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make
      const name = fresh()
      const { Changed, options, tried } = moody((n, attempt) => n === 0 && attempt < 2, "5 minutes")
      const one = yield* mortal(stage.server)
      yield* one.subscribe(name, { ...options, retry: Schedule.spaced("11 minutes") })
      yield* stage.bus.publishAll(Changed, pairs(3))
      yield* Stage.pass(Stage.seconds(5), 500)
      const line = yield* Scope.make()
      yield* one.die
      // As if the broker had not noticed its end yet.
      yield* stage.broker
        .consume({ subscriber: name, queue: "parked", prefetch: 10, onDelivery: () => {}, onLost: () => {} })
        .pipe(Scope.provide(line))
      const two = yield* mortal(stage.server)
      yield* two.subscribe(name, options)
      yield* stage.bus.publishAll(Changed, pairs(3, "a", 3))
      yield* Stage.pass(Stage.minutes(12), Stage.seconds(5))
      assert.deepStrictEqual(tried(), [[0, 1]])
      yield* Scope.close(line, Exit.void)
      yield* Stage.pass(Stage.minutes(1), Stage.seconds(1))
      assert.deepStrictEqual(tried(), [[0, 1], [0, 2], ...upTo(5).map((n) => [n + 1, 1])])
    })
  )

  it.effect("P6, P11: a lost consumer of the parked queue lets nothing of its keys pass", () =>
    Effect.gen(function* () {
      const { bus, server } = yield* Stage.make
      const name = fresh()
      const { Changed, options, tried } = moody((n, attempt) => n === 0 && attempt < 2)
      const slow = {
        ...options,
        handler: (event: Entry["event"], info: Entry["info"]) =>
          Effect.andThen(options.handler(event, info), Effect.sleep(100))
      }
      const subscription = yield* bus.subscribe(name, slow)
      yield* bus.publishAll(Changed, pairs(6))
      yield* Stage.pass(Stage.minutes(20) + 200, Stage.seconds(5))
      // Its lane is at work, and events of its key stand behind what is parked.
      yield* Effect.forkChild(bus.publishAll(Changed, pairs(6, "a", 6)), { startImmediately: true })
      yield* Stage.pass(50, 10)
      server.cancelConsumers(name, "parked")
      yield* Stage.pass(Stage.minutes(5), 100)
      const order = tried().map(([n]) => n)
      assert.isTrue(isRising([...new Set(order)].map(Number)), `${order}`)
      assert.strictEqual(new Set(order).size, 12)
      assert.isAbove((yield* subscription.stats).handled, 0)
    })
  )

  it.effect("P6: what is published while the consumer is renewed stays behind what is parked", () =>
    Effect.gen(function* () {
      const { bus } = yield* Stage.make
      const name = fresh()
      const { Changed, options, tried } = moody((n, attempt) => n === 0 && attempt < 2)
      yield* bus.subscribe(name, options)
      yield* bus.publishAll(Changed, pairs(2))
      yield* Stage.pass(Stage.minutes(9) + Stage.seconds(58), Stage.seconds(1))
      // One at each turn of the loop, over the moment of the renewal.
      const many = 400
      yield* Effect.forkChild(
        Effect.forEach(upTo(many), (n) => bus.publish(Changed, { n: n + 2, k: "a" }), { discard: true }),
        { startImmediately: true }
      )
      yield* Stage.pass(Stage.seconds(4), 20)
      yield* Stage.pass(Stage.minutes(12), Stage.seconds(1))
      assert.deepStrictEqual(tried(), [[0, 1], [0, 2], ...upTo(many + 1).map((n) => [n + 1, 1])])
    })
  )

  it.effect("P6, P11: who is not active any more gives up what is parked; who is active now has it", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make
      const name = fresh()
      const { Changed, options, tried } = moody((n, attempt) => n === 0 && attempt < 2)
      const one = yield* mortal(stage.server)
      const first = yield* one.subscribe(name, options)
      const two = yield* mortal(stage.server)
      const second = yield* two.subscribe(name, options)
      yield* stage.bus.publishAll(Changed, pairs(3))
      yield* Stage.pass(Stage.seconds(5), 500)
      assert.strictEqual((yield* first.stats).parked, 3)
      // Both come back as consumers; the other may be the first of them.
      for (let round = 0; round < 20 && (yield* second.stats).parked === 0; round++) {
        stage.server.cancelConsumers(name, "own")
        yield* Stage.pass(Stage.seconds(40), 500)
      }
      assert.deepStrictEqual([(yield* first.stats).parked, (yield* second.stats).parked], [0, 3])
      yield* Stage.pass(Stage.minutes(20), Stage.seconds(5))
      assert.deepStrictEqual(tried(), [
        [0, 1],
        [0, 2],
        [1, 1],
        [2, 1]
      ])
    })
  )

  it.effect("P11, P13: who lost its consumer holds nothing of what stood behind a parked key", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make
      const name = fresh()
      const { Changed, options, tried } = moody((n, attempt) => n === 0 && attempt < 2)
      const deaf = deafFrom(1)
      const one = yield* mortal(stage.server, deaf.tamper)
      const first = yield* one.subscribe(name, options)
      const two = yield* mortal(stage.server)
      yield* two.subscribe(name, options)
      yield* stage.bus.publishAll(Changed, pairs(4))
      yield* Stage.pass(Stage.seconds(2), 100)
      // All of them, and the copy of the head, of which it does not know that it is stored.
      assert.strictEqual((yield* first.stats).held, 5)
      stage.server.cancelConsumers(name, "own")
      yield* deaf.cut
      yield* Stage.pass(Stage.minutes(45), Stage.seconds(5))
      assert.strictEqual((yield* first.stats).held, 0)
      assert.strictEqual((yield* SubscriptionRef.get(first.status))._tag, "Running")
      const order = [...new Set(tried().map(([n]) => n))]
      assert.deepStrictEqual(order, [0, 1, 2, 3])
    })
  )

  it.effect("C11, P3: a killer beside what is parked is found, and what is parked is not taken for it", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make
      const name = fresh()
      const { Changed, options, tried } = moody((n, attempt) => n === 0 && attempt < 2)
      let alive = false
      const begin = Effect.gen(function* () {
        const one = yield* mortal(stage.server)
        alive = true
        const die = Effect.suspend(() => {
          alive = false
          return one.die
        })
        yield* one.subscribe(name, {
          ...options,
          handler: (event: Entry["event"], info: Entry["info"]) =>
            event.data.n === 50
              ? Effect.andThen(Effect.forkDetach(die), Effect.never)
              : Effect.suspend(() => options.handler(event, info))
        })
      })
      yield* begin
      yield* stage.bus.publishAll(Changed, pairs(5))
      yield* Stage.pass(Stage.minutes(19) + Stage.seconds(50), Stage.seconds(5))
      yield* stage.bus.publish(Changed, { n: 50, k: "b" })
      for (let round = 0; round < 100 && (yield* stage.letters.count(name)) === 0; round++) {
        if (!alive) yield* begin
        yield* Stage.pass(Stage.seconds(5), 500)
      }
      yield* Stage.pass(Stage.minutes(2), Stage.seconds(1))
      assert.deepStrictEqual(
        (yield* stage.letters.list(name)).map(({ body, reason }) => [reason, JSON.parse(body.toString()).data.n]),
        [["CrashLoop", 50]]
      )
      const lane = [...new Set(tried().map(([n]) => n))]
      assert.deepStrictEqual(lane.map(Number), upTo(5))
    })
  )
})
