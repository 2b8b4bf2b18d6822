/** `eventbus tail`, `last`, `history` and `watch` on a real RabbitMQ and Redis. */
import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Schedule, Schema } from "effect"
import { Event, EventBus } from "../../src/index.ts"
import { byCommand } from "../../src/operations/Reports.ts"
import { describeLive, freshNamespace, rabbitUrl, redisUrl } from "../support/live.ts"
import { Posted } from "./contracts.ts"
import { eventbus, reported, type Settings } from "./Eventbus.ts"

const contracts = ["--contracts", new URL("./contracts.ts", import.meta.url).pathname]

const Other = Event.make("other.happened", { version: 1, data: Schema.Struct({ note: Schema.String }) })

const spaced = Schedule.spaced("20 millis")

/** A bus with its own namespace, and the settings of the command for it. */
const withBus = <A, E, R>(use: (bus: EventBus["Service"], settings: Settings) => Effect.Effect<A, E, R>) => {
  const namespace = freshNamespace()
  const settings: Settings = {
    EVENTBUS_URL: rabbitUrl(),
    EVENTBUS_REDIS_URL: redisUrl(),
    EVENTBUS_NAMESPACE: namespace
  }
  return Effect.flatMap(EventBus, (bus) => use(bus, settings)).pipe(
    Effect.scoped,
    Effect.provide(
      EventBus.layerAmqp({ url: rabbitUrl(), redisUrl: redisUrl(), redisTimeout: "10 seconds", namespace })
    )
  )
}

/** Starts a command in a fiber; `begun` completes with its first line, on either output. */
const start = Effect.fnUntraced(function* (settings: Settings, ...args: ReadonlyArray<string>) {
  const begun = yield* Deferred.make<void>()
  const fiber = yield* Effect.forkScoped(
    eventbus(settings, ...args, { onLine: () => Deferred.doneUnsafe(begun, Effect.void) })
  )
  yield* Deferred.await(begun)
  return fiber
})

describeLive("eventbus tail", () => {
  it.live("shows each event on a line, without what is sensitive, and ends after its limit", () =>
    withBus((bus, settings) =>
      Effect.gen(function* () {
        const text = yield* start(settings, "tail", "test.#", "--limit", "2", ...contracts)
        const json = yield* start(settings, "tail", "--limit", "3", "--json", ...contracts)
        const first = yield* bus.publish(
          Posted,
          { text: "one\u001b[2J", pin: "pin-code-1" },
          { correlationId: "flow-1" }
        )
        yield* bus.publish(Other, { note: "secret of nobody" })
        yield* bus.publish(Posted, { text: "x".repeat(200) }, { delay: "1 second" })

        const shown = yield* Fiber.join(text)
        const lines = shown.out.split("\n")
        assert.deepStrictEqual([shown.code, lines.length], [0, 2])
        const escaped = "one\\u001b[2J"
        assert.include(lines[0], `  test.posted  ${escaped}  ${first.id}  {"text":"one`)
        assert.include(lines[0], `"pin":"<redacted>"`)
        assert.match(lines[1] ?? "", /…$/)
        assert.include(shown.err, "2 shown")

        const all = yield* Fiber.join(json)
        const items = all.out.split("\n").map((line) => Schema.decodeUnknownSync(byCommand.tail)(JSON.parse(line)))
        assert.deepStrictEqual(
          items.map(({ kind }) => kind),
          ["tail.begun", "event", "event", "event", "tail"]
        )
        const [, posted, other] = items
        assert.deepInclude(posted, { id: first.id, key: "one\u001b[2J", correlationId: "flow-1", eventVersion: 1 })
        // It has no contract here, so nothing in it can be hidden.
        assert.deepInclude(other, { event: "other.happened", data: null, problem: null })
        for (const output of [shown, all]) {
          assert.notInclude(output.out, "pin-code-1")
          assert.notInclude(output.out, "secret of nobody")
          assert.notMatch(output.out, /(?!\n)\p{Cc}/u)
        }
      })
    )
  )

  it.live("shows data without a contract to those who ask for it, and says why an event cannot be read", () =>
    withBus((bus, settings) =>
      Effect.gen(function* () {
        const fiber = yield* start(settings, "tail", "--limit", "2", "--body", "--json", ...contracts)
        yield* bus.publish(Other, { note: "seen" })
        const Wrong = Event.make("test.posted", { version: 1, data: Schema.Struct({ other: Schema.String }) })
        yield* bus.publish(Wrong, { other: "x" })
        const { out } = yield* Fiber.join(fiber)
        const [, other, wrong] = out
          .split("\n")
          .map((line) => Schema.decodeUnknownSync(byCommand.tail)(JSON.parse(line)))
        assert.deepInclude(other, { data: { encoding: "json", value: { note: "seen" } } })
        assert.include(wrong?.kind === "event" ? wrong.problem : "", "data.text")
      })
    )
  )

  it.live("refuses a pattern that is none, and a namespace that nobody declared", () =>
    Effect.gen(function* () {
      const settings = { EVENTBUS_URL: rabbitUrl(), EVENTBUS_NAMESPACE: freshNamespace() }
      const wrong = yield* eventbus(settings, "tail", "Not A Name")
      assert.deepStrictEqual([wrong.code, wrong.out], [2, ""])
      const none = yield* eventbus(settings, "tail", "a")
      assert.strictEqual(none.code, 1)
      assert.include(none.err, "does not exist")
    })
  )
})

