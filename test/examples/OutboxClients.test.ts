/** The examples of the outbox with other clients: each compiles, and runs against a real server: PostgreSQL, or MariaDB. */
import { spawn, spawnSync } from "node:child_process"
import { basename, join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { installClients } from "../../scripts/client-packages.ts"
import { glob, root } from "../house/Sources.ts"
import { type MariaNode, missingMaria, startMaria } from "../support/MariaNode.ts"
import { missing, type PostgresNode, startPostgres } from "../support/PostgresNode.ts"

const folder = "examples/outbox/clients"
const names = glob(`${folder}/*.ts`)
  .map((file) => basename(file, ".ts"))
  .filter((name) => name !== "refunds")

/** Runs an example as its reader would. */
const run = (name: string, url: string) =>
  new Promise<{ readonly code: number | null; readonly output: string }>((resolve, reject) => {
    const child = spawn(process.execPath, ["--conditions=@eduflow/source", join(root, folder, `${name}.ts`)], {
      env: { ...process.env, DATABASE_URL: url, NO_COLOR: "1" },
      timeout: 120_000
    })
    let output = ""
    const onText = (text: Buffer): void => void (output += text.toString())
    child.stdout.on("data", onText)
    child.stderr.on("data", onText)
    child.on("error", reject)
    // Not "exit": the last of its output may come behind that.
    child.on("close", (code) => resolve({ code, output }))
  })

const reason = (await missing()) ?? (await missingMaria())

describe.skipIf(reason !== undefined && process.env["CI"] !== "true")("the outbox with other clients", () => {
  let postgres: PostgresNode
  let maria: MariaNode
  const started: Array<{ readonly stop: () => Promise<void> }> = []
  beforeAll(async () => {
    if (reason !== undefined) throw new Error(reason)
    installClients()
    ;[postgres, maria] = await Promise.all([startPostgres(), startMaria()])
    started.push(postgres, maria)
  })
  afterAll(() => Promise.all(started.map((node) => node.stop())))

  it("compiles", () => {
    const { status, stdout } = spawnSync(join(root, "node_modules/.bin/tsc"), ["--noEmit", "-p", folder], {
      cwd: root,
      encoding: "utf8"
    })
    assert.strictEqual(`${stdout}${status}`, "0")
  })

  it("has an example for each client that the guide names", () => {
    assert.deepStrictEqual(names, ["drizzle", "knex", "kysely", "mysql2", "postgres", "prisma", "typeorm"])
  })

  it.each(names)("%s", async (name) => {
    const { code, output } = await run(name, await (name === "mysql2" ? maria : postgres).addDatabase(`client_${name}`))
    assert.include(output, "refund for u-1\n")
    assert.strictEqual(code, 0, output)
  })
})
