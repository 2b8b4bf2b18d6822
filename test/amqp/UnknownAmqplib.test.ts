/** A service with an amqplib that the library does not know: one clear error at start instead of a timeout. */
import { afterAll, assert, beforeAll, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { promisify } from "node:util"
import { describeLive, freshNamespace, rabbitUrl } from "../support/live.ts"

const root = resolve(import.meta.dirname, "../..")

type Changes = ReadonlyArray<readonly [file: string, from: string | RegExp, to: string]>

/** Opens a broker and prints why it did not open. */
const program = `
import { Cause, Effect, Exit } from "effect"
import * as AmqpBroker from "./src/amqp/AmqpBroker.ts"
const [servers, namespace] = process.argv.slice(2)
const exit = await Effect.runPromise(
  Effect.exit(Effect.scoped(AmqpBroker.make({ servers, namespace, source: "test", connectTimeout: "2 minutes" })))
)
const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
console.log(JSON.stringify({ tag: error?.reason?._tag, message: error?.message, isRetryable: error?.isRetryable }))
`

/** The sources in a folder of their own, with all packages and a copy of amqplib that may be changed. */
const project = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "unknown-amqplib-"))
  cpSync(join(root, "src"), join(folder, "src"), { recursive: true })
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }))
  writeFileSync(join(folder, "program.ts"), program)
  mkdirSync(join(folder, "node_modules"))
  for (const name of readdirSync(join(root, "node_modules")))
    if (name !== "amqplib" && !name.startsWith("."))
      symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name))
  return folder
}

describeLive(
  "an amqplib that is not known",
  () => {
    let folder = ""
    beforeAll(() => void (folder = project()))
    afterAll(() => rmSync(folder, { recursive: true, force: true }))

    /** Starts with amqplib changed in these places. */
    const start = async (changes: Changes) => {
      const copy = join(folder, "node_modules", "amqplib")
      rmSync(copy, { recursive: true, force: true })
      cpSync(join(root, "node_modules", "amqplib"), copy, { recursive: true })
      for (const [file, from, to] of changes) {
        const text = readFileSync(join(copy, file), "utf8")
        assert.notStrictEqual(text.replaceAll(from, to), text, `${file} has no ${from}`)
        writeFileSync(join(copy, file), text.replaceAll(from, to))
      }
      const { stdout } = await promisify(execFile)(
        process.execPath,
        [join(folder, "program.ts"), rabbitUrl(), freshNamespace()],
        { timeout: 240_000 }
      )
      const result: { readonly tag?: string; readonly message?: string; readonly isRetryable?: boolean } =
        // The last line: a connect that takes longer than a second is logged before it.
        JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "")
      return result
    }
    const assertUnsupported = ({ isRetryable, message, tag }: Awaited<ReturnType<typeof start>>, found: string) => {
      assert.strictEqual(tag, "ClientUnsupported", message)
      assert.isFalse(isRetryable)
      assert.include(message, `amqplib ${found} is not supported, 2.3.x is`)
      assert.match(message ?? "", /remove the override, resolution or patch/)
    }

    it("the copy opens as long as nothing is changed, and with another patch version", async () => {
      assert.deepStrictEqual(await start([]), {})
      assert.deepStrictEqual(await start([["package.json", '"2.3.1"', '"2.3.9"']]), {})
    })

    it("another version is refused before anything is connected, whatever it looks like inside", async () => {
      assertUnsupported(await start([["package.json", '"2.3.1"', '"2.4.0"']]), "2.4.0")
      assertUnsupported(await start([["package.json", '"2.3.1"', '"10.2.3-beta.1"']]), "10.2.3-beta.1")
    })

    it.each<readonly [difference: string, changes: Changes]>([
      ["connection.recvFrame", [["lib/connection.js", /\brecvFrame\b/g, "readFrame"]]],
      ["connection.stream", [["lib/connection.js", /\b(?<=(?:self|this)\.)stream\b/g, "socket"]]],
      ["connection.sentSinceLastCheck", [["lib/connection.js", /\bsentSinceLastCheck\b/g, "sentLately"]]],
      [
        "channel.sendOrEnqueue",
        [
          ["lib/channel.js", /\bsendOrEnqueue\b/g, "enqueue"],
          ["lib/channel_model.js", /\bsendOrEnqueue\b/g, "enqueue"]
        ]
      ],
      ["channel.pending", [["lib/channel.js", /\bthis\.pending = \[\]/g, "this.pending = new Set()"]]],
      ['no listener for "ack"', [["lib/channel.js", /^\s+'ack',$/gm, "'acknowledged',"]]],
      ["an ack needs more", [["lib/channel_model.js", "message.fields.deliveryTag", "message.fields.consumerTag"]]]
    ])("a patched copy is refused with what differs: %s", async (difference, changes) => {
      const refusal = await start(changes)
      assertUnsupported(refusal, "2.3.1")
      assert.include(refusal.message, difference)
    })
  },
  ["rabbit"]
)