describeLive("eventbus last, history and watch", () => {
  it.live("show what Redis remembers, by key, and what comes after it", () =>
    withBus((bus, settings) =>
      Effect.gen(function* () {
        const ids: Array<string> = []
        for (const pin of ["pin-code-1", "pin-code-2"]) ids.push((yield* bus.publish(Posted, { text: "k", pin })).id)
        const known = yield* Effect.repeat(reported(settings, "last", "test.posted", "k", "none", ...contracts), {
          until: ({ report }) => JSON.stringify(report).includes(ids[1] ?? "-"),
          schedule: spaced
        })
        const { found } = Schema.decodeUnknownSync(byCommand.last)(known.report)
        assert.deepStrictEqual(
          found.map(({ key, seen }) => [key, seen?.id]),
          [
            ["k", ids[1]],
            ["none", undefined]
          ]
        )
        const text = yield* eventbus(settings, "last", "test.posted", "k", "none", ...contracts)
        assert.match(text.out, new RegExp(`^\\S+  test\\.posted  k  ${ids[1]}  .*<redacted>`))
        assert.match(text.out, /\nnothing is remembered of test\.posted none$/)

        const past = yield* reported(settings, "history", "test.posted", ...contracts)
        const { events } = Schema.decodeUnknownSync(byCommand.history)(past.report)
        assert.deepStrictEqual(
          events.map(({ id }) => id),
          ids.toReversed()
        )
        const one = yield* eventbus(settings, "history", "test.posted", "--limit", "1", ...contracts)
        assert.strictEqual(one.out.split("\n").length, 1)

        const watching = yield* start(settings, "watch", "test.posted", "k", "--limit", "3", "--json", ...contracts)
        yield* bus.publish(Posted, { text: "another key" })
        for (const pin of ["pin-code-3", "pin-code-4"]) ids.push((yield* bus.publish(Posted, { text: "k", pin })).id)
        const watched = yield* Fiber.join(watching)
        const seen = watched.out
          .split("\n")
          .map((line) => Schema.decodeUnknownSync(byCommand.watch)(JSON.parse(line)))
          .flatMap((item) => (item.kind === "event" ? [item.id] : []))
        assert.deepStrictEqual(seen, ids.slice(1))
        for (const { out } of [text, one, watched]) assert.notInclude(out, "pin-code")
      })
    )
  )

  it.live("say that they need Redis", () =>
    Effect.gen(function* () {
      for (const command of [["last"], ["history"], ["watch"]]) {
        const { code, err } = yield* eventbus({ EVENTBUS_URL: rabbitUrl() }, ...command, "test.posted")
        assert.strictEqual(code, 2)
        assert.include(err, "EVENTBUS_REDIS_URL: it is not set")
      }
      const away = { EVENTBUS_URL: rabbitUrl(), EVENTBUS_REDIS_URL: "redis://127.0.0.1:1" }
      const { code, err } = yield* eventbus(away, "last", "test.posted", "--timeout", "0.2")
      assert.strictEqual(code, 3)
      assert.include(err, "127.0.0.1:1")
    })
  )
})
