/** The command as users get it: packed, installed in an empty folder, and run there against a real RabbitMQ. */
import { assert, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll } from "vitest"
import { describeLive, freshNamespace, rabbitUrl } from "../support/live.ts"
import { env, install, manifest, pack } from "./Pack.ts"

describeLive(
  "eventbus, packed and installed",
  () => {
    let folder = ""
    const bin = () => join(folder, "app/node_modules/.bin/eventbus")

    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), "eventbus-packed-"))
      const app = join(folder, "app")
      mkdirSync(app)
      writeFileSync(
        join(app, "package.json"),
        JSON.stringify({ name: "app", private: true, dependencies: pack(folder) })
      )
      install(app)
    })
    afterAll(() => rmSync(folder, { recursive: true, force: true }))

    const eventbus = (settings: Readonly<Record<string, string>>, ...args: ReadonlyArray<string>) =>
      new Promise<{ readonly code: number; readonly out: string; readonly err: string }>((done) => {
        const child = execFile(bin(), args, { cwd: join(folder, "app"), env: { ...env, ...settings } }, (_, out, err) =>
          done({ code: child.exitCode ?? -1, out, err })
        )
      })

    it("says its version and its help, and completes words", async () => {
      assert.deepStrictEqual(await eventbus({}, "--version"), { code: 0, out: `${manifest.version}\n`, err: "" })
      const help = await eventbus({}, "--help")
      assert.deepStrictEqual([help.code, help.err], [0, ""])
      for (const word of ["doctor", "publish", "tail", "dead-letters", "load"]) assert.include(help.out, word)
      const replay = await eventbus({}, "dead-letters", "replay", "--help")
      assert.include(replay.out, "--max-replays")
      assert.include((await eventbus({}, "--completions=bash")).out, "dead-letters")
    })

    it("finds nothing wrong with a RabbitMQ where nothing is, and says what is missing where something is", async () => {
      const settings = { EVENTBUS_URL: rabbitUrl(), EVENTBUS_NAMESPACE: freshNamespace() }
      const healthy = await eventbus(settings, "doctor", "--timeout", "60")
      assert.deepStrictEqual([healthy.code, healthy.err], [0, ""])
      assert.match(healthy.out, /nothing found\n$/)
      const json = await eventbus(settings, "doctor", "--json", "--timeout", "60")
      assert.isTrue(JSON.parse(json.out).healthy)
      const none = await eventbus({}, "doctor")
      assert.strictEqual(none.code, 2)
      assert.include(none.err, "EVENTBUS_URL: it is not set")
      const verify = await eventbus({ ...settings, EVENTBUS_TOPOLOGY: "verify" }, "doctor", "--timeout", "60")
      assert.strictEqual(verify.code, 4)
    })

    it("loads contracts of the folder that it is run in", async () => {
      const module = join(folder, "app/contracts.mjs")
      writeFileSync(
        module,
        `import { Event } from "@eduflow/events"
         import { Schema } from "effect"
         export const Posted = Event.make("a.posted", { version: 1, data: Schema.Struct({ text: Schema.String }) })`
      )
      const args = ["publish", "a.posted", "--dry-run", "--contracts", "./contracts.mjs"]
      const good = await eventbus({}, ...args, "--data", `{"text":"x"}`)
      assert.deepStrictEqual([good.code, good.out], [0, "1 would be published\n"])
      const bad = await eventbus({}, ...args, "--data", `{"text":1}`)
      assert.strictEqual(bad.code, 2)
      assert.include(bad.err, "data.text")
    })
  },
  ["rabbit"]
)
