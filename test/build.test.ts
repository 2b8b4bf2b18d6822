/**
 * What is shipped: the doors as they are built. The other tests run the sources; this one looks at what the bundler
 * made of them.
 */
import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { afterAll, beforeAll } from "vitest"
import * as catalog from "../src/catalog/index.ts"
import * as index from "../src/index.ts"
import * as nest from "../src/nest/index.ts"
import * as outbox from "../src/outbox/index.ts"
import * as ports from "../src/ports/index.ts"
import * as testing from "../src/testing/index.ts"

const root = resolve(import.meta.dirname, "..")
const run = (args: ReadonlyArray<string>): string =>
  execFileSync(process.execPath, args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] })
const doors: Readonly<Record<string, object>> = {
  index,
  "testing/index": testing,
  "ports/index": ports,
  "catalog/index": catalog,
  "outbox/index": outbox,
  "nest/index": nest
}

describe("the build", () => {
  let folder = ""
  beforeAll(() => {
    // Below the root: what is built finds its packages.
    folder = mkdtempSync(join(root, "node_modules/.build-"))
    run(["scripts/build.ts", folder])
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  /** What a script writes last, behind the log. */
  const script = (code: string): unknown =>
    JSON.parse(run(["--input-type=module", "--eval", code]).trimEnd().split("\n").at(-1) ?? "")
  const at = (door: string): string => JSON.stringify(pathToFileURL(join(folder, `${door}.js`)))

  it("has the names of the sources, and types", () => {
    for (const [door, source] of Object.entries(doors)) {
      assert.deepStrictEqual(
        script(`console.log(JSON.stringify(Object.keys(await import(${at(door)})).sort()))`),
        Object.keys(source).toSorted()
      )
      assert.isTrue(existsSync(join(folder, `${door}.d.ts`)))
    }
  })

  const loadedBy = (door: string): ReadonlyArray<string> => {
    const loaded = script(`
      import { registerHooks } from "node:module"
      const loaded = []
      registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) })
      await import(${door})
      console.log(JSON.stringify(loaded))
    `)
    assert.isTrue(Array.isArray(loaded))
    return Array.isArray(loaded) ? loaded.map(String) : []
  }

  it("N13: importing the door loads a few files, and no client", () => {
    const files = loadedBy(at("index"))
    assert.deepStrictEqual(
      files.filter((file) => /amqplib|ioredis|opentelemetry|platform-node|parts\/(?!door|rolldown-runtime)/.test(file)),
      []
    )
    assert.isAtMost(files.filter((file) => file.includes("/.build-")).length, 3)
  })

  it("importing the door loads a third of effect: neither Schema nor Stream", () => {
    const ofEffect = loadedBy(at("index")).filter((file) => file.includes("/node_modules/effect/"))
    assert.deepStrictEqual(
      ofEffect.filter((file) => /dist\/(?:index|Schema\w*|Stream|Channel|Config\w*)\.js$/.test(file)),
      []
    )
    // The time of an import follows the number of files, which no other process changes.
    assert.isAtMost(ofEffect.length / loadedBy('"effect"').length, 1 / 3)
  })

  it("no door but its own loads NestJS, and that one loads no client, no test kit and nothing of terminus", () => {
    for (const door of Object.keys(doors)) {
      const packages = loadedBy(at(door)).filter((file) => file.includes("/node_modules/@nestjs/"))
      assert.strictEqual(packages.length > 0, door === "nest/index", door)
      assert.deepStrictEqual(
        packages.filter((file) => !/@nestjs\/(?:common|core)\//.test(file)),
        []
      )
    }
    const [main, files] = [loadedBy(at("index")), loadedBy(at("nest/index"))]
    const more = files.filter((file) => file.includes("/.build-") && !main.includes(file))
    assert.deepStrictEqual(more.map((file) => file.split("/").at(-1)).toSorted(), [
      "BusRuntime.js",
      "HandlerOptions.js",
      "Paths.js",
      "WrittenHandler.js",
      "index.js"
    ])
  })

  it("is one library behind all doors: the test kit's bus is the door's", () => {
    const handled = script(`
      import { Effect, Layer, Schema } from "effect"
      import { Event, EventBus, Subscriber } from ${at("index")}
      import { TestBus } from ${at("testing/index")}
      const Posted = Event.make("a.b", { version: 1, data: Schema.Struct({ text: Schema.String }) })
      const seen = []
      const Reader = Subscriber.layer("reader", {
        events: [Posted],
        handler: (event) => Effect.sync(() => seen.push(event.data.text))
      })
      await Effect.runPromise(
        Effect.gen(function* () {
          yield* (yield* EventBus).publish(Posted, { text: "hello" })
          yield* (yield* TestBus).settle
        }).pipe(Effect.provide(Reader.pipe(Layer.provideMerge(TestBus.layer))))
      )
      console.log(JSON.stringify(seen))
    `)
    assert.deepStrictEqual(handled, ["hello"])
  })

  describe("two copies of effect", () => {
    let service = ""
    beforeAll(() => {
      // The service's own copy, and the library with the copy of this repository.
      service = mkdtempSync(join(tmpdir(), "two-effects-"))
      const modules = join(service, "node_modules")
      const library = join(modules, "@eduflow/events")
      mkdirSync(join(library, "node_modules"), { recursive: true })
      cpSync(join(root, "package.json"), join(library, "package.json"))
      cpSync(folder, join(library, "dist"), { recursive: true })
      symlinkSync(join(root, "node_modules/effect"), join(library, "node_modules/effect"))
      cpSync(join(root, "node_modules/effect"), join(modules, "effect"), {
        recursive: true,
        filter: (file) => !/\/src(?:\/|$)|\.(?:ts|map)$/.test(file.slice(root.length))
      })
    })
    afterAll(() => rmSync(service, { recursive: true, force: true }))

    /** The output of a program of the service. It prints the message of what went wrong. */
    const output = (code: string): string =>
      execFileSync(process.execPath, ["--input-type=module", "--eval", `${imports}${code}`], {
        cwd: service,
        encoding: "utf8"
      })
    const imports = `
      import { createEventBus, Event, EventBus } from "@eduflow/events"
      import { Effect, Schema } from "effect"
      const Posted = Event.make("a.b", { version: 1, data: Schema.Struct({ at: Schema.DateFromString }) })
      const say = (error) => console.log(error instanceof Error ? error.name + ": " + error.message : String(error))
    `

    it("end in one clear error when the bus is built by a runtime of the other", () => {
      const said = output(`
        const publish = Effect.flatMap(EventBus, (bus) => bus.publish(Posted, { at: new Date() }))
        await Effect.runPromise(Effect.provide(publish, EventBus.layerMemory())).catch(say)
      `)
      assert.match(said, /^DuplicateEffect: two copies of effect are loaded: the runtime that builds the bus/)
      for (const word of ["npm ls effect", "npm dedupe", "/node_modules/effect/"]) assert.include(said, word)
    })

    it("end in the same error when a contract's schema is of the other", () => {
      const said = output(`
        const bus = await createEventBus({ url: "memory://" })
        await bus.subscribe("reader", { events: [Posted], handler: () => {} }).catch(say)
        await bus.publish(Posted, { at: new Date() }).catch(say)
        await bus.close()
      `)
      const [first, second, ...rest] = said.trim().split("\n")
      assert.match(first ?? "", /^DuplicateEffect: two copies of effect are loaded: the schema of event "a\.b"/)
      assert.strictEqual(second, first)
      assert.deepStrictEqual(rest, [])
    })

    it("are no matter once there is one", () => {
      rmSync(join(service, "node_modules/@eduflow/events/node_modules"), { recursive: true })
      const said = output(`
        const bus = await createEventBus({ url: "memory://" })
        console.log((await bus.publish(Posted, { at: new Date() })).routed)
        await bus.close()
      `)
      // The log says that it reached nobody.
      assert.include(said.split("\n"), "false")
    })
  })

  it("has the page of the operations: one script, and what it needs", () => {
    const found = script(`
      import { operations } from ${at("index")}
      import { Deferred, Effect, Layer } from "effect"
      const served = await Effect.runPromise(
        Effect.scoped(
          Effect.gen(function* () {
            const address = yield* Deferred.make()
            const onListen = (url) => Deferred.doneUnsafe(address, Effect.succeed(url))
            yield* Layer.build(operations({ port: 0, authorize: () => Effect.undefined, onListen }, { url: "memory://" }))
            const url = yield* Deferred.await(address)
            return yield* Effect.promise(() =>
              Promise.all(["/", "/page/main.js", "/page/style.css", "/page/icon.svg", "/page/Dom.js"].map(async (path) => {
                const response = await fetch(url + path)
                return [response.status, response.headers.get("content-type"), await response.text()]
              }))
            )
          })
        )
      )
      console.log(JSON.stringify(served))
    `) as ReadonlyArray<readonly [number, string, string]>
    assert.deepStrictEqual(
      found.map(([status, type]) => [status, type.split(";")[0]]),
      [
        [200, "text/html"],
        [200, "text/javascript"],
        [200, "text/css"],
        [200, "image/svg+xml"],
        [404, "application/json"]
      ]
    )
    const [, [, , code] = []] = found
    assert.notMatch(code ?? "", /\bimport\b|\bexport\b/)
    assert.isAtMost((code ?? "").length, 60_000)
    assert.isFalse(existsSync(join(folder, "page/main.d.ts")))
  })

  it("a value that is no schema of effect 4 is a wrong definition", () => {
    const said = run([
      "--input-type=module",
      "--eval",
      `import { Event } from ${at("index")}
       try { Event.make("a.b", { version: 1, data: { ast: {} } }) } catch (error) { console.log(error.message) }`
    ])
    assert.match(said, /`data` is neither a schema of effect 4 nor a Standard Schema.*npm ls effect/)
  })

  it("maps its lines to the sources", () => {
    const maps = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".js.map"))
    const sources = maps.flatMap((name) => {
      const map: { readonly sources: ReadonlyArray<string>; readonly sourcesContent: ReadonlyArray<string | null> } =
        JSON.parse(readFileSync(join(folder, name), "utf8"))
      assert.isTrue(map.sourcesContent.every((text) => typeof text === "string"))
      return map.sources
    })
    assert.isTrue(sources.some((source) => source.endsWith("src/bus/handle/Runner.ts")))
  })
})
