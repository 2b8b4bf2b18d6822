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
import { countConfirmChannels, countQuestions } from "./setup/ChannelCounts.ts"

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
          Layer.merge(
            AmqpBroker.layer({ servers: url, namespace, source: "denied", callTimeout: "1 minute", ...more }),
            MemoryCache.layer
          )
        )
      const owner = yield* start(over(node.url))
      const allow = (pattern: string) =>
        Effect.promise(() => node.ctl("set_topic_permissions", user, `${namespace}.events`, pattern, ".*"))
      const url = yield* Effect.promise(() => node.addUser(user, "pw", { write }))
      yield* allow(topics)
      const real = yield* Clock.Clock
      let ahead = 0
      const clock: typeof real = Object.assign(Object.create(real), {
        currentTimeMillisUnsafe: () => real.currentTimeMillisUnsafe() + ahead,
        monotonicTimeNanosUnsafe: () => real.monotonicTimeNanosUnsafe() + BigInt(ahead) * 1_000_000n
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
      return { owner, limited, allow, outcome, user, namespace, passes: (millis: number) => void (ahead += millis) }
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

    it.live("P2: many topics that are denied disturb none of their neighbours: no channel is closed for them", () =>
      Effect.gen(function* () {
        const { outcome, passes } = yield* stage("^ok\\.")
        const [denied, allowed] = [20, 200].map((count, at) =>
          upTo(count).map((n) => contract(`${at === 0 ? "bad" : "ok"}.t${n}`))
        )
        const events = upTo(440).map((n) => ({ n, event: n % 11 === 10 ? denied?.[n % 20] : allowed?.[n % 200] }))
        yield* outcome(Allowed, { n: 0, k: "k" })
        const openings = countConfirmChannels()
        for (const round of [0, 1]) {
          const said = yield* Effect.forEach(
            events,
            ({ event = Allowed, n }) => Effect.map(outcome(event, { n, k: `k${n % 50}` }), (says) => ({ event, says })),
            { concurrency: "unbounded" }
          )
          for (const { event, says } of said)
            if (event.name.startsWith("ok.")) assert.strictEqual(says, "Confirmed", event.name)
            else assert.include(says, `has no permission for topic ${event.name} in exchange`)
          assert.strictEqual(openings(), 0, `round ${round}`)
          // The refusals are forgotten, and asked for again.
          passes(30_000)
        }
      })
    )

    it.live("P2: a topic is asked for once, before its first event; delays that begin on one level are one topic", () =>
      Effect.gen(function* () {
        const { limited, outcome, owner } = yield* stage("^ok\\.|publish\\.ok\\.")
        // The levels up to that of 64 seconds are declared by whoever may.
        yield* owner.bus.publish(Allowed, { n: -1, k: "k" }, { delay: "127 seconds" })
        const asked = countQuestions()
        const said = yield* Effect.forEach(upTo(200), (n) => outcome(Allowed, { n, k: `k${n % 7}` }), {
          concurrency: 20
        })
        assert.deepStrictEqual([...new Set(said)], ["Confirmed"])
        assert.strictEqual(asked(), 1)
        const delayed = (seconds: number) =>
          limited.bus.publish(Allowed, { n: seconds, k: "k" }, { ...options, delay: `${seconds} seconds` })
        // 64 to 127 seconds begin on one level.
        yield* Effect.forEach(upTo(64), (n) => delayed(64 + n))
        assert.strictEqual(asked(), 2)
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
          const { allow, outcome, owner, passes } = yield* stage("^(ok|other)\\.", ".*", 2)
          const openings = countConfirmChannels()
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
          // RabbitMQ before 4 remembers for a channel the dozen topics that it allowed last: others make it ask anew.
          const others = Effect.forEach(
            upTo(14),
            (topic) =>
              Effect.forEach(upTo(8), (n) => outcome(contract(`other.t${topic}`), { n, k: `k${n}` }), {
                concurrency: "unbounded"
              }),
            { discard: true }
          )
          for (let round = 0; round < 2; round++) {
            yield* Effect.all([allow("^other\\."), Effect.repeat(burst, { times: 5 })], { concurrency: "unbounded" })
            yield* Effect.repeat(Effect.andThen(others, burst), { until: () => isDenied(said.get(next - 1)) })
            yield* allow("^(ok|other)\\.")
            // Within that time nothing is tried.
            yield* burst
            assert.isTrue(isDenied(said.get(next - 1)))
            passes(30_000)
            yield* burst
            assert.strictEqual(said.get(next - 1), "Confirmed")
          }
          // Once at least: after the first loss a right may be found to be missing when it is asked for again.
          assert.isAbove(openings(), 0, "a right that was taken away costs the channel")
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
