/**
 * The house keeps its order: imports flow one way, the door loads no client, files stay small and say what
 * they are, the README tells the truth about scripts, settings and examples, and every example compiles.
 */
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"
import { settings } from "../src/app/Config.ts"
import { library } from "../src/bus/Diagnosis.ts"
import { table } from "../scripts/readme.ts"

const root = resolve(import.meta.dirname, "..")
const files = (folder: string): ReadonlyArray<string> =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
const read = (file: string): string => readFileSync(join(root, file), "utf8")

interface Import {
  readonly from: string
  /** A file of ours by its path, a package by its name. */
  readonly to: string
  readonly typeOnly: boolean
  readonly dynamic: boolean
}

/** Import statements, re-exports and import() calls of the code of a file, its comments left out. */
const importsOf = (file: string): ReadonlyArray<Import> => {
  const code = read(file).replace(/\/\*[\s\S]*?\*\//g, "")
  const target = (specifier: string): string =>
    specifier.startsWith(".") ? relative(root, resolve(root, dirname(file), specifier)) : specifier
  const still = [...code.matchAll(/^(?:import|export)\b([^;"'`]*?)\bfrom\s*"([^"]+)"/gm)].map((match) => {
    const clause = match[1] ?? ""
    const names = /\{([\s\S]*)\}/
      .exec(clause)?.[1]
      ?.split(",")
      .map((name) => name.trim())
      .filter(Boolean)
    const typeOnly =
      /^\s*type\b/.test(clause) ||
      (names !== undefined && names.length > 0 && names.every((name) => name.startsWith("type ")))
    return { from: file, to: target(match[2] ?? ""), typeOnly, dynamic: false }
  })
  const bare = [...code.matchAll(/^import\s*"([^"]+)"/gm)].map((match) => ({
    from: file,
    to: target(match[1] ?? ""),
    typeOnly: false,
    dynamic: false
  }))
  const dynamic = [...code.matchAll(/\bimport\(\s*"([^"]+)"\s*\)/g)].map((match) => ({
    from: file,
    to: target(match[1] ?? ""),
    typeOnly: false,
    dynamic: true
  }))
  return [...still, ...bare, ...dynamic]
}

const sources = files("src")
const imports = sources.flatMap(importsOf)
const roomOf = (file: string): string => file.split("/").slice(1, -1)[0] ?? "door"

/** What each room may use. */
const allowed: Readonly<Record<string, ReadonlyArray<string>>> = {
  event: [],
  catalog: ["event"],
  observe: ["event"],
  bus: ["event", "observe"],
  amqp: ["event", "observe", "bus"],
  redis: ["event", "observe", "bus"],
  memory: ["event", "observe", "bus"],
  testing: ["event", "observe", "bus", "memory"],
  app: ["event", "observe", "bus", "amqp", "redis", "memory"],
  door: ["event", "observe", "bus", "app"]
}

