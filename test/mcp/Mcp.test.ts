/** `eventbus mcp`: a real process that is asked over its standard input, on a real RabbitMQ. */
import { assert, it } from "@effect/vitest"
import { Effect, Schedule, Schema } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { Event, EventBus, Reject } from "../../src/index.ts"
import { byCommand } from "../../src/operations/Reports.ts"
import { describeLive, freshNamespace, rabbitUrl } from "../support/live.ts"
import { Posted } from "./contracts.ts"

const Unknown = Event.make("test.unknown", { version: 1, data: Schema.Struct({ text: Schema.String }) })

const Answer = Schema.fromJsonString(
  Schema.Struct({
    id: Schema.Finite,
    result: Schema.optionalKey(
      Schema.Struct({
        tools: Schema.optionalKey(Schema.Array(Schema.Record(Schema.String, Schema.Unknown))),
        content: Schema.optionalKey(Schema.Array(Schema.Struct({ type: Schema.String, text: Schema.String }))),
        structuredContent: Schema.optionalKey(Schema.Unknown),
        isError: Schema.optionalKey(Schema.Boolean)
      })
    ),
    error: Schema.optionalKey(Schema.Struct({ code: Schema.Finite, message: Schema.String }))
  })
)
type Answer = typeof Answer.Type

/** A session with the server: its answers by the number of the request, and every line that it wrote. */
class Session {
  readonly lines: Array<string> = []
  readonly process: ChildProcess
  private readonly waiting = new Map<number, (answer: Answer) => void>()
  private last = 0

  constructor(namespace: string) {
    const contracts = new URL("./contracts.ts", import.meta.url).pathname
    const program = new URL("../../src/cli/main.ts", import.meta.url).pathname
    this.process = spawn(process.execPath, [program, "mcp", "--contracts", contracts], {
      env: { ...process.env, EVENTBUS_URL: rabbitUrl(), EVENTBUS_NAMESPACE: namespace },
      stdio: ["pipe", "pipe", "inherit"]
    })
    if (this.process.stdout === null) throw new Error("it has no standard output")
    createInterface(this.process.stdout).on("line", (line) => {
      this.lines.push(line)
      const answer = Schema.decodeSync(Answer)(line)
      this.waiting.get(answer.id)?.(answer)
    })
  }

