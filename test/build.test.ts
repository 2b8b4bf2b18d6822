/**
 * What is shipped: the doors as they are built. The other tests run the sources; this one looks at what the bundler
 * made of them.
 */
import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { join, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { afterAll, beforeAll } from "vitest"
import * as catalog from "../src/catalog/index.ts"
import * as index from "../src/index.ts"
import * as testing from "../src/testing/index.ts"

const root = resolve(import.meta.dirname, "..")
const run = (args: ReadonlyArray<string>): string =>
  execFileSync(process.execPath, args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] })
const doors: Readonly<Record<string, object>> = { index, "testing/index": testing, "catalog/index": catalog }

describe("the build", () => {
  let folder = ""
  beforeAll(() => {
    // Below the root: what is built finds its packages.
    folder = mkdtempSync(join(root, "node_modules/.build-"))
    run(["scripts/build.ts", folder])
  }, 60_000)
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const script = (code: string): unknown => JSON.parse(run(["--input-type=module", "--eval", code]))
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

  it("N13: importing the door loads a few files, and no client", () => {
    const loaded = script(`
      import { registerHooks } from "node:module"
      const loaded = []
      registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) })
      await import(${at("index")})
      console.log(JSON.stringify(loaded))
    `)
    assert.isTrue(Array.isArray(loaded))
    const files = Array.isArray(loaded) ? loaded.map(String) : []
    assert.deepStrictEqual(
      files.filter((file) =>
        /amqplib|ioredis|opentelemetry|platform-node|parts\/(?:amqp|redis|memory|Assembly)/.test(file)
      ),
      []
    )
    assert.isAtMost(files.filter((file) => file.includes("/.build-")).length, 10)
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

  it("maps its lines to the sources", () => {
    const maps = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".js.map"))
    const sources = maps.flatMap((name) => {
      const map: { readonly sources: ReadonlyArray<string>; readonly sourcesContent: ReadonlyArray<string | null> } =
        JSON.parse(readFileSync(join(folder, name), "utf8"))
      assert.isTrue(map.sourcesContent.every((text) => typeof text === "string"))
      return map.sources
    })
    assert.isTrue(sources.some((source) => source.endsWith("src/bus/Runner.ts")))
  })
})
