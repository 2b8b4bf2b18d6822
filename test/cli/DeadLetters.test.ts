/** `eventbus dead-letters` on a real RabbitMQ. */
import { assert, it } from "@effect/vitest"
import { connect } from "amqplib"
import { Effect, Schedule, Schema } from "effect"
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { EventBus, Reject } from "../../src/index.ts"
import { byCommand } from "../../src/operations/Reports.ts"
import { describeLive, freshNamespace, rabbitUrl } from "../support/live.ts"
import { Posted } from "./contracts.ts"
import { eventbus, reported, type Settings } from "./Eventbus.ts"

const contracts = ["--contracts", new URL("./contracts.ts", import.meta.url).pathname]

/**
 * A namespace with this many letters, in the order of their numbers: one handler at a time, and one channel, since
 * letters of different keys overtake each other on two. Their messages would clear a screen and turn text round.
 */
const withLetters = (count: number) =>
  Effect.gen(function* () {
    const namespace = freshNamespace()
    const handled: Array<string> = []
    yield* Effect.gen(function* () {
      const bus = yield* EventBus
      yield* bus.subscribe("mailer", {
        events: [Posted],
        ordering: "key",
        onBlocked: "park",
        concurrency: 1,
        handler: ({ data }) =>
          Effect.sync(() => handled.push(data.text)).pipe(
            Effect.andThen(Effect.fail(new Reject({ reason: `no\u001b[2Jway ${data.text} \u202e` })))
          )
      })
      for (let number = 0; number < count; number++)
        yield* bus.publish(Posted, { text: `text-${number}`, pin: `pin-code-${number}` })
      yield* Effect.repeat(
        Effect.sync(() => handled.length),
        { until: (done) => done >= count, schedule: Schedule.spaced("20 millis") }
      )
    }).pipe(Effect.scoped, Effect.provide(EventBus.layerAmqp({ url: rabbitUrl(), namespace, publishChannels: 1 })))
    const settings: Settings = { EVENTBUS_URL: rabbitUrl(), EVENTBUS_NAMESPACE: namespace }
    return { namespace, settings }
  })