  private write(message: object): void {
    this.process.stdin?.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`)
  }

  ask(method: string, params: object = {}): Promise<Answer> {
    const id = ++this.last
    const answer = new Promise<Answer>((resolve) => void this.waiting.set(id, resolve))
    this.write({ id, method, params })
    return answer
  }

  async call(name: string, given: object = {}): Promise<NonNullable<Answer["result"]>> {
    const answer = await this.ask("tools/call", { name, arguments: given })
    return answer.result ?? assert.fail(JSON.stringify(answer))
  }

  async begin(): Promise<void> {
    const clientInfo = { name: "test", version: "1" }
    await this.ask("initialize", { protocolVersion: "2025-06-18", capabilities: {}, clientInfo })
    this.write({ method: "notifications/initialized" })
  }
}

const session = (namespace: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const one = new Session(namespace)
      await one.begin()
      return one
    }),
    ({ process }) => Effect.sync(() => process.kill("SIGKILL"))
  )

/** One letter of each event, each with a text of a megabyte. */
const withLetters = Effect.gen(function* () {
  const namespace = freshNamespace()
  const long = "x".repeat(1_000_000)
  let handled = 0
  yield* Effect.gen(function* () {
    const bus = yield* EventBus
    yield* bus.subscribe("mailer", {
      events: [Posted, Unknown],
      handler: () => Effect.suspend(() => (handled++, Effect.fail(new Reject({ reason: `no way: ${long}` }))))
    })
    yield* bus.publish(Posted, { text: "small", pin: "pin-code" }, { id: "small" })
    yield* bus.publish(Posted, { text: long, pin: "pin-code" }, { id: "large" })
    yield* bus.publish(Unknown, { text: "unknown-text" }, { id: "unknown" })
    yield* Effect.repeat(
      Effect.sync(() => handled),
      { until: (done) => done >= 3, schedule: Schedule.spaced("20 millis") }
    )
  }).pipe(Effect.scoped, Effect.provide(EventBus.layerAmqp({ url: rabbitUrl(), namespace })))
  return namespace
})

describeLive(
  "eventbus mcp",
  () => {
    it.live("offers looks and dry runs only, bounded and without what is sensitive, and ends with its input", () =>
      Effect.gen(function* () {
        const asked = yield* session(yield* withLetters)
        const { result } = yield* Effect.promise(() => asked.ask("tools/list"))
        const tools = result?.tools ?? []
        assert.deepStrictEqual(tools.map(({ name }) => name).toSorted(), [
          "dead_letter_sources",
          "doctor",
          "list_dead_letters",
          "ps",
          "show_dead_letter",
          "try_discard",
          "try_replay"
        ])
        for (const { annotations } of tools)
          assert.deepInclude(annotations, { readOnlyHint: true, destructiveHint: false, idempotentHint: true })

        const report = async <A, I>(schema: Schema.Codec<A, I>, name: string, given: object = {}): Promise<A> => {
          const { content = [], isError, structuredContent } = await asked.call(name, given)
          assert.isFalse(isError, content[0]?.text)
          assert.isBelow(content[0]?.text.length ?? 0, 100_000)
          return Schema.decodeUnknownSync(schema)(structuredContent)
        }
        yield* Effect.promise(async () => {
          const { sources } = await report(byCommand["dead-letters sources"], "dead_letter_sources")
          assert.deepInclude(sources, { source: "mailer", letters: 3, problem: null })
          await report(byCommand.doctor, "doctor")
          const listed = await report(byCommand["dead-letters list"], "list_dead_letters", {
            source: "mailer",
            limit: 9999
          })
          assert.deepStrictEqual(listed.letters.map(({ id }) => id).toSorted(), ["large", "small", "unknown"])
          const of = (id: string) =>
            report(byCommand["dead-letters show"], "show_dead_letter", { source: "mailer", id, body: true })
          const [small, large, unknown] = [await of("small"), await of("large"), await of("unknown")]
          assert.deepInclude(small.body?.value, { data: { text: "small", pin: "<redacted>" } })
          assert.strictEqual(large.body?.encoding, "text")
          assert.match(String(large.body?.value), /… \(\d+ more characters\)$/)
          assert.isNull(unknown.body)
          assert.notInclude(asked.lines.join(), "pin-code")
          assert.notInclude(asked.lines.join(), "unknown-text")

          const tried = await report(byCommand["dead-letters replay"], "try_replay", { source: "mailer" })
          assert.deepInclude(tried, { dryRun: true, replayed: 3 })
          const discarded = await report(byCommand["dead-letters discard"], "try_discard", {
            source: "mailer",
            event: "test.unknown"
          })
          assert.deepInclude(discarded, { dryRun: true, discarded: 1 })
          const after = await report(byCommand["dead-letters sources"], "dead_letter_sources")
          assert.deepInclude(after.sources, { source: "mailer", letters: 3, problem: null })

          // `apply` is no parameter of a tool: nothing is deleted by a caller that gives it.
          await asked.call("try_discard", { source: "mailer", apply: true })
          const still = await report(byCommand["dead-letters sources"], "dead_letter_sources")
          assert.deepInclude(still.sources, { source: "mailer", letters: 3, problem: null })
        })
        yield* Effect.promise(async () => {
          const ended = once(asked.process, "exit")
          asked.process.stdin?.end()
          assert.deepStrictEqual(await ended, [0, null])
        })
      })
    )

    it.live("says what is wrong with a call, and goes on", () =>
      Effect.gen(function* () {
        const asked = yield* session(yield* withLetters)
        yield* Effect.promise(async () => {
          const missing = await asked.call("show_dead_letter", { source: "mailer", id: "no-such-id" })
          assert.isTrue(missing.isError)
          assert.match(missing.content?.[0]?.text ?? "", /^LetterMissing: .*no-such-id/)
          const wrong = await asked.call("list_dead_letters", { source: "mailer", olderThan: "soon" })
          assert.isTrue(wrong.isError)
          assert.include(wrong.content?.[0]?.text, "olderThan")
          const untyped = await asked.ask("tools/call", { name: "list_dead_letters", arguments: { source: 7 } })
          assert.include(JSON.stringify(untyped), "source")
          const unknown = await asked.ask("tools/call", { name: "purge", arguments: {} })
          assert.isDefined(unknown.error)
          const alone = await asked.call("ps")
          assert.isTrue(alone.isError)
          assert.include(alone.content?.[0]?.text, "EVENTBUS_REDIS_URL")
          assert.isFalse((await asked.call("doctor")).isError)
        })
      })
    )
  },
  ["rabbit"]
)
