/**
 * The module of NestJS as its users get it: packed, installed in empty folders, in apps of Nest 11 and 12, as CommonJS and
 * as ES modules, run by Node, Jest and Vitest.
 */
import { spawnSync } from "node:child_process"
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { npmCi } from "../../scripts/npm-ci.ts"
import { root } from "../house/Sources.ts"
import { env, install, pack } from "./Pack.ts"

const fixture = join(import.meta.dirname, "nest")
const ofRoot = (name: string): string => join(root, "node_modules", name)
const twelve = [
  "@nestjs/common",
  "@nestjs/core",
  "@nestjs/platform-express",
  "@nestjs/terminus",
  "@nestjs/testing",
  "reflect-metadata",
  "rxjs"
]

describe("an app of NestJS with the packed library", () => {
  let folder = ""
  const at = (...path: ReadonlyArray<string>): string => join(folder, ...path)

  /** Runs a program of an app; its output, whatever becomes of it. */
  const run = (
    app: string,
    file: string,
    args: ReadonlyArray<string>,
    settings: Readonly<Record<string, string>> = {}
  ) => {
    const { status, stderr, stdout } = spawnSync(process.execPath, [file, ...args], {
      cwd: at(app),
      encoding: "utf8",
      env: { ...env, ...settings },
      // For a program that hangs.
      timeout: 300_000
    })
    return { status, output: `${stdout}${stderr}`, last: stdout.trimEnd().split("\n").at(-1) ?? "" }
  }

  const write = (app: string, file: string, content: object): void =>
    writeFileSync(at(app, file), JSON.stringify(content))

  /** An app of these dependencies, in its form of modules, compiled. */
  const make = (app: string, type: "commonjs" | "module", dependencies: object): void => {
    write(app, "package.json", { name: app, private: true, type, dependencies })
    write(app, "tsconfig.json", {
      compilerOptions: {
        target: "ES2023",
        lib: ["ES2024"],
        module: "nodenext",
        strict: true,
        experimentalDecorators: true,
        emitDecoratorMetadata: true,
        rootDir: "src",
        outDir: "dist",
        typeRoots: [ofRoot("@types")],
        types: ["node"],
        skipLibCheck: true
      },
      include: ["src"]
    })
    write(app, "jest.config.json", { testEnvironment: "node", rootDir: "dist", transform: {}, testTimeout: 300_000 })
    cpSync(join(fixture, "src"), at(app, "src"), { recursive: true })
    install(at(app))
    const { output, status } = run(app, join(ofRoot("typescript"), "bin/tsc"), [])
    assert.strictEqual(status, 0, output)
  }

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "eventbus-nest-"))
    const packed = pack(folder)
    // Nest 11 and Jest have a lock of their own, and are installed when this runs first.
    const eleven = join(fixture, "eleven")
    if (!existsSync(join(eleven, "node_modules/.package-lock.json"))) npmCi(eleven)
    cpSync(eleven, at("eleven"), { recursive: true })
    const { dependencies }: { readonly dependencies: object } = JSON.parse(
      readFileSync(join(eleven, "package.json"), "utf8")
    )
    make("eleven", "commonjs", { ...dependencies, ...packed })
    const links = Object.fromEntries(twelve.map((name) => [name, `file:${ofRoot(name)}`]))
    for (const [app, type] of [
      ["twelve", "module"],
      ["twelve-commonjs", "commonjs"]
    ] as const) {
      mkdirSync(at(app))
      make(app, type, { ...links, ...packed })
    }
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const apps = ["eleven", "twelve", "twelve-commonjs"]

  it.each(apps)("%s: runs, drains at its end, and rejects a start that fails", (app) => {
    const { last, output, status } = run(app, "dist/main.js", [])
    assert.strictEqual(status, 0, output)
    assert.deepStrictEqual(JSON.parse(last), [201, { routed: true }, 200, ["hello"], "BrokerError"], output)
  })

  it.each(apps)("%s: is tested by Jest", (app) => {
    const { output, status } = run(app, at("eleven/node_modules/jest/bin/jest.js"), ["--config", "jest.config.json"], {
      NODE_OPTIONS: "--experimental-vm-modules"
    })
    assert.strictEqual(status, 0, output)
    assert.match(output, /Tests: +1 passed, 1 total/)
  })

  it.each(apps)("%s: is tested by Vitest", (app) => {
    const args = ["run", "--root", at(app), "--globals", "--testTimeout=300000", "--dir", at(app, "src")]
    const { output, status } = run(app, join(ofRoot("vitest"), "vitest.mjs"), args)
    assert.strictEqual(status, 0, output)
    assert.match(output, /Tests .*1 passed/)
  })
})
