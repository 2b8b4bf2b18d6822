/** A publish that the user has no right to: what becomes of it, of what was published beside it, and when the right is given. */
import { assert, it } from "@effect/vitest"
import { Clock, Effect, Layer, Schema } from "effect"
import * as AmqpBroker from "../../src/amqp/AmqpBroker.ts"
import * as Event from "../../src/event/Event.ts"
import * as MemoryCache from "../../src/memory/MemoryCache.ts"
import { processOver, start } from "../../src/ports/conformance/setup/BusProcess.ts"
import { makeLedger } from "../../src/ports/conformance/setup/HandlerLedger.ts"
import { fresh, upTo } from "../../src/ports/conformance/setup/TestEvents.ts"
import { describeLive, freshNamespace } from "../support/live.ts"
import { ownRabbit } from "../support/OwnRabbit.ts"

const Numbered = Schema.Struct({ n: Schema.Finite, k: Schema.String })
const contract = (name: string) => Event.make(name, { version: 1, data: Numbered, key: ({ k }) => k })
const Allowed = contract("ok.moved")
const Denied = contract("bad.moved")
/** The broker cuts the text of its refusal. */
const Long = contract(`bad.${"long-name-".repeat(19)}x`)

/** No deadline passes. */
const options = { timeout: "1 hour" } as const

describeLive(
  "a publish without the right to",
  () => {
    const own = ownRabbit()

    const stage = Effect.fnUntraced(function* (topics: string, write = ".*", publishChannels = 1) {
      const node = own()
      const namespace = freshNamespace()
      const user = `limited-${namespace}`
      const over = (url: string, more: Partial<Parameters<typeof AmqpBroker.layer>[0]> = {}) =>
        processOver(
          Layer.merge(AmqpBroker.layer({ servers: url, namespace, source: "denied", ...more }), MemoryCache.layer)
        )
      const owner = yield* start(over(node.url))
      const allow = (pattern: string) =>
        Effect.promise(() => node.ctl("set_topic_permissions", user, `${namespace}.events`, pattern, ".*"))
      const url = yield* Effect.promise(() => node.addUser(user, "pw", { write }))
      yield* allow(topics)
      const real = yield* Clock.Clock
      let ahead = 0
      const clock: typeof real = Object.assign(Object.create(real), {
        currentTimeMillisUnsafe: () => real.currentTimeMillisUnsafe() + ahead
      })
      const limited = yield* start(over(url, { topology: "verify", publishChannels })).pipe(
        Effect.provideService(Clock.Clock, clock)
      )
      const outcome = <A>(event: Event.Event<string, A>, data: A) =>
        limited.bus.publish(event, data, options).pipe(
          Effect.match({
            onFailure: ({ reason }) => (reason._tag === "Denied" ? reason.message : reason._tag),
            onSuccess: () => "Confirmed"
          })
        )
      return { owner, allow, outcome, user, namespace, passes: (millis: number) => void (ahead += millis) }
    })

    it.live("P2, P6: is Denied at once, also the first time; what was published beside it is confirmed, in order", () =>
      Effect.gen(function* () {
        const { namespace, outcome, owner, user } = yield* stage("^ok\\.")
        const ledger = makeLedger()
        yield* owner.bus.subscribe(fresh(), { events: [Allowed], handler: ledger.handler })
        const publish = (n: number) => outcome(n % 3 === 2 ? Denied : Allowed, { n, k: `k${n % 2}` })
        const denied = `denied by the broker, nothing was stored: user "${user}" has no permission for topic bad.moved in exchange ${namespace}.events (write): grant it with rabbitmqctl set_topic_permissions`
        for (const round of [0, 1]) {
          const said = yield* Effect.forEach(
            upTo(60).map((n) => n + 60 * round),
            publish,
            { concurrency: "unbounded" }
          )
          assert.deepStrictEqual(
            said,
            said.map((_, n) => ((n + 60 * round) % 3 === 2 ? denied : "Confirmed"))
          )
        }
        yield* ledger.reaches(80)
        for (const k of ["k0", "k1"]) {
          const numbers = ledger.entries.filter(({ event }) => event.data.k === k).map(({ event }) => event.data.n)
          const once = [...new Set(numbers)]
          assert.deepStrictEqual(
            once,
            once.toSorted((a, b) => a - b),
            "order"
          )
          assert.strictEqual(once.length, 40)
        }
      })
    )

    it.live("P2: a long topic is Denied too, though the broker cuts its name", () =>
      Effect.gen(function* () {
        const { outcome } = yield* stage("^ok\\.")
        const said = yield* Effect.forEach(
          [Allowed, Long, Allowed, Long],
          (event) => outcome(event, { n: 1, k: "k" }),
          {
            concurrency: "unbounded"
          }
        )
        assert.deepStrictEqual([said[0], said[2]], ["Confirmed", "Confirmed"])
        for (const at of [1, 3]) assert.include(said[at], `topic ${Long.name} in exchange`)
      })
    )

    it.live("P2: without the right to write to the exchange at all it is Denied at once", () =>
      Effect.gen(function* () {
        const { outcome } = yield* stage(".*", "^none$")
        for (const message of yield* Effect.forEach(upTo(5), (n) => outcome(Allowed, { n, k: "k" }), {
          concurrency: "unbounded"
        }))
          assert.match(
            message,
            /has no permission for exchange .*\.events \(write\): grant it with rabbitmqctl set_permissions$/
          )
      })
    )

    it.live(
      "P1, P2: a right that is taken away denies nothing that was stored; given back, it is used half a minute later",
      () =>
        Effect.gen(function* () {
          const { allow, outcome, owner, passes } = yield* stage("^ok\\.", ".*", 2)
          const ledger = makeLedger()
          yield* owner.bus.subscribe(fresh(), { events: [Allowed], handler: ledger.handler })
          const said = new Map<number, string>()
          let next = 0
          const burst = Effect.forEach(
            upTo(100),
            () => {
              const n = next++
              return Effect.map(outcome(Allowed, { n, k: `k${n % 8}` }), (tag) => said.set(n, tag))
            },
            { concurrency: "unbounded", discard: true }
          )
          const isDenied = (message: string | undefined): boolean =>
            message?.startsWith("denied by the broker") ?? false
          // RabbitMQ before 4 remembers for a channel what it allowed: one that it denies has it opened anew.
          const anew = Effect.forEach(upTo(8), (n) => outcome(Denied, { n, k: `k${n}` }), { concurrency: "unbounded" })
          for (let round = 0; round < 2; round++) {
            yield* Effect.all([allow("^no$"), Effect.repeat(burst, { times: 5 })], { concurrency: "unbounded" })
            passes(30_000)
            yield* Effect.repeat(Effect.all([anew, burst], { concurrency: "unbounded" }), {
              until: () => isDenied(said.get(next - 1))
            })
            yield* allow("^ok\\.")
            // Within that time nothing is tried.
            yield* burst
            assert.isTrue(isDenied(said.get(next - 1)))
            passes(30_000)
            yield* burst
            assert.strictEqual(said.get(next - 1), "Confirmed")
          }
          const confirmed = [...said].filter(([, tag]) => tag === "Confirmed")
          for (const tag of said.values()) assert.isTrue(tag === "Confirmed" || tag === "Unknown" || isDenied(tag), tag)
          const arrived = () => new Set(ledger.numbers())
          yield* Effect.repeat(Effect.sleep("20 millis"), { until: () => confirmed.every(([n]) => arrived().has(n)) })
          for (const [n, tag] of said) if (isDenied(tag)) assert.isFalse(arrived().has(n), `${n} was stored`)
        })
    )
  },
  ["rabbitNode"]
)
