/** The policy of the shipped definitions, on three nodes: no node leads most of the queues of a service. */
import { assert, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Schema } from "effect"
import { afterAll, beforeAll } from "vitest"
import { createEventBus, Event } from "../../src/index.ts"
import { describeLive } from "../support/live.ts"
import { type RabbitCluster, startCluster } from "../support/RabbitCluster.ts"

const Thing = Event.make("thing.happened", { version: 1, cache: false, data: Schema.Struct({ n: Schema.Finite }) })
const Definitions = Schema.fromJsonString(
  Schema.Struct({
    policies: Schema.Array(
      Schema.Struct({
        name: Schema.String,
        pattern: Schema.String,
        "apply-to": Schema.String,
        definition: Schema.Record(Schema.String, Schema.Unknown)
      })
    )
  })
)
const { policies } = Schema.decodeUnknownSync(Definitions)(
  readFileSync(join(import.meta.dirname, "../../docker/rabbitmq/definitions.json"), "utf8")
)

describeLive(
  "leaders of queues",
  () => {
    let cluster: RabbitCluster
    beforeAll(async () => void (cluster = await startCluster(3)), 180_000)
    afterAll(() => cluster.stop())

    /** How many quorum queues each node leads, once a service with six subscribers has declared its own by the first node. */
    const ledBy = async (namespace: string): Promise<ReadonlyArray<number>> => {
      const [first] = cluster.nodes
      const bus = await createEventBus({ url: first?.url ?? "", source: "leaders", namespace })
      for (const n of [1, 2, 3, 4, 5, 6])
        await bus.subscribe(`leaders.s${n}`, { events: [Thing], handler: () => undefined })
      const printed = (await first?.ctl("list_queues", "name", "type", "leader")) ?? ""
      await bus.close()
      const leaders = printed
        .split("\n")
        .map((line) => line.trim().split("\t"))
        .flatMap(([name, type, leader]) => (type === "quorum" && name?.startsWith(`${namespace}.`) ? [leader] : []))
      return cluster.names.map((node) => leaders.filter((leader) => leader === node).length)
    }

    it(
      "are on all nodes with the policy, and on the node of the first client without it",
      { timeout: 180_000 },
      async () => {
        for (const { "apply-to": applyTo, definition, name, pattern } of policies)
          await cluster.nodes[0]?.ctl("set_policy", name, pattern, JSON.stringify(definition), "--apply-to", applyTo)
        const led = await ledBy("eduflow")
        const all = led.reduce((a, b) => a + b)
        assert.isAtLeast(all, 15, "those of the namespace and of six subscribers")
        for (const count of led) assert.isAtLeast(count, all / 5, `with the policy: ${led.join(", ")}`)
        // The pattern does not match this one.
        const without = await ledBy("plain")
        assert.deepStrictEqual(without, [all, 0, 0], "without a policy")
      }
    )
  },
  ["rabbitNode"]
)
