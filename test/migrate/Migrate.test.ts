/**
 * The guide of migrations: old and new services side by side on a real broker, moved step by step, with every event counted.
 * The libraries are installed when this runs first.
 */
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { afterAll, assert, beforeAll, it } from "vitest"
import { installMigrate } from "../../scripts/client-packages.ts"
import { createEventBus } from "../../src/index.ts"
import { root } from "../house/Sources.ts"
import { describeLive, freshNamespace, rabbitUrl } from "../support/live.ts"
import { jobCases } from "./JobCases.ts"
import { installPika, pika } from "./Pika.ts"
import { type OldSystem, rehearse, removeOld } from "./Rehearsal.ts"

const systems: ReadonlyArray<{
  readonly name: string
  readonly load: () => Promise<OldSystem>
  readonly queue: string
}> = [
  { name: "amqplib", load: () => import("../../examples/migrate/amqplib.ts"), queue: "orders" },
  { name: "golevelup", load: () => import("../../examples/migrate/golevelup.ts"), queue: "billing" },
  { name: "Nest microservices", load: () => import("../../examples/migrate/nest.ts"), queue: "billing_queue" },
  { name: "rascal", load: () => import("../../examples/migrate/rascal.ts"), queue: "payments_billing" },
  { name: "pika", load: async () => pika, queue: "python_orders" }
]

describeLive(
  "a service moves",
  () => {
    const clean = () =>
      removeOld(
        rabbitUrl(),
        systems.map(({ queue }) => queue),
        ["shop", "payments"]
      )
    beforeAll(async () => {
      installMigrate()
      await installPika()
      await clean()
    })
    afterAll(clean)

    it("with code that compiles", () => {
      const { status, stdout } = spawnSync(
        join(root, "node_modules/.bin/tsc"),
        ["--noEmit", "-p", "examples/migrate"],
        { cwd: root, encoding: "utf8" }
      )
      assert.strictEqual(`${stdout}${status}`, "0")
    })

    for (const { load, name, queue } of systems)
      it(`P1, P3: from ${name}, and loses nothing; what comes twice has one id`, async () => {
        await using bus = await createEventBus({
          url: rabbitUrl(),
          namespace: freshNamespace(),
          source: "billing",
          allowPlaintext: true
        })
        const ledger = await rehearse(await load(), { bus, queue, url: rabbitUrl() })
        assert.deepStrictEqual(ledger.lost, [])
        assert.deepStrictEqual(
          ledger.doubles.filter((ids) => ids.length > 1),
          []
        )
        assert.isAbove(ledger.paid.length, 100)
      })
  },
  ["rabbit"]
)

describeLive("jobs of BullMQ", () => {
  beforeAll(installMigrate)
  jobCases()
})