describe("the house", () => {
  it("imports flow one way", () => {
    const wrong = imports.filter(({ from, to }) => {
      if (!to.startsWith("src/")) return false
      const [here, there] = [roomOf(from), roomOf(to)]
      const demo = from.startsWith("src/app/demo/") && there === "catalog"
      return here !== there && !demo && !allowed[here]?.includes(there)
    })
    assert.deepStrictEqual(
      wrong.map(({ from, to }) => `${from} -> ${to}`),
      []
    )
  })

  it("N13: importing the door loads no client", () => {
    const seen = new Set<string>()
    const packages = new Set<string>()
    const visit = (file: string): void => {
      if (seen.has(file)) return
      seen.add(file)
      for (const { dynamic, to, typeOnly } of importsOf(file)) {
        if (dynamic || typeOnly) continue
        if (to.startsWith("src/")) visit(to)
        else packages.add(to)
      }
    }
    visit("src/index.ts")
    const clients = [...packages].filter((name) =>
      /^(?:amqplib|ioredis|@opentelemetry|@effect\/platform-node)/.test(name)
    )
    assert.deepStrictEqual(clients, [])
    assert.isAbove(seen.size, 20)
  })

  it("N37: `Event` has an alias that no global is called, and the global is not used", async () => {
    const door = await import("../src/index.ts")
    assert.strictEqual(door.EventContract, door.Event)
    assert.include(read(".oxlintrc.json"), '"Event"')
  })

  it("takes modules of the big packages, never all of them", () => {
    const barrels = imports.filter(({ to }) => to === "@effect/platform-node" || to === "@effect/opentelemetry")
    assert.deepStrictEqual(barrels, [])
  })

  it("a file is one noun and says what it is", () => {
    const faults = sources.flatMap((file) => {
      const text = read(file)
      const lines = text.split("\n").length
      return [
        ...(lines > 300 ? [`${file} has ${lines} lines`] : []),
        ...(text.startsWith("/**") ? [] : [`${file} begins without a header`]),
        ...(/@ts-(?:ignore|expect-error)|\bas any\b|: any\b/.test(text.replace(/\/\*[\s\S]*?\*\//g, ""))
          ? [`${file} has an any or an ignored error`]
          : [])
      ]
    })
    assert.deepStrictEqual(faults, [])
  })

  it("time, chance and output come from Effect", () => {
    const exempt: Readonly<Record<string, string>> = {
      "src/app/runMain.ts": "the timer that ends a process which does not drain",
      "src/amqp/Connection.ts": "a close that never answers, raced outside of the fibers that cannot be interrupted",
      "src/amqp/Receiver.ts": "acknowledgements that leave together, which no clock of a test should hold back",
      "src/amqp/Intake.ts": "the pause before a queue is looked at again, within a Promise of amqplib's",
      "src/testing/TestBus.ts": "real time for real work, whatever the clock of the test says"
    }
    const wild = sources.filter(
      (file) =>
        exempt[file] === undefined &&
        /\b(?:Date\.now\(|new Date\(\)|Math\.random\(|setTimeout\(|setInterval\(|console\.)/.test(
          read(file).replace(/\/\*[\s\S]*?\*\//g, "")
        )
    )
    assert.deepStrictEqual(wild, [])
  })

  it("ships its doors and nothing else, with exact versions", () => {
    const manifest: {
      readonly version: string
      readonly exports: Record<string, unknown>
      readonly dependencies: Record<string, string>
      readonly devDependencies: Record<string, string>
    } = JSON.parse(read("package.json"))
    assert.deepStrictEqual(Object.keys(manifest.exports), [".", "./testing", "./catalog", "./package.json"])
    assert.strictEqual(library, `@eduflow/events ${manifest.version}`)
    const loose = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }).filter(
      ([, version]) => !/^\d+\.\d+\.\d+$/.test(version)
    )
    assert.deepStrictEqual(loose, [])
    // Every package that the sources import is a dependency of the users', not of ours alone.
    const used = new Set(
      imports
        .map(({ to }) => to)
        .filter((to) => !to.startsWith("src/") && !to.startsWith("node:"))
        .map((to) => (to.startsWith("@") ? to.split("/").slice(0, 2).join("/") : (to.split("/")[0] ?? to)))
    )
    assert.deepStrictEqual(
      [...used].filter((name) => manifest.dependencies[name] === undefined),
      []
    )
  })
})

describe("the README", () => {
  const readme = read("README.md")

  it("names scripts that exist", () => {
    const { scripts }: { readonly scripts: Record<string, string> } = JSON.parse(read("package.json"))
    const named = [...readme.matchAll(/npm (?:run )?([a-z:]+)/g)].map((match) => match[1] ?? "")
    const known = new Set([...Object.keys(scripts), "ci", "install", "i", "start", "test", "pack"])
    assert.deepStrictEqual(
      named.filter((name) => !known.has(name)),
      []
    )
  })

  it("tells the settings as they are", () => {
    assert.include(readme, table(Object.values(settings)))
  })

  it("shows examples that are run", () => {
    const examples = files("test/examples").map((file) =>
      read(file)
        .replaceAll("../../src/index.ts", "@eduflow/events")
        .replaceAll("../../src/testing/index.ts", "@eduflow/events/testing")
        .replaceAll("../../src/catalog/index.ts", "@eduflow/events/catalog")
    )
    const blocks = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1] ?? "")
    assert.isAbove(blocks.length, 5)
    const squeezed = examples.map((text) => text.replace(/\s+/g, " "))
    const strangers = blocks.filter(
      (block) => !squeezed.some((text) => text.includes(block.trim().replace(/\s+/g, " ")))
    )
    assert.deepStrictEqual(strangers, [])
  })
})

describe("docstrings", () => {
  it("have examples that compile", () => {
    const folder = join(root, "test/.generated")
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
    let count = 0
    for (const file of sources) {
      for (const match of read(file).matchAll(/\* ```ts\n([\s\S]*?)\* ```/g)) {
        const code = (match[1] ?? "").replace(/^ *\* ?/gm, "")
        writeFileSync(join(folder, `${file.replaceAll("/", "_").replace(".ts", "")}_${count++}.ts`), code)
      }
    }
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({
        extends: "../../tsconfig.json",
        compilerOptions: {
          noUnusedLocals: false,
          paths: {
            "@eduflow/events": ["../../src/index.ts"],
            "@eduflow/events/testing": ["../../src/testing/index.ts"],
            "@eduflow/events/catalog": ["../../src/catalog/index.ts"]
          }
        },
        include: ["*.ts"]
      })
    )
    const tsc = join(root, "node_modules/.bin/tsc")
    assert.isTrue(existsSync(tsc))
    const { status, stdout } = spawnSync(tsc, ["--noEmit", "-p", folder], { encoding: "utf8" })
    assert.strictEqual(`${stdout}${status}`, "0")
    assert.isAbove(count, 5)
    rmSync(folder, { recursive: true, force: true })
  }, 60_000)
})
