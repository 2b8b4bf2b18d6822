/** `eventbus publish` on a real RabbitMQ and Redis. */
import { assert, describe, it } from "@effect/vitest"
import { connect } from "amqplib"
import { Effect, Option, Schedule, Schema } from "effect"
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { EventBus, EventCache } from "../../src/index.ts"
import { byCommand } from "../../src/operations/Reports.ts"
import { describeLive, freshNamespace, rabbitUrl, redisUrl } from "../support/live.ts"
import { Posted } from "./contracts.ts"
import { eventbus, reported, type Settings } from "./Eventbus.ts"

const module = new URL("./contracts.ts", import.meta.url).pathname
const contracts = ["--contracts", module]
const published = Schema.decodeUnknownSync(byCommand.publish)

const withFile = <A, E, R>(text: string, use: (file: string) => Effect.Effect<A, E, R>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const folder = mkdtempSync(join(tmpdir(), "eventbus-publish-"))
      writeFileSync(join(folder, "data.ndjson"), text)
      return folder
    }),
    (folder) => use(join(folder, "data.ndjson")),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
  )

const spaced = Schedule.spaced("20 millis")

const line = (text: string, more: object = {}): string => JSON.stringify({ text, ...more })

describe("eventbus publish, without a broker", () => {
  it.live("says what is wrong, where, and without what is sensitive", () =>
    Effect.gen(function* () {
      const judge = (data: string, ...more: ReadonlyArray<string>) =>
        eventbus({}, "publish", "test.posted", "--data", data, "--dry-run", ...contracts, ...more)
      const good = yield* judge(line("a", { pin: "1234-secret" }))
      assert.deepStrictEqual([good.code, good.out, good.err], [0, "1 would be published", ""])
      for (const [data, words] of [
        [`{"text":1}`, "data.text: Expected string"],
        [`{"text":"a","txet":"b"}`, "data.txet: version 1 of the contract has no such field"],
        [`{"text":"a","pin":{"of":"1234-secret"}}`, "data.pin"],
        [`{"text":"a"`, "data: the data is not JSON"],
        [`{"text":"a","pin":12345678901234567890}`, "an integer beyond 2^53"],
        [line("x".repeat(300)), "key: expected 1 to 255 bytes of text"]
      ] as const) {
        const { code, err, out } = yield* judge(data)
        assert.deepStrictEqual([code, out], [2, ""], data)
        assert.include(err, words)
        assert.notInclude(err, "1234-secret")
      }
      const keyed = yield* judge(line("a"), "--event-key", "b")
      assert.include(keyed.err, "key: expected the key that the contract computes from the data")
      const later = yield* judge(line("a"), "--delay", "soon")
      assert.include(later.err, "delay: expected 0 to")
      const brief = yield* judge(line("a"), "--expires-after", "soon")
      assert.include(brief.err, "expiresAfter: expected a length of time from 1 millisecond to 3650 days")
      const forged = yield* judge(line("a"), "--header", "bus-attempt=3")
      assert.include(forged.err, "headers.bus-attempt")
      const version = yield* judge(line("a"), "--data-version", "7")
      assert.include(version.err, "has version 7, but this service knows versions up to 1")
    })
  )

  it.live("wants a contract, or a word for what is sent without one, and not both", () =>
    Effect.gen(function* () {
      const none = yield* eventbus({}, "publish", "other.event", "--data", "{}", "--dry-run", ...contracts)
      assert.strictEqual(none.code, 2)
      assert.include(none.err, 'event "other.event" has no contract here (known are test.posted)')
      const word = ["--unchecked", "2", "--dry-run"]
      const said = yield* reported({}, "publish", "other.event", "--data", `{"any":1}`, ...word)
      const { checked, confirmed, eventVersion } = published(said.report)
      assert.deepStrictEqual([said.code, checked, eventVersion, confirmed], [0, false, 2, 1])
      const both = yield* eventbus({}, "publish", "test.posted", "--data", "{}", ...word, ...contracts)
      assert.deepStrictEqual([both.code, /leave out --unchecked/.test(both.err)], [2, true])
      for (const name of ["bus.event.dead-lettered", "Not.A.Name"]) {
        const reserved = yield* eventbus({}, "publish", name, "--data", "{}", ...word)
        assert.strictEqual(reserved.code, 2, name)
      }
    })
  )
})

