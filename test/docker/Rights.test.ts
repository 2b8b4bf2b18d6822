/**
 * What the rights of the shipped definitions are worth: each user tries what it may do and what it may not, with a plain
 * client. What RabbitMQ cannot refuse is in the table, too: there a signature decides (docs/guides/on-rabbitmq.md).
 */
import { afterAll, assert, beforeAll, it, vi } from "@effect/vitest"
import { type ChannelModel, type ConfirmChannel, connect } from "amqplib"
import { Schema } from "effect"
import { services } from "../../scripts/definitions.ts"
import { createEventBus, Event } from "../../src/index.ts"
import { describeLive } from "../support/live.ts"
import { type RabbitNode, startRabbit } from "../support/RabbitNode.ts"
import { rabbitConf } from "./files.ts"

type Attempt = (channel: ConfirmChannel) => Promise<unknown>
/** What is tried, and whether the broker permits it; `"old"` is what only RabbitMQ before 4 permits. */
type Row = readonly [what: string, permitted: boolean | "old", attempt: Attempt]

const seconds = (bits: string, destination: string): string => `${bits.split("").join(".")}.${destination}`
const now = "0".repeat(20)
const inASecond = `${"0".repeat(19)}1`
const anyDelay = "*.".repeat(20)

const publish =
  (exchange: string, key: string, headers = {}): Attempt =>
  async (channel) => {
    channel.publish(exchange, key, Buffer.from("{}"), { headers })
    await channel.waitForConfirms()
  }
const take =
  (queue: string): Attempt =>
  (channel) =>
    channel.consume(queue, () => {})
const bind =
  (queue: string, exchange: string, key: string): Attempt =>
  (channel) =>
    channel.bindQueue(queue, exchange, key)
const quorum = { "x-queue-type": "quorum" }

/** What every user of a service may do, and not do to a service beside it. */
const serviceRows = (own: string, other: string): ReadonlyArray<Row> => {
  const [mine, theirs] = [`${own}.worker`, `${other}.worker`]
  return [
    ["publish an event of its own", true, publish("eduflow.events", `${own}.a.b`)],
    ["publish an event of another service", false, publish("eduflow.events", `${other}.a.b`)],
    ["publish it by a second routing key", "old", publish("eduflow.events", `${own}.a.b`, { CC: [`${other}.a.b`] })],
    ["announce a dead letter", true, publish("eduflow.events", "bus.event.dead-lettered")],
    ["send itself a copy later", true, publish("eduflow.delay.00", seconds(inASecond, `to.${mine}`))],
    ["send itself a copy at once", true, publish("eduflow.delay.deliver", seconds(now, `to.${mine}`))],
    ["send a canary", true, publish("eduflow.delay.00", seconds(inASecond, "to._canary.x"))],
    ["send another service a copy later", false, publish("eduflow.delay.00", seconds(inASecond, `to.${theirs}`))],
    ["send another service a copy at once", false, publish("eduflow.delay.deliver", seconds(now, `to.${theirs}`))],
    ["delay an event of its own", true, publish("eduflow.delay.19", seconds(now, `publish.${own}.a.b`))],
    ["delay an event of another service", false, publish("eduflow.delay.19", seconds(now, `publish.${other}.a.b`))],
    ["put a message where undeliverable events are", false, publish("eduflow.undeliverable", "")],
    ["write into a queue of another service", false, publish("", `eduflow.sub.${theirs}`)],
    // Direct exchanges know no rights to routing keys.
    ["write a dead letter of another service", true, publish("eduflow.dead", theirs)],
    ["park an event of another service", true, publish("eduflow.parked", theirs)],
    ...["sub", "dead", "parked"].flatMap((kind): ReadonlyArray<Row> => [
      [`take from its ${kind} queue`, true, take(`eduflow.${kind}.${mine}`)],
      [`take from the ${kind} queue of another service`, false, take(`eduflow.${kind}.${theirs}`)],
      [
        `purge the ${kind} queue of another service`,
        false,
        (channel) => channel.purgeQueue(`eduflow.${kind}.${theirs}`)
      ],
      [
        `delete the ${kind} queue of another service`,
        false,
        (channel) => channel.deleteQueue(`eduflow.${kind}.${theirs}`)
      ]
    ]),
    ["take what waits on the ladder", false, take("eduflow.delay.00")],
    ["take undeliverable events", false, take("eduflow.undeliverable")],
    ["take canaries", false, take("eduflow.canary")],
    ["bind its queue to any event", true, bind(`eduflow.sub.${mine}`, "eduflow.events", "#")],
    [
      "bind its queue to delayed events",
      true,
      bind(`eduflow.sub.${mine}`, "eduflow.delay.deliver", `${anyDelay}publish.#`)
    ],
    [
      "bind its queue to its copies",
      true,
      bind(`eduflow.sub.${mine}`, "eduflow.delay.deliver", `${anyDelay}to.${mine}`)
    ],
    [
      "bind its queue to the copies of another",
      false,
      bind(`eduflow.sub.${mine}`, "eduflow.delay.deliver", `${anyDelay}to.${theirs}`)
    ],
    ["bind its queue to everything that is due", false, bind(`eduflow.sub.${mine}`, "eduflow.delay.deliver", "#")],
    ["bind its queue to a level of the ladder", false, bind(`eduflow.sub.${mine}`, "eduflow.delay.00", "#")],
    ["bind the queue of another service", false, bind(`eduflow.sub.${theirs}`, "eduflow.events", `${own}.a.b`)],
    ["declare the exchange of events", false, (channel) => channel.assertExchange("eduflow.events", "topic")],
    ["delete the exchange of events", false, (channel) => channel.deleteExchange("eduflow.events")],
    [
      "declare a level of the ladder",
      false,
      (channel) => channel.assertQueue("eduflow.delay.00", { arguments: quorum })
    ],
    [
      "declare a queue of its own",
      true,
      (channel) => channel.assertQueue(`eduflow.sub.${own}.new`, { arguments: quorum })
    ],
    [
      "declare a queue of another service",
      false,
      (channel) => channel.assertQueue(`eduflow.sub.${other}.new`, { arguments: quorum })
    ],
    // A right to declare queues is a right to have them dead-letter anywhere that one may write: topic rights do not hold.
    [
      "declare a queue that forwards to another service",
      true,
      (channel) =>
        channel.assertQueue(`eduflow.tmp.${own}`, {
          exclusive: true,
          arguments: {
            "x-dead-letter-exchange": "eduflow.delay.deliver",
            "x-dead-letter-routing-key": seconds(now, `to.${theirs}`)
          }
        })
    ]
  ]
}

