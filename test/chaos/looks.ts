/**
 * Looks at dead letters many times, and says whether each is still there: `node test/chaos/looks.ts --rabbit 4.3 --policy 3`.
 *
 * Each look takes every letter and gives it back. Below RabbitMQ 4.3 a return counts against the delivery limit, and a policy may
 * lower that limit. It prints what is left, how long a look takes, and how large the data folder of the node is.
 *
 * --looks (10000), --letters (3), --policy (a `delivery-limit` for all queues; none by default), --rabbit
 */
import { execFileSync } from "node:child_process"
import { parseArgs } from "node:util"
import { Schema } from "effect"
import { createEventBus, Event, Reject } from "../../src/index.ts"
import { until } from "./Deployment.ts"

const { values } = parseArgs({
  options: {
    looks: { type: "string", default: "10000" },
    letters: { type: "string", default: "3" },
    policy: { type: "string" },
    rabbit: { type: "string" }
  }
})
if (values.rabbit !== undefined) process.env["EVENTBUS_TEST_RABBITMQ"] = values.rabbit
const [looks, letters] = [Number(values.looks), Number(values.letters)]
const subscriber = "looked.at"
const Happened = Event.make("thing.happened", { version: 1, data: Schema.Struct({ n: Schema.Finite }), cache: false })

const { startRabbit } = await import("../support/RabbitNode.ts")
const rabbit = await startRabbit({})
const pattern = "^eduflow"
if (values.policy !== undefined)
  await rabbit.ctl("set_policy", "looks", pattern, `{"delivery-limit":${values.policy}}`, "--apply-to", "queues")
const folder = (await rabbit.eval("rabbit_mnesia:dir().")).replaceAll('"', "").trim()
const size = (): number => Number(execFileSync("du", ["-sk", folder], { encoding: "utf8" }).split("\t")[0])

const bus = await createEventBus({ url: rabbit.url, source: "looks" })
const handler = () => Promise.reject(new Reject({ reason: "it is looked at" }))
await bus.subscribe(subscriber, { events: [Happened], handler })
for (let n = 0; n < letters; n++) await bus.publish(Happened, { n })
await until("all are dead letters", async () => (await bus.deadLetters.count(subscriber)) === letters)

const seen = async (): Promise<string> =>
  (await bus.deadLetters.list(subscriber))
    .map(({ eventId }) => eventId)
    .toSorted()
    .join(" ")
const first = await seen()
const begun = performance.now()
const seconds = (): number => Math.round((performance.now() - begun) / 1000)
let changed = 0
for (let look = 1; look <= looks; look++) {
  const now = await seen()
  if (now !== first && changed++ < 10) console.log(`look ${look}: ${now.split(" ").length} letters: ${now}`)
  if (look % Math.ceil(looks / 10) === 0) console.log(`${look} looks, ${seconds()} s, data folder ${size()} KiB`)
}
const left = await bus.deadLetters.count(subscriber)
const version = (await rabbit.eval("rabbit_misc:version().")).replaceAll('"', "").trim()
console.log(
  `RabbitMQ ${version}, policy ${values.policy ?? "none"}: ${left} of ${letters} letters left after ${looks} looks, ${changed} looks differed, ${seconds()} s`
)
await bus.close()
await rabbit.stop()
process.exitCode = left === letters && changed === 0 ? 0 : 1