describeLive("eventbus publish", () => {
  const settings = (namespace: string): Settings => ({
    EVENTBUS_URL: rabbitUrl(),
    EVENTBUS_REDIS_URL: redisUrl(),
    EVENTBUS_NAMESPACE: namespace
  })
  const live = (namespace: string) =>
    EventBus.layerAmqp({ url: rabbitUrl(), redisUrl: redisUrl(), redisTimeout: "10 seconds", namespace })

  /** Runs beside a subscriber of `test.posted`; what it got so far is in order. */
  const beside = <A, E, R>(
    use: (options: {
      readonly settings: Settings
      readonly got: (count: number) => Effect.Effect<ReadonlyArray<{ readonly id: string; readonly text: string }>>
    }) => Effect.Effect<A, E, R>
  ) =>
    Effect.gen(function* () {
      const namespace = freshNamespace()
      const events: Array<{ readonly id: string; readonly text: string }> = []
      return yield* Effect.gen(function* () {
        const bus = yield* EventBus
        yield* bus.subscribe("reader", {
          events: [Posted],
          ordering: "key",
          handler: ({ data, id }) => Effect.sync(() => void events.push({ id, text: data.text }))
        })
        const got = (count: number) =>
          Effect.repeat(
            Effect.sync(() => events),
            { until: ({ length }) => length >= count, schedule: spaced }
          )
        return yield* use({ settings: settings(namespace), got })
      }).pipe(Effect.scoped, Effect.provide(live(namespace)))
    })

  it.live("sends one event as a service does: with its id and key, to its subscriber and to the cache", () =>
    beside(({ got, settings }) =>
      Effect.gen(function* () {
        const args = [
          "publish",
          "test.posted",
          "--data",
          line("one"),
          "--id",
          "own-id",
          "--correlation-id",
          "flow-1"
        ].concat(["--expires-after", "1 hour", "--tenant", "school-7"])
        const { code, report } = yield* reported(settings, ...args, ...contracts)
        const { confirmed, id, refused, unrouted } = published(report)
        assert.deepStrictEqual([code, id, confirmed, unrouted, refused], [0, "own-id", 1, 0, 0])
        assert.deepStrictEqual(yield* got(1), [{ id: "own-id", text: "one" }])
        const cache = yield* EventCache
        const last = Option.getOrThrow(yield* cache.last(Posted, "one"))
        assert.deepStrictEqual([last.id, last.correlationId, last.source], ["own-id", "flow-1", "eventbus-cli"])
        assert.strictEqual(last.tenant, "school-7")
        assert.strictEqual((last.expiryTime?.getTime() ?? 0) - last.time.getTime(), 3_600_000)
        const { out } = yield* eventbus(settings, ...args, ...contracts)
        assert.strictEqual(out, "1 confirmed: own-id")
      })
    )
  )

  it.live("streams lines: each is confirmed, or refused with its number", () =>
    beside(({ got, settings }) =>
      Effect.gen(function* () {
        const count = 3000
        const bad = new Map([
          [1, "no json"],
          [700, `{"text":5}`],
          [701, `{}`],
          // Refused by the publisher, not by the contract: its key is too long.
          [1500, line("k".repeat(300))],
          [1501, line("k".repeat(301))],
          [count, `{"text":"x","y":1}`]
        ])
        const lines = Array.from({ length: count }, (_, at) => bad.get(at + 1) ?? line(`t${at + 1}`))
        // An empty line is no event, and has a number.
        lines.splice(10, 0, "")
        yield* withFile(`${lines.join("\n")}\n`, (file) =>
          Effect.gen(function* () {
            const args = ["publish", "test.posted", "--file", file, ...contracts]
            const { code, report } = yield* reported(settings, ...args)
            const { confirmed, next, refusals, refused, unrouted } = published(report)
            assert.deepStrictEqual([code, confirmed, unrouted, refused, next], [4, count - bad.size, 0, bad.size, null])
            assert.deepStrictEqual(
              refusals.map(({ line, reason }) => [line, reason]),
              [1, 701, 702, 1501, 1502, count + 1].map((number) => [number, "Invalid"])
            )
            const texts = (yield* got(count - bad.size)).map(({ text }) => text)
            const expected = lines
              .flatMap((_, at) => (bad.has(at + 1) ? [] : [`t${at + 1}`]))
              .slice(0, count - bad.size)
            assert.deepStrictEqual(new Set(texts), new Set(expected))
            const text = yield* eventbus(settings, ...args)
            assert.include(text.out, `${count - bad.size} confirmed`)
            assert.match(text.err, /^line 701: Invalid: data\.text: Expected string/m)
          })
        )
      })
    )
  )

  it.live("counts what reached nobody, and keeps a delayed event for later", () =>
    Effect.gen(function* () {
      const namespace = freshNamespace()
      yield* Effect.scoped(Effect.provide(EventBus, live(namespace)))
      yield* withFile([line("a"), line("b")].join("\n"), (file) =>
        Effect.gen(function* () {
          const { code, out } = yield* eventbus(
            settings(namespace),
            "publish",
            "test.posted",
            "--file",
            file,
            ...contracts
          )
          assert.strictEqual(code, 0)
          assert.strictEqual(out, "2 confirmed\n2 of them reached nobody: no subscriber is bound")
        })
      )
      const delayed = yield* reported(
        settings(namespace),
        "publish",
        "test.posted",
        "--data",
        line("later"),
        "--delay",
        "2 hours",
        ...contracts
      )
      const { confirmed, unrouted } = published(delayed.report)
      assert.deepStrictEqual([confirmed, unrouted], [1, 0])
    })
  )

  it.live("reads standard input of a process, line by line", () =>
    beside(({ got, settings }) =>
      Effect.gen(function* () {
        const main = new URL("../../src/cli/main.ts", import.meta.url).pathname
        const { status, stderr, stdout } = spawnSync(
          process.execPath,
          [main, "publish", "test.posted", "--timeout", "60", ...contracts],
          {
            input: `${line("s1")}\nwrong\n${line("s2")}`,
            encoding: "utf8",
            env: { PATH: "/usr/bin:/bin", ...settings }
          }
        )
        assert.deepStrictEqual([status, stdout], [4, "2 confirmed\n1 refused: each was named above\n"])
        assert.include(stderr, "line 2: Invalid: data: the data is not JSON")
        assert.deepStrictEqual((yield* got(2)).map(({ text }) => text).toSorted(), ["s1", "s2"])
      })
    )
  )

  it.live("stops where the broker takes no more, and names the line to go on with", () =>
    Effect.gen(function* () {
      const namespace = freshNamespace()
      yield* Effect.scoped(Effect.provide(EventBus, live(namespace)))
      // A queue that refuses the third event.
      yield* Effect.promise(async () => {
        const model = await connect(rabbitUrl())
        const channel = await model.createChannel()
        await channel.assertQueue(`${namespace}.small`, {
          arguments: { "x-max-length": 2, "x-overflow": "reject-publish" }
        })
        await channel.bindQueue(`${namespace}.small`, `${namespace}.events`, "#")
        await model.close()
      })
      const lines = Array.from({ length: 5000 }, () => line("one key"))
      yield* withFile(lines.join("\n"), (file) =>
        Effect.gen(function* () {
          const { code, report } = yield* reported(
            settings(namespace),
            "publish",
            "test.posted",
            "--file",
            file,
            ...contracts
          )
          const { confirmed, next, refused } = published(report)
          assert.strictEqual(code, 1)
          assert.isNotNull(next)
          // Each line is one of the three.
          assert.strictEqual(confirmed + refused + (lines.length - ((next ?? 0) - 1)), lines.length)
        })
      )
      yield* Effect.promise(async () => {
        const model = await connect(rabbitUrl())
        await (await model.createChannel()).deleteQueue(`${namespace}.small`)
        await model.close()
      })
    })
  )
})