const publisherRows: ReadonlyArray<Row> = [
  ["publish any event", true, publish("eduflow.events", "academic.a.b")],
  ["delay any event", true, publish("eduflow.delay.00", seconds(inASecond, "publish.kyc.a.b"))],
  ["send a service a copy later", false, publish("eduflow.delay.00", seconds(inASecond, "to.kyc.worker"))],
  ["send a service a copy at once", false, publish("eduflow.delay.deliver", seconds(now, "to.kyc.worker"))],
  ["write a dead letter", false, publish("eduflow.dead", "kyc.worker")],
  ["park an event", false, publish("eduflow.parked", "kyc.worker")],
  ["write into a queue", false, publish("", "eduflow.sub.kyc.worker")],
  ["take events", false, take("eduflow.sub.kyc.worker")],
  ["take dead letters", false, take("eduflow.dead.kyc.worker")],
  ["declare a queue", false, (channel) => channel.assertQueue("eduflow.tmp.publisher", { exclusive: true })],
  ["declare an exchange", false, (channel) => channel.assertExchange("eduflow.tmp.publisher", "topic")],
  ["bind a queue", false, bind("eduflow.sub.kyc.worker", "eduflow.events", "#")]
]

describeLive(
  "the rights of the shipped definitions",
  () => {
    let rabbit: RabbitNode
    const url = (user: string): string => `amqp://${user}:${user}@127.0.0.1:${rabbit.port}/eduflow`
    beforeAll(async () => {
      rabbit = await startRabbit({ conf: rabbitConf() })
      vi.spyOn(console, "log").mockImplementation(() => {})
      // Each service declares its own queues, with no right to declare anything else.
      for (const service of services) {
        await using bus = await createEventBus({ url: url(service), source: service })
        const Done = Event.make(`${service}.probe.done`, { version: 1, data: Schema.Struct({}), key: () => "k" })
        await using _worker = await bus.subscribe(`${service}.worker`, {
          events: [Done],
          ordering: "key",
          onBlocked: "park",
          handler: async () => {}
        })
      }
    })
    afterAll(async () => {
      vi.restoreAllMocks()
      await rabbit.stop()
    })

    const isPermitted = async (model: ChannelModel, attempt: Attempt): Promise<boolean> => {
      const channel = await model.createConfirmChannel()
      const refused = new Promise<string>((resolve) => channel.once("error", (error) => resolve(String(error))))
      try {
        await attempt(channel)
        await channel.close()
        return true
      } catch {
        assert.match(await refused, /ACCESS_REFUSED/)
        return false
      }
    }
    const check = async (user: string, rows: ReadonlyArray<Row>): Promise<void> => {
      const model = await connect(url(user))
      model.on("error", () => {})
      const isOld = String(model.connection.serverProperties.version).startsWith("3.")
      for (const [what, expected, attempt] of rows) {
        const permitted = expected === "old" ? isOld : expected
        assert.deepStrictEqual([user, what, await isPermitted(model, attempt)], [user, what, permitted])
      }
      await model.close()
    }

    it("P15: a service works on its own queues and cannot touch those of others", async () => {
      await check("academic", serviceRows("academic", "kyc"))
      await check("user", serviceRows("user", "academic"))
    })

    it("P15: a user that only publishes sends events, and no copy, dead letter or parked event", async () => {
      await check("publisher", publisherRows)
    })
  },
  ["rabbitNode"]
)
