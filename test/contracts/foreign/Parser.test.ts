/**
 * The official parser of AsyncAPI takes what `eventbus contracts asyncapi` writes. It brings 168 packages, one of them
 * with an install script that reports to its maker, so it has a lock of its own, is installed for this test alone, and
 * no script of it runs.
 */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { execFileSync } from "node:child_process"
import { cpSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterAll, beforeAll } from "vitest"
import * as AsyncApi from "../../../src/contracts/documents/AsyncApi.ts"
import { npmCi } from "../../../scripts/npm-ci.ts"
import { Event } from "../../../src/index.ts"
import { read } from "../../house/Sources.ts"
import { Tree } from "../Tree.ts"

interface Parsed {
  readonly diagnostics: ReadonlyArray<string>
  readonly version: string
  readonly operations: number
  readonly messages: number
}

describe("the official parser of AsyncAPI", () => {
  let folder = ""
  /** npm starts the Node that it finds first. */
  const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}` }

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "asyncapi-parser-"))
    cpSync(join(import.meta.dirname, "asyncapi"), folder, { recursive: true })
    npmCi(folder, env)
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const parse = (input: string): Parsed =>
    JSON.parse(execFileSync(process.execPath, ["parse.js"], { cwd: folder, input, encoding: "utf8" }))

  it("takes EduFlow's events without a remark", () => {
    const text = read("docs/events/asyncapi.json")
    const { components, operations } = JSON.parse(text)
    assert.deepStrictEqual(parse(text), {
      diagnostics: [],
      version: "3.1.0",
      operations: Object.keys(operations).length,
      messages: Object.keys(components.messages).length
    })
  })

  it("takes recursive schemas, odd names, and a service that has no subscriber", () => {
    const odd = Event.make("test.odd-one", { version: 1, data: Tree, key: (tree) => tree.name })
    const ask = Event.request("test.ask", {
      version: 1,
      data: Tree,
      reply: Tree,
      error: Schema.TaggedStruct("Refused", { why: Schema.String })
    })
    const described = { title: "odd", version: "0.0.0", namespace: "odd", publishes: undefined, publishers: [] }
    for (const [events, subscribers] of [
      [[odd], []],
      [[ask, odd], [{ name: "answers", events: ["test.ask"] }]],
      [
        [odd],
        [
          { name: "a", events: ["test.*"] },
          { name: "b", events: ["nobody.publishes"] }
        ]
      ]
    ] as const)
      assert.deepStrictEqual(parse(AsyncApi.print({ ...described, events, subscribers })).diagnostics, [])
  })

  it("finds what is wrong", () => {
    const text = read("docs/events/asyncapi.json")
    assert.isNotEmpty(parse(text.replace('"is": "queue"', '"is": "stack"')).diagnostics)
    assert.isNotEmpty(parse(text.replace("#/components/schemas/CloudEvent", "#/components/schemas/None")).diagnostics)
  })
})
