/** `eventbus doctor` finds planted faults of a real RabbitMQ, and nothing on a healthy one. */
import { assert, it } from "@effect/vitest"
import { connect, type Channel } from "amqplib"
import { Effect, Schedule, Schema } from "effect"
import { afterAll, beforeAll } from "vitest"
import { Event, EventBus } from "../../src/index.ts"
import { describeLive, freshNamespace } from "../support/live.ts"
import { freePort } from "../support/Port.ts"
import { type RabbitNode, startRabbit } from "../support/RabbitNode.ts"
import { doctor, eventbus, type Settings } from "./Eventbus.ts"

const Posted = Event.make("test.posted", { version: 1, data: Schema.Struct({ text: Schema.String }) })

/** A bus with one subscriber, which lives as long as the scope. */
const service = (url: string, namespace: string) =>
  Effect.gen(function* () {
    const bus = yield* EventBus
    yield* bus.subscribe("mailer", { events: [Posted], handler: () => Effect.void })
  }).pipe(Effect.provide(EventBus.layerAmqp({ url, namespace })))

describeLive(
  "doctor on RabbitMQ",
  () => {
    let node: RabbitNode
    let management = ""
    beforeAll(async () => {
      const port = await freePort()
      // What the API says of queues is as old as their last statistics.
      const conf = { "management.tcp.port": String(port), collect_statistics_interval: "500" }
      node = await startRabbit({ plugins: ["rabbitmq_management"], conf })
      management = `http://127.0.0.1:${port}`
      await node.ctl("add_user", "monitor", "m-secret")
      await node.ctl("set_user_tags", "monitor", "monitoring")
    })
    afterAll(() => node?.stop())

    const settings = (namespace: string, more: Settings = {}): Settings => ({
      EVENTBUS_URL: node.url,
      EVENTBUS_NAMESPACE: namespace,
      ...more
    })
    const named = ["--subscriber", "mailer"]
    const lookUntil = (isFound: boolean, namespace: string, ...args: ReadonlyArray<string>) =>
      Effect.repeat(doctor(settings(namespace), ...args), {
        until: ({ checks }) => checks.length > 0 === isFound,
        schedule: Schedule.spaced("100 millis")
      })

    /** A namespace that a service has declared, and left. */
    const declared = Effect.gen(function* () {
      const namespace = freshNamespace()
      yield* Effect.scoped(service(node.url, namespace))
      return namespace
    })

    const onChannel = <A>(use: (channel: Channel) => Promise<A>) =>
      Effect.promise(async () => {
        const model = await connect(node.url)
        const channel = await model.createChannel()
        const result = await use(channel)
        await model.close()
        return result
      })

    it.live("finds nothing where nothing is wrong: before the first start, while a service runs, and after", () =>
      Effect.gen(function* () {
        const namespace = freshNamespace()
        const fresh = yield* doctor(settings(namespace), "--management", management)
        assert.deepStrictEqual([fresh.code, fresh.findings], [0, []])
        yield* Effect.scoped(
          Effect.gen(function* () {
            const bus = yield* EventBus
            yield* bus.subscribe("mailer", { events: [Posted], handler: () => Effect.void })
            const running = yield* doctor(settings(namespace), ...named, "--management", management)
            assert.deepStrictEqual([running.code, running.findings, running.unseen.length], [0, [], 1])
          }).pipe(Effect.provide(EventBus.layerAmqp({ url: node.url, namespace })))
        )
        const { code, out } = yield* eventbus(settings(namespace), "doctor", ...named)
        assert.strictEqual(code, 0)
        assert.match(out, /\nnothing found$/)
        assert.match(out, /not seen policies, .* give the address of the management API with --management/)
      })
    )

    it.live("changes nothing: queues, exchanges, bindings and messages are what they were", () =>
      Effect.gen(function* () {
        const namespace = yield* declared
        yield* onChannel(async (channel) => {
          channel.sendToQueue(`${namespace}.dead.mailer`, Buffer.from("{}"), { persistent: true })
          await channel.checkQueue(`${namespace}.dead.mailer`)
        })
        // What rabbitmqctl counts is a moment old.
        const counts = Effect.promise(() => node.ctl("list_queues", "name", "messages"))
        yield* Effect.repeat(counts, { until: (text) => text.includes(`${namespace}.dead.mailer\t1`) })
        const all = Effect.promise(async () => [
          await node.ctl("list_queues", "name", "messages", "consumers", "arguments"),
          await node.ctl("list_exchanges", "name", "type", "arguments"),
          await node.ctl("list_bindings", "source_name", "destination_name", "routing_key")
        ])
        const sorted = Effect.map(all, (texts) => texts.map((text) => text.split("\n").toSorted()))
        const before = yield* sorted
        yield* doctor(settings(namespace), ...named, "--subscriber", "nobody", "--management", management)
        yield* doctor(settings(freshNamespace()), ...named)
        assert.deepStrictEqual(yield* sorted, before)
        const returned = yield* onChannel((channel) => channel.get(`${namespace}.dead.mailer`, { noAck: true }))
        assert.isFalse(returned !== false && returned.fields.redelivered)
      })
    )

    it.live("addresses, logins and settings that cannot work", () =>
      Effect.gen(function* () {
        const namespace = freshNamespace()
        const found = Effect.fnUntraced(function* (url: string, ...args: ReadonlyArray<string>) {
          const { checks, code, findings } = yield* doctor(settings(namespace, { EVENTBUS_URL: url }), ...args)
          assert.strictEqual(code, 4)
          assert.notInclude(JSON.stringify(findings), "s3cret-word")
          return checks
        })
        const nobody = yield* Effect.promise(freePort)
        const at = `127.0.0.1:${node.port}`
        assert.deepStrictEqual(yield* found(`amqp://127.0.0.1:${nobody}`), ["rabbitmq.reachable"])
        assert.deepStrictEqual(yield* found(`${node.url},amqp://127.0.0.1:${nobody}`), ["rabbitmq.reachable"])
        assert.deepStrictEqual(yield* found(`amqp://guest:s3cret-word@${at}`), ["rabbitmq.credentials"])
        assert.deepStrictEqual(yield* found(`amqp://guest:guest@${at}/nowhere`), ["rabbitmq.vhost"])
        assert.deepStrictEqual(yield* found(`amqp://guest:s3cret-word#x@${at}`), ["rabbitmq.settings"])
        assert.deepStrictEqual(yield* found(`amqp://guest:s3cret-word@broker.example`), ["rabbitmq.settings"])
        assert.deepStrictEqual(
          yield* found(node.url, "--management", "http://guest:s3cret-word@" + management.slice(7)),
          ["management.credentials"]
        )
        assert.deepStrictEqual(yield* found(node.url, "--management", `http://127.0.0.1:${nobody}`), [
          "management.reachable"
        ])
      })
    )

    it.live("a password that is a token and ends", () =>
      Effect.gen(function* () {
        const claims = { exp: Math.floor(Date.now() / 1000) + 600, sub: "tokened" }
        const token = ["e30", Buffer.from(JSON.stringify(claims)).toString("base64url"), "c2ln"].join(".")
        const url = yield* Effect.promise(() => node.addUser("tokened", token))
        const { checks, findings } = yield* doctor(settings(freshNamespace(), { EVENTBUS_URL: url }))
        assert.deepStrictEqual(checks, ["rabbitmq.credentials.expiry"])
        assert.notInclude(JSON.stringify(findings), token)
      })
    )

    it.live("rights that are missing, each verb, and a command that grants them", () =>
      Effect.gen(function* () {
        const namespace = yield* declared
        const own = `^${namespace}\\.(sub|dead|parked)\\.mailer$`
        const whole = {
          configure: own,
          write: `${own}|^${namespace}\\.(events|dead|parked|delay\\..*)$`,
          read: `${own}|^${namespace}\\.(events|delay\\.deliver)$`
        }
        let number = 0
        const found = Effect.fnUntraced(function* (rights: Partial<typeof whole>) {
          const url = yield* Effect.promise(() => node.addUser(`r${++number}`, "pw", { ...whole, ...rights }))
          return yield* doctor(settings(namespace, { EVENTBUS_URL: url }), ...named)
        })
        assert.deepStrictEqual((yield* found({})).checks, ["rabbitmq.ladder.levels"])
        yield* eventbus(settings(namespace), "topology", "apply", "--whole-ladder")
        assert.deepStrictEqual((yield* found({})).checks, [])
        for (const [rights, words] of [
          [{ configure: "^$" }, `configure queue ${namespace}.sub.mailer`],
          [{ write: `${own}|^${namespace}\\.(events|delay\\..*)$` }, `write exchange ${namespace}.dead`],
          [{ write: `${own}|^${namespace}\\.(dead|delay\\..*)$` }, `write exchange ${namespace}.events`],
          [{ write: `${own}|^${namespace}\\.(dead|events)$` }, `write exchange ${namespace}.delay.00`],
          [{ read: `^${namespace}\\.(events|delay\\.deliver)$` }, `read queue ${namespace}.sub.mailer`],
          [{ read: own }, `read exchange ${namespace}.events`]
        ] as const) {
          const { checks, findings } = yield* found(rights)
          assert.deepStrictEqual(checks, ["rabbitmq.rights"], words)
          assert.include(findings[0]?.seen, words)
          // What it says mends it.
          const [, , ...words_] = (findings[0]?.mend ?? "").match(/'[^']*'|\S+/g) ?? []
          const args = words_.map((word) => word.replaceAll("'", ""))
          yield* Effect.promise(() => node.ctl("set_permissions", ...args))
          const mended = yield* doctor(
            settings(namespace, { EVENTBUS_URL: `amqp://r${number}:pw@127.0.0.1:${node.port}` }),
            ...named
          )
          assert.deepStrictEqual(mended.findings, [])
        }
      })
    )

    it.live("objects that are missing or declared differently, and events that nobody handles", () =>
      Effect.gen(function* () {
        const found = Effect.fnUntraced(function* (
          plant: (channel: Channel, namespace: string) => Promise<unknown>,
          ...args: ReadonlyArray<string>
        ) {
          const namespace = yield* declared
          yield* onChannel((channel) => plant(channel, namespace))
          return (yield* doctor(settings(namespace), ...args)).checks
        })
        assert.deepStrictEqual(yield* found((channel, ns) => channel.deleteExchange(`${ns}.dead`)), [
          "rabbitmq.dead-letters.target"
        ])
        assert.deepStrictEqual(yield* found((channel, ns) => channel.deleteQueue(`${ns}.dead.mailer`), ...named), [
          "rabbitmq.dead-letters.target"
        ])
        assert.deepStrictEqual(
          yield* found((channel, ns) => channel.deleteQueue(`${ns}.dead.mailer`), ...named, "--management", management),
          ["rabbitmq.dead-letters.target"]
        )
        assert.deepStrictEqual(yield* found((channel, ns) => channel.deleteQueue(`${ns}.delay.00`)), [
          "rabbitmq.topology.missing"
        ])
        assert.deepStrictEqual(
          yield* found(async (channel, ns) => {
            await channel.deleteQueue(`${ns}.delay.03`)
            await channel.assertQueue(`${ns}.delay.03`, { arguments: { "x-queue-type": "quorum" } })
          }),
          ["rabbitmq.topology.mismatch"]
        )
        assert.deepStrictEqual(
          yield* found(
            (channel, ns) => channel.unbindQueue(`${ns}.dead.mailer`, `${ns}.dead`, "mailer"),
            "--management",
            management
          ),
          ["rabbitmq.bindings"]
        )
        assert.deepStrictEqual(yield* found(async () => {}, "--subscriber", "gone"), ["rabbitmq.subscriber.missing"])
        assert.deepStrictEqual(
          yield* found(
            async (channel, ns) => {
              channel.publish(`${ns}.events`, "test.posted", Buffer.from("{}"))
              channel.sendToQueue(`${ns}.undeliverable`, Buffer.from("{}"))
              // Answered behind them.
              for (const queue of [`${ns}.sub.mailer`, `${ns}.undeliverable`])
                while ((await channel.checkQueue(queue)).messageCount === 0);
            },
            ...named
          ),
          ["rabbitmq.subscriber.unconsumed", "rabbitmq.undeliverable"]
        )
        const strict = yield* doctor(settings(freshNamespace(), { EVENTBUS_TOPOLOGY: "verify" }))
        assert.deepStrictEqual(strict.checks, ["rabbitmq.topology.missing"])
      })
    )

    it.live("policies that drop, delete or give up early", () =>
      Effect.gen(function* () {
        const namespace = yield* declared
        for (const [kind, definition] of [
          ["sub", { "delivery-limit": 3 }],
          ["dead", { "delivery-limit": 50 }],
          ["sub", { "max-length": 10 }],
          ["dead", { "message-ttl": 60_000 }],
          ["parked|dead", { expires: 3_600_000 }]
        ] as const) {
          const policy = JSON.stringify(definition)
          yield* Effect.promise(() => node.ctl("set_policy", "planted", `^${namespace}\\.(${kind})\\.`, policy))
          // The API learns of a policy with its next statistics.
          const { findings } = yield* lookUntil(true, namespace, "--management", management)
          assert.deepStrictEqual(
            findings.map(({ check }) => check),
            ["rabbitmq.policy"],
            policy
          )
          assert.include(findings[0]?.seen, "policy planted")
          yield* Effect.promise(() => node.ctl("clear_policy", "planted"))
          yield* lookUntil(false, namespace, "--management", management)
        }
      })
    )

    it.live("topic rights that are missing", () =>
      Effect.gen(function* () {
        const namespace = yield* declared
        const url = yield* Effect.promise(() => node.addUser("topical", "pw"))
        yield* Effect.promise(() =>
          node.ctl("set_topic_permissions", "topical", `${namespace}.events`, "^other\\.", ".*")
        )
        const contracts = new URL("./contracts.ts", import.meta.url).pathname
        const { checks, findings } = yield* doctor(settings(namespace, { EVENTBUS_URL: url }), "--contracts", contracts)
        assert.include(checks, "rabbitmq.rights.topic")
        assert.include(findings.find(({ check }) => check === "rabbitmq.rights.topic")?.seen, "test.posted")
        // Without contracts no topic is known, and none is guessed.
        assert.deepStrictEqual((yield* doctor(settings(namespace, { EVENTBUS_URL: url }))).checks, [])
      })
    )

    it.live("an alarm that blocks publishers", () =>
      Effect.gen(function* () {
        const namespace = yield* declared
        yield* Effect.promise(() => node.ctl("set_vm_memory_high_watermark", "0.00001"))
        const { checks } = yield* lookUntil(true, namespace)
        yield* Effect.promise(() => node.ctl("set_vm_memory_high_watermark", "absolute", "1GB"))
        assert.deepStrictEqual(checks, ["rabbitmq.alarm"])
        yield* lookUntil(false, namespace)
      })
    )
  },
  ["rabbitNode"]
)
