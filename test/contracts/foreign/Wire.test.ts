/**
 * What other languages read: events of the demo, taken from a real RabbitMQ by a program that is not this library, are
 * validated in Python by the documents that `eventbus contracts` writes.
 */
import { assert, it } from "@effect/vitest"
import * as amqp from "amqplib"
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { documents } from "../../../scripts/documents.ts"
import { catalog } from "../../../src/catalog/index.ts"
import * as JsonSchemas from "../../../src/contracts/documents/JsonSchemas.ts"
import { root } from "../../house/Sources.ts"
import { describeLive, freshNamespace, rabbitUrl } from "../../support/live.ts"
import { pythonWithJsonSchema } from "./Python.ts"

const count = 1000

/** Every body that is published to the exchange of the namespace from now on. */
const tap = async (namespace: string) => {
  const connection = await amqp.connect(rabbitUrl())
  const channel = await connection.createChannel()
  const exchange = `${namespace}.events`
  await channel.assertExchange(exchange, "topic", { durable: true })
  const { queue } = await channel.assertQueue("", { exclusive: true })
  await channel.bindQueue(queue, exchange, "#")
  const bodies: Array<string> = []
  await channel.consume(queue, (message) => void (message !== null && bodies.push(message.content.toString())), {
    noAck: true
  })
  return { bodies, close: () => connection.close() }
}

const run = async (program: string, args: ReadonlyArray<string>, input: string, env: Record<string, string> = {}) => {
  const child = spawn(program, args, { cwd: root, env: { ...process.env, ...env } })
  child.stdin.end(input)
  const ended = new Promise<number | null>((done) => child.on("close", done))
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), ended])
  assert.strictEqual(code, 0, `${out}${err}`)
  return out
}

interface Verdict {
  readonly seen: number
  readonly messages: number
  readonly faults: ReadonlyArray<{ readonly line: number; readonly by: string; readonly fault: string }>
}

/** What the validator says of these bodies. */
const validate = async (bodies: ReadonlyArray<string>): Promise<Verdict> => {
  const python = await pythonWithJsonSchema()
  const folder = mkdtempSync(join(tmpdir(), "foreign-"))
  try {
    const file = join(folder, "documents.json")
    const asyncapi: unknown = JSON.parse(documents()["asyncapi.json"] ?? "")
    writeFileSync(file, JSON.stringify({ asyncapi, schemas: JsonSchemas.of(catalog.events) }))
    const script = join(import.meta.dirname, "validate.py")
    return JSON.parse(await run(python, [script, file], bodies.join("\n")))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The data that the demo sends in the name of a program that does not know the contract. */
const isMalformed = (body: string): boolean => Object.keys(JSON.parse(body).data).join() === "note"

describeLive(
  "events of the demo on the wire",
  () => {
    it("are what the documents say, and those that are malformed on purpose are found", async () => {
      const namespace = freshNamespace()
      const tapped = await tap(namespace)
      const main = join(root, "src/app/demo/main.ts")
      await run(process.execPath, [main, "--events", String(count), "--rate", "500"], "", {
        EVENTBUS_URL: rabbitUrl(),
        EVENTBUS_NAMESPACE: namespace
      })
      await tapped.close()
      // The runtime has events of its own.
      const bodies = tapped.bodies.filter((body) => !JSON.parse(body).type.startsWith("bus."))
      assert.isAtLeast(bodies.length, count)
      const types = new Set(bodies.map((body) => JSON.parse(body).type))
      assert.strictEqual(types.size, catalog.events.length)
      const malformed = bodies.flatMap((body, line) => (isMalformed(body) ? [line] : []))
      assert.isAbove(malformed.length, 0)
      const { faults, messages, seen } = await validate(bodies)
      assert.strictEqual(seen, bodies.length)
      assert.isAtLeast(messages, catalog.events.length)
      for (const by of ["asyncapi", "schema"])
        assert.deepStrictEqual(
          faults.filter((fault) => fault.by === by).map(({ line }) => line),
          malformed,
          JSON.stringify(faults.find(({ line }) => !malformed.includes(line)))
        )
    })
  },
  ["rabbit"]
)
