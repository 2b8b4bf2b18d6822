/** What the compiler says of a wrong upcaster: it points at the upcaster, and says what is missing or wrong there. */
import { spawnSync } from "node:child_process"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"

const root = join(import.meta.dirname, "..", "..")
const folder = join(root, "test/.generated-upcasters")

const head = `import { Schema } from "effect"
import { Event } from "../../src/index.ts"
const V1 = Schema.Struct({ id: Schema.String, grade: Schema.Finite })
const V2 = Schema.Struct({ id: Schema.String, grade: Schema.Finite, scale: Schema.String })
const V3 = Schema.Struct({ id: Schema.String, at: Schema.Date })
`

interface Case {
  readonly code: string
  /** The upcaster, or the other part of the definition, that the error is at. */
  readonly at: string
  readonly words: ReadonlyArray<string>
}

const cases: ReadonlyArray<Case> = [
  {
    code: `Event.make("a.b", { version: 2, data: V2, previous: [{ version: 1, data: V1, up: (old) => ({ ...old }) }] })`,
    at: "({ ...old })",
    words: ["Property 'scale' is missing"]
  },
  {
    code: `Event.make("a.b", {
  version: 3, data: V3,
  previous: [
    { version: 1, data: V1, up: (old) => ({ ...old, scale: old.grade }) },
    { version: 2, data: V2, up: (old) => ({ id: old.id, at: new Date(0) }) }
  ]
})`,
    at: "scale: old.grade",
    words: ["'number' is not assignable to type 'string'"]
  },
  {
    code: `Event.make("a.b", {
  version: 2, data: V2,
  previous: [{ version: 1, data: V1, up: (old) => { const scale = 1; return { ...old, scale } } }]
})`,
    at: "up: (old) => {",
    words: ["Upcaster<1, 2, ", "Types of property 'scale' are incompatible"]
  },
  {
    code: `const one = { version: 1, data: V1, up: (old: typeof V1.Type) => old } as const
Event.make("a.b", { version: 2, data: V2, previous: [one] })`,
    at: "one] })",
    words: ["The types returned by 'up(...)' are incompatible", "Property 'scale' is missing"]
  },
  {
    code: `Event.make("a.b", { version: 2, data: V2, previous: [{ version: 1, data: V1, up: (old) => ({ ...old, scale: old.scales }) }] })`,
    at: "scales })",
    words: ["Property 'scales' does not exist on type"]
  },
  {
    code: `Event.make("a.b", { version: 3, data: V3, previous: [{ version: 1, data: V1, up: ({ id }) => ({ id, at: new Date(0) }) }] })`,
    at: "version: 3",
    words: ["'3' is not assignable to type '2'"]
  },
  {
    code: `Event.make("a.b", { version: 2, data: V2, previous: [{ version: 2, data: V1, up: (old) => ({ ...old, scale: "x" }) }] })`,
    at: "version: 2, data: V1",
    words: ["'2' is not assignable to type '1'"]
  }
]

/** The errors of the compiler by file: where each is, and what it says. */
const compiled = (): ReadonlyMap<string, { readonly at: string; readonly text: string }> => {
  const { stdout } = spawnSync(join(root, "node_modules/.bin/tsc"), ["--noEmit", "--pretty", "false", "-p", folder], {
    encoding: "utf8",
    cwd: folder
  })
  const found = new Map<string, { at: string; text: string }>()
  for (const error of stdout.split(/\n(?=\S)/)) {
    const [, name = "", line = "", column = ""] = /^(?:.*\/)?(case-\d+)\.ts\((\d+),(\d+)\): /.exec(error) ?? []
    const code = cases[Number(name.slice("case-".length))]?.code ?? ""
    const at = `${head}${code}`.split("\n")[Number(line) - 1]?.slice(Number(column) - 1) ?? ""
    found.set(name, { at: found.get(name)?.at ?? at, text: `${found.get(name)?.text ?? ""}${error}\n` })
  }
  return found
}

describe("a wrong upcaster", () => {
  it("N36: is an error of the compiler that points at it, and says what it should return", () => {
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
    for (const [index, { code }] of cases.entries()) writeFileSync(join(folder, `case-${index}.ts`), `${head}${code}\n`)
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({
        extends: "../../tsconfig.json",
        compilerOptions: { noUnusedLocals: false },
        include: ["*.ts"]
      })
    )
    const errors = compiled()
    rmSync(folder, { recursive: true, force: true })
    for (const [index, { at, code, words }] of cases.entries()) {
      const error = errors.get(`case-${index}`) ?? assert.fail(`no error: ${code}`)
      assert.notInclude(error.text, "'previous' does not exist", code)
      assert.isTrue(error.at.startsWith(at), `at ${error.at}: ${error.text}`)
      for (const word of words) assert.include(error.text, word, code)
    }
  })
})
