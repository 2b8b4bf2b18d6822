/** `eventbus grants`: services run as the users that it writes, and a wider act is refused by RabbitMQ and Redis. */
import { assert, describe, it } from "@effect/vitest"
import { type ConfirmChannel, connect } from "amqplib"
import { Effect, Result, Schedule, Schema } from "effect"
import { createHash, randomBytes } from "node:crypto"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll } from "vitest"
import * as Reports from "../../src/operations/GrantsReport.ts"
import { DeadLetters, EventBus, Reject } from "../../src/index.ts"
import { describeLive, freshNamespace } from "../support/live.ts"
import { type RabbitNode, startRabbit } from "../support/RabbitNode.ts"
import { type RedisNode, startRedis } from "../support/RedisNode.ts"
import { openScratch } from "../support/Scratch.ts"
import { doctor, eventbus, reported, type Settings } from "./Eventbus.ts"
import { Opened, Posted } from "./grantsContracts.ts"

const contracts = ["--contracts", new URL("./grantsContracts.ts", import.meta.url).pathname]
const publisherContracts = ["--contracts", new URL("./publisherContracts.ts", import.meta.url).pathname]

/** The words of a command, without the quotes of a shell. */
const wordsOf = (command: string): ReadonlyArray<string> =>
  (command.match(/'[^']*'|\S+/g) ?? []).map((word) => word.replaceAll("'", "").replace("<password>", "pw"))

const hashOf = (password: string): string => {
  const salt = randomBytes(4)
  return Buffer.concat([salt, createHash("sha256").update(salt).update(password).digest()]).toString("base64")
}

describe("grants", () => {
  const offline = { EVENTBUS_URL: "amqp://guest:s3cret-word@127.0.0.1:1/eduflow" }

  it.live("says the same as text and as JSON, asks no server, and has no secret", () =>
    Effect.gen(function* () {
      const { code, report } = yield* reported(offline, "grants", "teller", ...contracts)
      const { rabbitmq, redis } = yield* Schema.decodeUnknownEffect(Reports.Grants)(report)
      assert.strictEqual(code, 0)
      const formats = {
        rabbitmqctl: rabbitmq.commands.join("\n"),
        redis: redis.commands.join("\n"),
        definitions: JSON.stringify(rabbitmq.definitions, undefined, 2)
      }
      const all = yield* eventbus(offline, "grants", "teller", ...contracts)
      for (const [format, text] of Object.entries(formats)) {
        const { out } = yield* eventbus(offline, "grants", "teller", "--format", format, ...contracts)
        assert.strictEqual(out, text)
        if (format !== "definitions") assert.include(all.out, text)
      }
      assert.notInclude(all.out + JSON.stringify(report), "s3cret-word")
      assert.include(all.out, "rabbitmqctl set_permissions -p eduflow teller")
      assert.include(all.out, "EVENTBUS_STATE_NAMESPACE=eduflow-teller")
      assert.include(all.out, redis.operatorCommands.join("\n"))
    })
  )

  it.live("wants contracts and a plain name", () =>
    Effect.gen(function* () {
      for (const args of [["teller"], ["a b", ...contracts], ["'x'", ...contracts]]) {
        const { code, err, out } = yield* eventbus(offline, "grants", ...args)
        assert.deepStrictEqual([code, out], [2, ""], err)
      }
    })
  )
})

describeLive(
  "grants on RabbitMQ and Redis",
  () => {
    const namespace = freshNamespace()
    let rabbit: RabbitNode
    let redis: RedisNode
    const as = (user: string, more: Settings = {}): Settings => ({
      EVENTBUS_URL: `amqp://${user}:pw@127.0.0.1:${rabbit.port}`,
      EVENTBUS_REDIS_URL: `redis://${user}:pw@127.0.0.1:${redis.port}`,
      EVENTBUS_NAMESPACE: namespace,
      EVENTBUS_STATE_NAMESPACE: `${namespace}-${user}`,
      ...more
    })
    const live = (user: string, topology: "assert" | "verify" = "assert") =>
      EventBus.layerAmqp({
        url: as(user)["EVENTBUS_URL"] ?? "",
        redisUrl: as(user)["EVENTBUS_REDIS_URL"] ?? "",
        redisTimeout: "10 seconds",
        stateNamespace: `${namespace}-${user}`,
        namespace,
        topology
      })
    const grant = Effect.fnUntraced(function* (user: string, ...args: ReadonlyArray<string>) {
      const { report } = yield* reported(as(user), "grants", user, ...args)
      const granted = yield* Schema.decodeUnknownEffect(Reports.Grants)(report)
      for (const command of granted.redis.commands) yield* Effect.promise(() => redis.cli(...wordsOf(command)))
      return granted
    })

    beforeAll(async () => {
      rabbit = await startRabbit()
      redis = await startRedis()
      const guest = { ...as("guest"), EVENTBUS_URL: rabbit.url, EVENTBUS_REDIS_URL: redis.url }
      const program = Effect.gen(function* () {
        const other = yield* eventbus(guest, "topology", "apply", "--whole-ladder", ...contracts)
        assert.strictEqual(other.code, 0, other.err)
        // By commands and by definitions.
        for (const command of (yield* grant("teller", ...contracts)).rabbitmq.commands)
          yield* Effect.promise(() => rabbit.ctl(...wordsOf(command).slice(1)))
        const { rabbitmq } = yield* grant("crier", ...publisherContracts)
        const [user] = rabbitmq.definitions["users"] ?? []
        const definitions = { ...rabbitmq.definitions, users: [{ ...user, password_hash: hashOf("pw") }] }
        const file = join(openScratch("grants").dir, "definitions.json")
        writeFileSync(file, JSON.stringify(definitions))
        yield* Effect.promise(() => rabbit.ctl("import_definitions", file))
      })
      await Effect.runPromise(program)
    })
    afterAll(() => Promise.all([rabbit?.stop(), redis?.stop()]))

    it.live("a service publishes, handles, retries, waits, remembers, gives up and replays", () =>
      Effect.gen(function* () {
        const bus = yield* EventBus
        const letters = yield* DeadLetters
        const seen: Array<string> = []
        let isMended = false
        yield* bus.subscribe("mailer", {
          events: [Posted, Opened],
          idempotent: true,
          retry: Schedule.spaced("1 second").pipe(Schedule.upTo({ times: 1 })),
          handler: (event, { attempt }) => {
            const { text } = event.data
            seen.push(`mailer ${text} ${attempt}`)
            if (text === "reject" && !isMended) return Effect.fail(new Reject({ reason: "no" }))
            return text === "retry" && attempt === 1 ? Effect.fail("once") : Effect.void
          }
        })
        yield* bus.subscribe("ledger", {
          events: [Posted],
          ordering: "key",
          onBlocked: "park",
          handler: (event) => Effect.sync(() => void seen.push(`ledger ${event.data.text}`))
        })
        for (const text of ["plain", "retry", "reject"]) yield* bus.publish(Posted, { text })
        yield* bus.publish(Posted, { text: "later" }, { delay: "1 second" })
        const until = (text: string) =>
          Effect.repeat(
            Effect.sync(() => seen.includes(text)),
            { until: (found) => found, schedule: Schedule.spaced("50 millis") }
          )
        for (const text of ["mailer plain 1", "mailer retry 2", "mailer later 1", "ledger plain", "ledger later"])
          yield* until(text)
        const counted = Effect.repeat(letters.count("mailer"), {
          until: (count) => count === 1,
          schedule: Schedule.spaced("50 millis")
        })
        yield* counted
        isMended = true
        seen.length = 0
        assert.strictEqual((yield* letters.replay("mailer", {})).replayed, 1)
        yield* until("mailer reject 1")
      }).pipe(Effect.provide(live("teller")))
    )

    it.live("doctor and replay run as that user, and miss no right", () =>
      Effect.gen(function* () {
        const { checks, unseen } = yield* doctor(as("teller"), ...contracts)
        assert.deepStrictEqual(checks, [], unseen.join("\n"))
        const replay = yield* eventbus(as("teller"), "dead-letters", "replay", "mailer", "--yes")
        assert.deepStrictEqual([replay.code, replay.err], [0, ""])
      })
    )

    it.live("a user that only publishes publishes, at once and later", () =>
      Effect.gen(function* () {
        const bus = yield* EventBus
        assert.isTrue((yield* bus.publish(Posted, { text: "cried" })).routed)
        yield* bus.publish(Posted, { text: "cried" }, { delay: "1 second" })
        const denied = yield* Effect.result(bus.publish(Opened, { text: "no" }))
        assert.strictEqual(Result.isFailure(denied) ? denied.failure.reason._tag : "published", "Denied")
      }).pipe(Effect.provide(live("crier", "verify")))
    )

    it.live("P15: what contracts do not name is denied", () =>
      Effect.gen(function* () {
        const bus = yield* EventBus
        const denied = yield* Effect.result(bus.publish(Opened, { text: "no" }))
        assert.strictEqual(Result.isFailure(denied) ? denied.failure.reason._tag : "published", "Denied")
        const stranger = yield* Effect.result(
          bus.subscribe("stranger", { events: [Posted], handler: () => Effect.void })
        )
        assert.strictEqual(Result.isFailure(stranger) ? stranger.failure.reason._tag : "subscribed", "Permission")
        const stars = "*.".repeat(20)
        const zeros = "0.".repeat(20)
        type Attempt = (channel: ConfirmChannel) => Promise<unknown>
        const publish =
          (exchange: string, key: string): Attempt =>
          async (channel) => {
            channel.publish(`${namespace}.${exchange}`, key, Buffer.from("{}"))
            await channel.waitForConfirms()
          }
        const refused: ReadonlyArray<Attempt> = [
          publish("events", "other.opened"),
          publish("delay.deliver", `${zeros}to.other`),
          publish("delay.deliver", `${zeros}to.mailerx`),
          publish("delay.00", `${"0.".repeat(19)}1.publish.other.opened`),
          publish("undeliverable", ""),
          (channel) => channel.consume(`${namespace}.undeliverable`, () => {}),
          (channel) => channel.consume(`${namespace}.delay.00`, () => {}),
          (channel) => channel.deleteQueue(`${namespace}.delay.00`),
          (channel) => channel.deleteExchange(`${namespace}.events`),
          (channel) => channel.bindQueue(`${namespace}.sub.mailer`, `${namespace}.events`, "#"),
          (channel) => channel.bindQueue(`${namespace}.sub.mailer`, `${namespace}.events`, "third.thing"),
          (channel) => channel.bindQueue(`${namespace}.sub.mailer`, `${namespace}.delay.deliver`, `${stars}to.other`),
          (channel) => channel.assertQueue(`${namespace}.sub.other`, { arguments: { "x-queue-type": "quorum" } }),
          (channel) => channel.assertQueue("elsewhere.sub.mailer", { arguments: { "x-queue-type": "quorum" } })
        ]
        const model = yield* Effect.promise(() => connect(as("teller")["EVENTBUS_URL"] ?? ""))
        model.on("error", () => {})
        for (const [at, attempt] of refused.entries()) {
          const why = yield* Effect.promise(async () => {
            const channel = await model.createConfirmChannel()
            const closed = new Promise<string>((resolve) => channel.once("error", (error) => resolve(String(error))))
            return attempt(channel).then(
              () => "permitted",
              () => closed
            )
          })
          assert.include(why, "ACCESS_REFUSED", `attempt ${at}`)
        }
        yield* Effect.promise(() => model.close())
        const cli = (...args: ReadonlyArray<string>) =>
          Effect.promise(() =>
            redis.cli("--user", "teller", "--pass", "pw", ...args).then(
              (text) => text,
              (error: unknown) => String(error)
            )
          )
        for (const args of [
          ["GET", `${namespace}-crier:{x}:state`],
          ["SET", "elsewhere", "1"],
          ["HSET", `${namespace}:{@fleet}:paused`, "mailer", "{}"],
          ["HDEL", `${namespace}:{@fleet}:paused`, "mailer"],
          ["DEL", `${namespace}:{@fleet}:paused`],
          ["FLUSHALL"],
          ["CONFIG", "GET", "*"],
          ["KEYS", "*"]
        ])
          assert.include(yield* cli(...args), "NOPERM", args.join(" "))
      }).pipe(Effect.provide(live("teller")))
    )
  },
  ["rabbitNode", "redisNode"]
)
