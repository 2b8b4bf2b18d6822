/** The command line itself, without a broker: help, mistakes, exit codes, schemas, and text that cannot harm a terminal. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { createServer, type Server } from "node:net"
import { stripVTControlCharacters } from "node:util"
import * as Contracts from "../../src/cli/Contracts.ts"
import { pages } from "../../src/cli/HelpPages.ts"
import { line } from "../../src/cli/Progress.ts"
import * as Text from "../../src/cli/Text.ts"
import { schemas } from "../../src/cli/commands/Schemas.ts"
import * as QueueLook from "../../src/amqp/inspect/QueueLook.ts"
import { Notes } from "../../src/bus/support/Notes.ts"
import { printable } from "../../src/event/FieldValue.ts"
import { read } from "../house/Sources.ts"
import { eventbus, reported } from "./Eventbus.ts"

describe("eventbus", () => {
  it.live("has a page of help for each command, with and without colours, and completions", () =>
    Effect.gen(function* () {
      const { completions, help, version } = yield* Effect.promise(pages)
      assert.strictEqual(version, JSON.parse(read("package.json")).version)
      assert.includeMembers(Object.keys(help), [
        "",
        "doctor",
        "dead-letters",
        "dead-letters replay",
        "topology retire event",
        "schema",
        "grants"
      ])
      for (const { color, plain } of Object.values(help)) {
        assert.match(plain, /USAGE\n {2}eventbus/)
        assert.notInclude(plain, "\u001b")
        assert.include(color, "\u001b[")
        assert.strictEqual(stripVTControlCharacters(color), plain)
      }
      for (const shell of ["bash", "zsh", "fish", "powershell"]) assert.include(completions[shell], "dead-letters")
      assert.strictEqual((yield* eventbus({}, "doctor", "--help")).out.trim(), help["doctor"]?.plain.trim())
    })
  )

  it.live("answers a mistake with what was meant, on standard error alone, with exit code 2", () =>
    Effect.gen(function* () {
      const typo = yield* eventbus({}, "doctr")
      assert.deepStrictEqual([typo.code, typo.out], [2, ""])
      assert.match(typo.err, /Did you mean this\?\s+doctor/)
      const flag = yield* eventbus({}, "doctor", "--jsno")
      assert.strictEqual(flag.code, 2)
      const escaped = yield* eventbus({}, "doctor", "--\u001b[2J")
      assert.strictEqual(escaped.code, 2)
      assert.notInclude(escaped.err, "\u001b")
      const { code, report } = yield* reported({}, "dead-letters", "list")
      assert.deepStrictEqual([code, report["kind"], report["exitCode"]], [2, "error", 2])
    })
  )

  it.live("says which setting is missing or cannot be read, without its value where that is an address", () =>
    Effect.gen(function* () {
      const none = yield* eventbus({}, "doctor")
      assert.strictEqual(none.code, 2)
      assert.include(none.err, "EVENTBUS_URL: it is not set")
      const secret = { EVENTBUS_URL: "amqp://u:s3cret-word#@host" }
      const list = yield* eventbus(secret, "dead-letters", "list", "mailer")
      assert.strictEqual(list.code, 2)
      assert.notInclude(list.err + list.out, "s3cret-word")
      const memory = yield* eventbus({ EVENTBUS_URL: "memory://" }, "dead-letters", "list", "mailer")
      assert.strictEqual(memory.code, 2)
      const contracts = yield* eventbus(secret, "doctor", "--contracts", "./no-such-module.ts")
      assert.strictEqual(contracts.code, 2)
      assert.include(contracts.err, "no-such-module.ts cannot be loaded")
      const nobody = { EVENTBUS_URL: "amqp://127.0.0.1:1", EVENTBUS_CONNECT_TIMEOUT: "100 millis" }
      const away = yield* eventbus(nobody, "dead-letters", "list", "mailer")
      assert.strictEqual(away.code, 3)
    })
  )

  it.live("does not wait for long for an address that accepts and says nothing, whatever the service would do", () =>
    Effect.gen(function* () {
      const silent = yield* Effect.acquireRelease(
        Effect.promise(
          () =>
            new Promise<Server>((resolve) => {
              const server = createServer().listen(0, "127.0.0.1", () => resolve(server))
            })
        ),
        (server) => Effect.sync(() => void server.close())
      )
      const address = silent.address()
      const port = typeof address === "object" ? address?.port : undefined
      const settings = { EVENTBUS_URL: `amqp://127.0.0.1:${port}`, EVENTBUS_CONNECT_TIMEOUT: "1 hour" }
      const { code, err } = yield* eventbus(settings, "dead-letters", "list", "mailer", "--timeout", "0.1")
      assert.strictEqual(code, 3)
      assert.include(err, "did not answer the handshake in time")
    })
  )

  it.live("warns of a password in its arguments, and takes it from the environment", () =>
    Effect.gen(function* () {
      const nobody = { EVENTBUS_URL: "amqp://127.0.0.1:1", EVENTBUS_CONNECT_TIMEOUT: "100 millis" }
      const url = "http://u:s3cret-word@127.0.0.1:1"
      const shown = yield* eventbus(nobody, "doctor", "--management", url)
      assert.include(shown.err, "set EVENTBUS_MANAGEMENT_URL instead")
      assert.notInclude(shown.err + shown.out, "s3cret-word")
      const set = yield* eventbus({ ...nobody, EVENTBUS_MANAGEMENT_URL: url }, "doctor")
      assert.strictEqual(set.err, "")
      assert.include(set.out, "the management API at 127.0.0.1:1 does not answer")
    })
  )

  it.live("knows every command that guide, runbook and its own hints name", () =>
    Effect.gen(function* () {
      const texts = ["docs/guides/operate.md", "docs/runbook.md", "src/amqp/inspect/TopologyLook.ts"].map(read)
      const inLines = texts.flatMap((text) => [...text.matchAll(/^(?:npx )?eventbus (.+?)(?: > \S+)?$/gm)])
      // In code it ends with the backtick, in a string of the source with the quote.
      const inCode = texts.flatMap((text) => [...text.matchAll(/`eventbus ((?:--)?[a-z][^`\n]*)`/g)])
      const inStrings = texts.flatMap((text) => [...text.matchAll(/"eventbus ([a-z][^"\n]*)"/g)])
      const named = [...inLines, ...inCode, ...inStrings].map(([, words = ""]) => words)
      assert.isAbove(named.length, 14)
      for (const words of named) {
        const args = (words.match(/"[^"]*"|\S+/g) ?? []).map((word) => word.replaceAll('"', ""))
        const { code, err, out } = yield* eventbus({}, ...args)
        if (args[0] === "schema" || args.includes("--help") || args.includes("--print") || words.startsWith("--"))
          assert.strictEqual(code, 0, words)
        // The name of a group alone shows its help.
        else if (words === "outbox") assert.include(out, "USAGE", words)
        else if (args[0] === "outbox") assert.include(err, "no database is named", words)
        else assert.include(err, "EVENTBUS_URL: it is not set", words)
      }
      const contracts = new URL("../../examples/operate/contracts.ts", import.meta.url).pathname
      const { contracts: events, subscribers } = yield* Contracts.load(contracts, [])
      assert.deepStrictEqual([...events.keys()], ["academic.grade.posted"])
      assert.deepStrictEqual(subscribers, ["notification.grade-mailer"])
    })
  )

  it("documents its exit codes and the schema of each report", () => {
    const guide = read("docs/guides/operate.md")
    for (const code of [0, 1, 2, 3, 4, 130]) assert.match(guide, new RegExp(`^\\| ${code} \\|`, "m"))
    for (const [command, document] of Object.entries(schemas())) {
      assert.include(JSON.stringify(document), '"version"', command)
      assert.include(JSON.stringify(document), '"kind"', command)
    }
  })
})

describe("text", () => {
  it("moves no cursor, changes no colour and turns no line round", () => {
    const hostile = "a\u001b[31mb\rc\u009bd\u202ee\u2066f\u2028g\nh\u0000"
    assert.notMatch(printable(hostile), /[\p{Cc}\u202e\u2066\u2028]/u)
    assert.strictEqual(JSON.parse(Text.json({ hostile })).hostile, hostile)
    assert.notMatch(Text.json({ hostile }), /[\p{Cc}\u202e\u2066\u2028]/u)
  })

  it("progress is never wider than the terminal", () => {
    for (const width of [0, 1, 5, 39, 80]) assert.isAtMost(line("replayed", 12_345, 20_000, width).length, width)
    assert.include(line("replayed", 10, 20, 80), "[##########..........] replayed 10 of 20")
  })
})

describe("queues, as the management API describes those of a cluster", () => {
  const queue = (name: string, more: object = {}) => ({ name: `ns.${name}`, type: "quorum", state: "running", ...more })
  const checksOf = (queues: ReadonlyArray<object>, nodes: number): ReadonlyArray<string> => {
    const notes = new Notes()
    QueueLook.look(
      notes,
      "ns",
      "/",
      queues.map((one) => ({ ...one })),
      nodes
    )
    return notes.findings.map(({ check }) => check)
  }

  it("leaders all on one node, queues without a majority, dead letters that are stuck", () => {
    const names = Array.from({ length: 8 }, (_, level) => `delay.0${level}`)
    const led = (leader: (at: number) => string) => names.map((name, at) => queue(name, { leader: leader(at) }))
    assert.deepStrictEqual(
      checksOf(
        led(() => "a@1"),
        3
      ),
      ["rabbitmq.leaders"]
    )
    assert.deepStrictEqual(
      checksOf(
        led(() => "a@1"),
        1
      ),
      []
    )
    assert.deepStrictEqual(
      checksOf(
        led((at) => `a@${at % 3}`),
        3
      ),
      []
    )
    assert.deepStrictEqual(checksOf([queue("delay.00", { state: "minority" })], 3), ["rabbitmq.queues.majority"])
    assert.deepStrictEqual(checksOf([queue("delay.00", { messages_dlx: 3 })], 3), ["rabbitmq.dead-letters.stuck"])
  })
})
