/** `eventbus contracts …`: without a broker and without any setting. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFileSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type * as Finding from "../../src/contracts/Finding.ts"
import { eventbus, reported } from "./Eventbus.ts"

const module = (name: string): string => new URL(`contracts/${name}.ts`, import.meta.url).pathname
const before = ["--contracts", module("before")]
const after = ["--contracts", module("after")]

/** A folder with a repository, for the time of a test. */
const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "contracts-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const git = (cwd: string, ...args: ReadonlyArray<string>): void =>
  void execFileSync("git", ["-c", "user.name=test", "-c", "user.email=test@localhost", ...args], { cwd, stdio: "pipe" })

describe("eventbus contracts", () => {
  it.live("writes a snapshot, once, and finds nothing against it", () =>
    Effect.gen(function* () {
      const file = join(yield* folder, "contracts.snapshot.json")
      const none = yield* eventbus({}, "contracts", "check", ...before, "--baseline", file)
      assert.strictEqual(none.code, 2)
      assert.include(none.err, "eventbus contracts snapshot")
      const first = yield* reported({}, "contracts", "snapshot", ...before, "--baseline", file)
      assert.deepStrictEqual([first.code, first.report["changed"], first.report["events"]], [0, true, 2])
      const again = yield* reported({}, "contracts", "snapshot", ...before, "--baseline", file)
      assert.strictEqual(again.report["changed"], false)
      // As a formatter may leave it.
      writeFileSync(file, JSON.stringify(JSON.parse(readFileSync(file, "utf8"))))
      const check = yield* reported({}, "contracts", "check", ...before, "--baseline", file)
      assert.deepStrictEqual(check.report, {
        kind: "contracts.check",
        version: 1,
        against: file,
        compatible: true,
        current: true,
        findings: []
      })
      assert.strictEqual(check.code, 0)
      writeFileSync(file, "{}")
      assert.strictEqual((yield* eventbus({}, "contracts", "check", ...before, "--baseline", file)).code, 2)
    })
  )

  it.live("fails on what breaks somebody, against the file and against a revision, also when the file follows", () =>
    Effect.gen(function* () {
      const path = yield* folder
      const file = join(path, "contracts.snapshot.json")
      yield* eventbus({}, "contracts", "snapshot", ...before, "--baseline", file)
      git(path, "init", "--quiet")
      git(path, "add", ".")
      git(path, "commit", "--quiet", "-m", "snapshot")
      const rules = [
        "event-removed mailer",
        "subscriber-of-removed mailer",
        "subscriber-unpublished archive",
        "value-added mailer"
      ]
      const against = (...more: ReadonlyArray<string>) =>
        Effect.map(reported({}, "contracts", "check", ...after, "--baseline", file, ...more), ({ code, report }) => ({
          code,
          current: report["current"],
          rules: (report["findings"] as ReadonlyArray<Finding.Finding>)
            .map(({ rule, subscribers }) => `${rule} ${subscribers.join(" ")}`)
            .toSorted()
        }))
      assert.deepStrictEqual(yield* against(), { code: 4, current: false, rules })
      yield* eventbus({}, "contracts", "snapshot", ...after, "--baseline", file)
      assert.deepStrictEqual(yield* against(), {
        code: 4,
        current: true,
        rules: ["subscriber-unpublished archive", "subscriber-unpublished mailer"]
      })
      assert.deepStrictEqual(yield* against("--against", "HEAD"), { code: 4, current: true, rules })
      for (const revision of ["nowhere", "--output=x"])
        assert.strictEqual(
          (yield* eventbus({}, "contracts", "check", ...after, "--baseline", file, `--against=${revision}`)).code,
          2
        )
      assert.isFalse(existsSync(join(path, "x")))
    })
  )

  it.live("says what one needs: event, version, field, rule, who is affected and the way out", () =>
    Effect.gen(function* () {
      const file = join(yield* folder, "contracts.snapshot.json")
      yield* eventbus({}, "contracts", "snapshot", ...before, "--baseline", file)
      const { code, out } = yield* eventbus({}, "contracts", "check", ...after, "--baseline", file)
      assert.strictEqual(code, 4)
      assert.include(
        out,
        [
          "breaks   test.posted version 1 data.mood: value-added",
          '         data.mood may be "mixed" now',
          "         affects subscribers with the contract of before (mailer)",
          "         > Give test.posted the version 2, and put version 1 with an upcaster into `previous`"
        ].join("\n")
      )
      assert.include(out, "4 changes break what")
      const diff = yield* eventbus({}, "contracts", "diff", ...after, "--baseline", file)
      assert.strictEqual(diff.code, 0)
      assert.include(diff.out, "- test.removed: the event")
      assert.include(diff.out, '["bad","good"] -> ["bad","good","mixed"]')
    })
  )

  it.live("lists and shows contracts, their JSON Schema and the catalogue", () =>
    Effect.gen(function* () {
      const list = yield* eventbus({}, "contracts", "list", ...before)
      assert.include(list.out, "test.posted   1        {text}  mailer")
      const show = yield* eventbus({}, "contracts", "show", "test.posted", ...before)
      assert.include(show.out, '"key": "{text}"')
      assert.strictEqual((yield* eventbus({}, "contracts", "show", "test.nothing", ...before)).code, 2)
      const schemas = JSON.parse((yield* eventbus({}, "contracts", "jsonschema", ...before)).out)
      assert.deepStrictEqual(Object.keys(schemas), ["test.posted.v1", "test.removed.v1"])
      const page = yield* eventbus({}, "contracts", "markdown", ...before)
      assert.include(page.out, '| mood | "bad" \\| "good" | yes |')
      const asyncApi = JSON.parse((yield* eventbus({}, "contracts", "asyncapi", ...before)).out)
      assert.deepStrictEqual(Object.keys(asyncApi.operations).toSorted(), [
        "handle.mailer",
        "publish.test.posted",
        "publish.test.removed"
      ])
      assert.strictEqual(asyncApi.channels["subscriber.mailer"].address, "eduflow.sub.mailer")
      const other = { EVENTBUS_NAMESPACE: "other" }
      assert.include((yield* eventbus(other, "contracts", "asyncapi", ...before)).out, '"other.sub.mailer"')
      assert.include((yield* eventbus({}, "contracts", "types", ...before)).out, "export type TestPostedV1 = {")
      assert.include(
        (yield* eventbus({}, "contracts", "html", ...before)).out,
        "<td>&quot;bad&quot; | &quot;good&quot;"
      )
      const nothing = yield* eventbus({}, "contracts", "list")
      assert.strictEqual(nothing.code, 2)
      assert.include(nothing.err, "there are no contracts")
    })
  )
})
