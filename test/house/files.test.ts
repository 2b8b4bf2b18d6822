/** Files and functions: small, with a header, typed, and with time and chance from Effect. */
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { codeOf, functionsOf, glob, read, root, sources } from "./Sources.ts"

const linesOf = (file: string): number => read(file).trimEnd().split("\n").length

describe("a file of src", () => {
  it("has at most 300 lines", () => {
    assert.deepStrictEqual(
      sources.filter((file) => linesOf(file) > 300),
      []
    )
  })

  it("begins with a header that says what it is", () => {
    assert.deepStrictEqual(
      sources.filter((file) => !read(file).startsWith("/**")),
      []
    )
  })

  it("has no any and no ignored error", () => {
    const loose = /@ts-(?:ignore|expect-error)|\bas any\b|: any\b(?! \w)/
    assert.deepStrictEqual(
      sources.filter((file) => loose.test(codeOf(file))),
      []
    )
  })

  it("has no function above 80 lines", () => {
    const long = sources.flatMap(functionsOf).filter(({ lines }) => lines > 80)
    assert.deepStrictEqual(
      long.map(({ file, line, lines }) => `${file}:${line} has ${lines} lines`),
      []
    )
  })

  it("takes time, chance and output from Effect", () => {
    const exempt: Readonly<Record<string, string>> = {
      "src/app/runMain.ts": "the timer that ends a process which does not drain",
      "src/amqp/connection/BoundedClose.ts": "a close that never answers, raced outside of uninterruptible fibers",
      "src/amqp/consuming/Receiver.ts": "acknowledgements leave together, and no test clock may hold them back",
      "src/amqp/consuming/DeadLetterPump.ts": "the pause before a queue is read again, within a Promise of amqplib",
      "src/bus/health/EventLoop.ts": "the timer that notices a blocked event loop, which no test clock blocks",
      "src/page/Time.ts": "browsers, where no Effect runs",
      "src/testing/RealTimers.ts": "real time for real work, whatever the test clock says"
    }
    // The conformance suites are tests: they wait for brokers in real time.
    const code = sources.filter((file) => !file.startsWith("src/ports/conformance/"))
    const wild = /\b(?:Date\.now\(|new Date\(\)|Math\.random\(|setTimeout\(|setInterval\(|console\.)/
    assert.deepStrictEqual(
      code.filter((file) => exempt[file] === undefined && wild.test(codeOf(file))),
      []
    )
    assert.deepStrictEqual(
      Object.keys(exempt).filter((file) => !sources.includes(file) || !wild.test(codeOf(file))),
      []
    )
  })
})

describe("amqplib's private members", () => {
  it("are used in one file", () => {
    const only = "src/amqp/AmqplibInternals.ts"
    // Of a channel: its number, calls and writer. Of a connection: its socket, parser and counters. `link` is ours.
    const members =
      /(?<!\blink)\.(?:ch|sendMessage|sendImmediately|sendOrEnqueue|sentSinceLastCheck|recvFrame|frameMax|heartbeater|muxer)\b|\b(?:channel|model|connection)\.(?:stream|accept|reply|pending|rest)\b/
    const users = sources.filter((file) => file.startsWith("src/amqp/") && file !== only && members.test(codeOf(file)))
    assert.deepStrictEqual(users, [])
    assert.isTrue(members.test(codeOf(only)))
  })
})

describe("the lint", () => {
  const lint = (code: string): number | null => {
    const folder = mkdtempSync(join(tmpdir(), "house-lint-"))
    writeFileSync(join(folder, "sample.ts"), code)
    const { status } = spawnSync(
      join(root, "node_modules/.bin/oxlint"),
      ["--config", join(root, ".oxlintrc.json"), join(folder, "sample.ts")],
      { encoding: "utf8" }
    )
    rmSync(folder, { recursive: true })
    return status
  }

  it("N37: refuses the global Event, which a forgotten import would use", () => {
    assert.strictEqual(lint('export const made = new Event("academic.grade.posted")\n'), 1)
    assert.strictEqual(lint('import { Event } from "@eduflow/events"\n\nexport const made = Event\n'), 0)
  })
})

describe("prose", () => {
  /** Words of the promises, by which a bare number would have to be looked up. */
  const cited = /\bP\d{1,2}\b/g
  const comments = (file: string): ReadonlyArray<string> =>
    read(file).match(/\/\*[\s\S]*?\*\/|(?:^[ \t]*\/\/.*\n?)+/gm) ?? []

  it("says a promise in words: its number stands in brackets behind them", () => {
    const bare = sources.flatMap((file) =>
      comments(file).flatMap((comment) =>
        [...comment.matchAll(cited)]
          .filter(({ index }) => !/\p{L}{2,}[^()]*\($/u.test(comment.slice(0, index)))
          .map(([number]) => `${file}: ${number}`)
      )
    )
    assert.deepStrictEqual(bare, [])
    assert.deepStrictEqual(
      // The names of conformance cases carry the codes that COVERAGE.md is made of.
      sources.filter((file) => !file.startsWith("src/ports/conformance/") && /\bP\d{1,2}\b/.test(codeOf(file))),
      []
    )
  })

  it("is plain: none of the turns that a reader stumbles over", () => {
    const turns =
      /\b(?:(?:is|are|was|were|be|been) told\b|tells? of\b|may no more\b|so (?:many|long) (?:a|an|events|times)\b|[Ww]hat it fails with|[Ww]ho (?:hears|asks|gives|waits|has left)\b|outside of P\d)/
    const stumbles = sources.flatMap((file) =>
      comments(file)
        .filter((comment) => turns.test(comment.replace(/\s+\*?\s*/g, " ")))
        .map((comment) => `${file}: ${turns.exec(comment.replace(/\s+\*?\s*/g, " "))?.[0]}`)
    )
    assert.deepStrictEqual(stumbles, [])
  })
})

describe("a test file", () => {
  it("has at most 300 lines", () => {
    const tests = [...glob("test/**/*.ts"), ...glob("src/ports/**/*.ts")].filter((file) => !file.includes(".generated"))
    assert.deepStrictEqual(
      tests.filter((file) => linesOf(file) > 300),
      []
    )
  })
})
