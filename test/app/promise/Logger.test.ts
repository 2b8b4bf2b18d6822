/** The log of a bus of Promises: its targets, its levels, secrets in it, and a target that fails. */
import { Effect, Schedule, Schema } from "effect"
import { afterEach, assert, describe, it, vi } from "vitest"
import { createEventBus, Event, type LogEntry, type PromiseLogger, Reject } from "../../../src/index.ts"
import { createTestBus } from "../../../src/testing/index.ts"
import { until } from "./PromiseTools.ts"

const Paid = Event.make("logger.paid", { version: 1, data: Schema.Struct({ n: Schema.Int }) })

/** One event that becomes a dead letter, and one line of a handler. */
const work = async (logger: PromiseLogger) => {
  await using bus = await createEventBus({ url: "memory://", source: "logger", logger })
  await bus.subscribe("logger.reader", {
    events: [Paid],
    retry: Schedule.recurs(0),
    handler: () =>
      Effect.andThen(
        Effect.withSpan(Effect.logInfo("who came", { password: "hunter2", iban: "DE02" }), "greeting"),
        Effect.fail(new Reject({ reason: "no such account" }))
      )
  })
  await bus.publish(Paid, { n: 1 }, { id: "one" })
  await until(async () => (await bus.deadLetters.count("logger.reader")) === 1)
}

const written = (spy: { readonly mock: { readonly calls: ReadonlyArray<ReadonlyArray<unknown>> } }) =>
  spy.mock.calls.map((parts) => parts.join(" "))

describe("the log of the Promise API", () => {
  afterEach(() => {
    vi.restoreAllMocks()
    vi.unstubAllEnvs()
  })

  it("is called with plain entries from level info on, without secrets", async () => {
    const entries: Array<LogEntry> = []
    await work((entry) => entries.push(entry))
    const dead = entries.find(({ message }) => message === "dead-lettered")
    assert.strictEqual(dead?.level, "error")
    assert.instanceOf(dead?.time, Date)
    assert.containsSubset(dead?.fields, { subscriber: "logger.reader", event: "logger.paid", id: "one" })
    assert.notInclude(JSON.stringify(entries), "hunter2")
    const greeting = entries.find(({ message }) => message.startsWith("who came"))
    assert.include(greeting?.message, "DE02")
    assert.match(`${greeting?.traceId} ${greeting?.spanId}`, /^[0-9a-f]{32} [0-9a-f]{16}$/)
    assert.isFalse(entries.some(({ level }) => level === "debug"))
  })

  it("has the level and the further secrets that it is given", async () => {
    const entries: Array<LogEntry> = []
    await work({ level: "debug", to: (entry) => entries.push(entry), redact: ["iban"] })
    assert.isTrue(entries.some(({ level, message }) => level === "debug" && message === "published"))
    assert.notInclude(JSON.stringify(entries), "DE02")
    entries.length = 0
    await work({ level: "error", to: (entry) => entries.push(entry) })
    assert.deepStrictEqual([...new Set(entries.map(({ level }) => level))], ["error"])
  })

  it("is lines of JSON, lines for people, or nothing", async () => {
    const console_ = vi.spyOn(console, "log").mockImplementation(() => {})
    await work("json")
    assert.containsSubset(
      written(console_).map((line) => JSON.parse(line)),
      [{ level: "ERROR", message: "dead-lettered", id: "one" }]
    )
    console_.mockClear()
    await work({ to: "pretty", level: "warn" })
    assert.match(written(console_).join("\n"), /ERROR.* dead-lettered .*id=.*one/)
    console_.mockClear()
    await work("none")
    assert.deepStrictEqual(written(console_), [])
  })

  it("does not concern the bus when it fails, at once or later, and says so once", async () => {
    const problems = vi.spyOn(process, "emitWarning").mockImplementation(() => {})
    await work(() => {
      throw new Error("the disk is full")
    })
    assert.lengthOf(written(problems), 1)
    assert.include(written(problems)[0], "the disk is full")
    problems.mockClear()
    await work({ level: "debug", to: async () => Promise.reject(new Error("the log server is away")) })
    await until(() => written(problems).length > 0)
    assert.lengthOf(written(problems), 1)
    assert.include(written(problems)[0], "the log server is away")
  })

  it("goes with the settings of the environment, and with a test bus", async () => {
    vi.stubEnv("EVENTBUS_URL", "memory://")
    vi.stubEnv("EVENTBUS_SOURCE", "environment")
    const entries: Array<LogEntry> = []
    const logger: PromiseLogger = { level: "debug", to: (entry) => entries.push(entry) }
    await using bus = await createEventBus({ logger })
    assert.strictEqual((await bus.tree()).source, "environment")
    await bus.publish(Paid, { n: 1 })
    await using test = await createTestBus({ logger })
    await test.publish(Paid, { n: 2 })
    assert.lengthOf(
      entries.filter(({ message }) => message === "published"),
      2
    )
  })
})