describeLive(
  "eventbus dead-letters",
  () => {
    it.live("counts them, lists pages, and shows one without what is sensitive", () =>
      Effect.gen(function* () {
        const { settings } = yield* withLetters(5)
        const { report: counted } = yield* reported(settings, "dead-letters", "sources", "--subscriber", "mailer")
        assert.deepStrictEqual(counted["sources"], [
          { source: "mailer", letters: 5, problem: null },
          { source: "undeliverable", letters: 0, problem: null }
        ])
        const first = yield* reported(settings, "dead-letters", "list", "mailer", "--limit", "3")
        const page = Schema.decodeUnknownSync(byCommand["dead-letters list"])(first.report)
        assert.deepStrictEqual(
          page.letters.map(({ key }) => key),
          ["text-0", "text-1", "text-2"]
        )
        const second = yield* reported(settings, "dead-letters", "list", "mailer", "--after", page.next ?? "")
        assert.deepStrictEqual(
          Schema.decodeUnknownSync(byCommand["dead-letters list"])(second.report).letters.map(({ key }) => key),
          ["text-3", "text-4"]
        )

        const id = page.letters[1]?.id ?? ""
        const { code, out } = yield* eventbus(settings, "dead-letters", "show", "mailer", id, "--body", ...contracts)
        assert.strictEqual(code, 0)
        assert.match(out, /^event +test\.posted$/m)
        assert.match(out, /^reason +Rejected$/m)
        assert.include(out, "text-1")
        assert.notInclude(out, "pin-code-1")
        // Neither the screen is cleared nor the text turned round.
        assert.include(out, "no\\u001b[2Jway text-1 \\u202e")
        assert.notMatch(out, /(?!\n)\p{Cc}|\u202e/u)
        const shown = yield* reported(settings, "dead-letters", "show", "mailer", id)
        assert.isNull(Schema.decodeUnknownSync(byCommand["dead-letters show"])(shown.report).body)
        // Looking took none of them.
        const again = yield* reported(settings, "dead-letters", "list", "mailer")
        assert.lengthOf(Schema.decodeUnknownSync(byCommand["dead-letters list"])(again.report).letters, 5)
      })
    )

    it.live("replays and discards with --yes only, and says before what it would do", () =>
      Effect.gen(function* () {
        const { namespace, settings } = yield* withLetters(6)
        const depth = (queue: string) =>
          Effect.promise(async () => {
            const model = await connect(rabbitUrl())
            const channel = await model.createChannel()
            const { messageCount } = await channel.checkQueue(`${namespace}.${queue}.mailer`)
            await model.close()
            return messageCount
          })
        const dry = yield* eventbus(settings, "dead-letters", "replay", "mailer", "--event-key", "text-2")
        assert.match(dry.out, /^1 would be replayed$/m)
        assert.match(dry.out, /nothing was changed: the same with --yes does it/)
        yield* eventbus(settings, "dead-letters", "discard", "mailer", "--all")
        assert.deepStrictEqual([yield* depth("dead"), yield* depth("sub")], [6, 0])

        const done = yield* reported(settings, "dead-letters", "replay", "mailer", "--event-key", "text-2", "--yes")
        const replayed = Schema.decodeUnknownSync(byCommand["dead-letters replay"])(done.report)
        assert.deepStrictEqual([done.code, replayed.dryRun, replayed.replayed, replayed.remaining], [0, false, 1, 5])
        const gone = yield* reported(settings, "dead-letters", "discard", "mailer", "--limit", "2", "--all", "--yes")
        const discarded = Schema.decodeUnknownSync(byCommand["dead-letters discard"])(gone.report)
        assert.deepStrictEqual([discarded.discarded, discarded.reasons], [2, { Rejected: 2 }])
        yield* Effect.repeat(depth("dead"), { until: (count) => count === 3, schedule: Schedule.spaced("20 millis") })
        yield* Effect.repeat(depth("sub"), { until: (count) => count === 1, schedule: Schedule.spaced("20 millis") })
      })
    )

    it.live("refuses to discard what nobody selected, and names what it does not know", () =>
      Effect.gen(function* () {
        const { settings } = yield* withLetters(1)
        const all = yield* eventbus(settings, "dead-letters", "discard", "mailer", "--yes")
        assert.deepStrictEqual([all.code, all.out], [2, ""])
        assert.include(all.err, "no dead letters are selected")
        const when = yield* eventbus(settings, "dead-letters", "list", "mailer", "--older-than", "yesterday")
        assert.strictEqual(when.code, 2)
        assert.include(when.err, "olderThan")
        const id = yield* eventbus(settings, "dead-letters", "show", "mailer", "none")
        assert.strictEqual(id.code, 1)
        assert.include(id.err, 'no dead letter of "mailer" has the id "none"')
        const nobody = yield* reported(settings, "dead-letters", "list", "nobody")
        assert.strictEqual(nobody.code, 1)
        assert.strictEqual(nobody.report["kind"], "error")
      })
    )

    it.live("exports each letter once, to a file of its owner that it does not overwrite", () =>
      Effect.gen(function* () {
        const { settings } = yield* withLetters(4)
        const folder = mkdtempSync(join(tmpdir(), "eventbus-export-"))
        const file = join(folder, "letters.ndjson")
        const args = ["dead-letters", "export", "mailer", "--body", "--out", file, ...contracts]
        const { report } = yield* reported(settings, ...args)
        assert.strictEqual(Schema.decodeUnknownSync(byCommand["dead-letters export"])(report).letters, 4)
        const text = readFileSync(file, "utf8")
        const letters = text
          .trimEnd()
          .split("\n")
          .map((line) => Schema.decodeUnknownSync(byCommand["dead-letters show"])(JSON.parse(line)))
        assert.deepStrictEqual(
          letters.map(({ key }) => key),
          ["text-0", "text-1", "text-2", "text-3"]
        )
        assert.notInclude(text, "pin-code")
        assert.strictEqual(statSync(file).mode & 0o777, 0o600)
        const again = yield* eventbus(settings, ...args)
        assert.strictEqual(again.code, 2)
        assert.strictEqual(readFileSync(file, "utf8"), text)
        rmSync(folder, { recursive: true })
        assert.isFalse(existsSync(file))
      })
    )

    it.live("looks only: where nothing is declared it says so, and declares nothing", () =>
      Effect.gen(function* () {
        const namespace = freshNamespace()
        const settings = { EVENTBUS_URL: rabbitUrl(), EVENTBUS_NAMESPACE: namespace }
        const { code, err } = yield* eventbus(settings, "dead-letters", "list", "mailer")
        assert.strictEqual(code, 1)
        assert.include(err, `${namespace}.events does not exist`)
        const { code: again } = yield* eventbus(settings, "dead-letters", "list", "mailer")
        assert.strictEqual(again, 1)
      })
    )
  },
  ["rabbit"]
)
