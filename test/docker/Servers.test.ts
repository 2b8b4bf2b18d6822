/**
 * What the compose file gives to RabbitMQ and Redis, on real ones: who may what, and that the demo and each
 * service do their work as these users.
 */
import { afterAll, afterEach, assert, beforeAll, beforeEach, it, vi } from "@effect/vitest"
import { connect } from "amqplib"
import { spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Schedule, Schema } from "effect"
import { createEventBus, Event, PublishError, Reject } from "../../src/index.ts"
import { all as foreign } from "../../scripts/dashboards/Foreign.ts"
import { rules } from "../../src/redis/Access.ts"
import { describeLive } from "../support/live.ts"
import { startRedisExporter } from "../support/Prometheus.ts"
import { type RabbitNode, startRabbit } from "../support/RabbitNode.ts"
import { type RedisNode, startRedis } from "../support/RedisNode.ts"
import { composed, docker } from "./files.ts"

const definitions = JSON.parse(readFileSync(join(docker, "rabbitmq/definitions.json"), "utf8")) as {
  readonly users: ReadonlyArray<{ readonly name: string; readonly tags: string }>
}
const services = ["academic", "kyc", "notification", "social", "user"]

/** The settings of the compose file, with what is different for a process of this machine. */
const conf = (): Record<string, string> => ({
  ...Object.fromEntries(
    readFileSync(join(docker, "rabbitmq/rabbitmq.conf"), "utf8")
      .split("\n")
      .filter((line) => /^\w/.test(line))
      .map((line) => line.split(" = ") as [string, string])
  ),
  "definitions.local.path": join(docker, "rabbitmq/definitions.json"),
  "disk_free_limit.absolute": "20MB"
})

describeLive(
  "the servers of the compose file",
  () => {
    let rabbit: RabbitNode
    let redis: RedisNode
    const as = (user: string): string => `amqp://${user}:${user}@127.0.0.1:${rabbit.port}/eduflow`
    const cacheAs = (user: string): string => redis.url.replace("//", `//${user}:${user}@`)
    beforeAll(async () => {
      ;[rabbit, redis] = await Promise.all([
        startRabbit({ conf: conf() }),
        startRedis({ args: ["--aclfile", join(docker, "redis/users.acl")] })
      ])
    })
    // What is ordered to fail is logged as failures.
    beforeEach(() => void vi.spyOn(console, "log").mockImplementation(() => {}))
    afterEach(() => void vi.restoreAllMocks())
    afterAll(async () => {
      await Promise.all([rabbit.stop(), redis.stop()])
    })

    it("RabbitMQ has the users of the definitions, and no guest", async () => {
      const listed = await rabbit.ctl("list_users", "--no-table-headers")
      assert.sameMembers(
        listed.split("\n").map((line) => line.split("\t")[0] ?? ""),
        definitions.users.map(({ name }) => name)
      )
      assert.deepStrictEqual(
        definitions.users.filter(({ tags }) => tags !== "").map(({ name }) => name),
        ["operator"]
      )
    })

    it("D3: the ACL file says what the library needs, and no more", () => {
      const users = new Map(
        readFileSync(join(docker, "redis/users.acl"), "utf8")
          .trim()
          .split("\n")
          .map((line) => [line.split(" ")[1] ?? "", line])
      )
      assert.strictEqual(users.get("eduflow"), `user eduflow on >eduflow ${rules("eduflow")}`)
      assert.sameMembers([...users.keys()], ["default", "eduflow", "exporter"])
      assert.match(users.get("default") ?? "", /-@all \+ping$/)
    })

    it("the exporter of Redis tells all that the dashboards show, as its user", async () => {
      await using exporter = await startRedisExporter(redis.url, { user: "exporter", password: "exporter" })
      const scraped = await exporter.scrape()
      assert.match(scraped, /^redis_up 1$/m)
      const missing = foreign.filter(
        ({ exporter, name }) => exporter === "redis" && !new RegExp(`^${name}[ {]`, "m").test(scraped)
      )
      assert.deepStrictEqual(missing, [])
    })

    it(
      "the demo accounts for every event as its users, started as its image starts it",
      { timeout: 60_000 },
      async () => {
        const { EVENTBUS_REDIS_URL, EVENTBUS_URL } = composed().services["demo"]?.environment ?? {}
        const [command, ...args] = JSON.parse(
          /^CMD (.*)$/m.exec(readFileSync(join(docker, "Dockerfile"), "utf8"))?.[1] ?? "[]"
        ) as ReadonlyArray<string>
        assert.strictEqual(command, "node")
        // Only once each, and not for ever.
        const own = args.filter((_, i) => ![args[i], args[i - 1]].some((arg) => arg === "--port" || arg === "--rate"))
        const here = (url = "", host: string, port: number): string => url.replace(`@${host}`, `@127.0.0.1:${port}`)
        const child = spawn(process.execPath, [...own, "--port", "0", "--events", "300", "--rate", "300"], {
          cwd: join(docker, ".."),
          env: {
            PATH: process.env["PATH"],
            EVENTBUS_URL: here(EVENTBUS_URL, "rabbitmq", rabbit.port),
            EVENTBUS_REDIS_URL: here(EVENTBUS_REDIS_URL, "redis", redis.port)
          }
        })
        let told = ""
        child.stdout.on("data", (text: Buffer) => (told += text.toString()))
        child.stderr.on("data", (text: Buffer) => (told += text.toString()))
        const code = await new Promise((resolve) => child.once("exit", resolve))
        assert.strictEqual(code, 0, told)
        assert.include(told, "every event is accounted for")
        assert.isAbove(
          Number(
            await redis
              .cli("--user", "exporter", "--pass", "exporter", "INFO", "keyspace")
              .then((text) => /keys=(\d+)/.exec(text)?.[1])
          ),
          100
        )
      }
    )

    it("a service of its own may what it needs, and touches nothing of others", { timeout: 60_000 }, async () => {
      const events = (domain: string) =>
        Event.make(`${domain}.probe.done`, { version: 1, data: Schema.Struct({ n: Schema.Finite }), key: () => "k" })
      const works = async (service: string) => {
        const other = services.find((name) => name !== service) ?? ""
        await using bus = await createEventBus({ url: as(service), redisUrl: cacheAs("eduflow"), source: service })
        const handled = Promise.withResolvers<number>()
        await using _worker = await bus.subscribe(`${service}.worker`, {
          events: [events(service)],
          ordering: "key",
          onBlocked: "park",
          idempotent: true,
          handler: async ({ data }, { attempt }) => {
            if (data.n === 0) throw new Reject({ reason: "as ordered" })
            // Once over the ladder.
            if (attempt === 1) throw new Error("as ordered")
            handled.resolve(data.n)
          },
          retry: Schedule.spaced("1 second")
        })
        await bus.publish(events(service), { n: 0 })
        await bus.publish(events(service), { n: 1 })
        assert.strictEqual(await handled.promise, 1)
        // The first one costs a channel, and what it was that was refused is not known yet.
        const refusals = []
        for (const timeout of ["1 second", "1 second"] as const)
          refusals.push(
            await bus.publish(events(other), { n: 2 }, { timeout }).then(
              () => "confirmed",
              (error: unknown) =>
                error instanceof PublishError && error.reason._tag === "Unavailable"
                  ? error.reason.cause._tag
                  : error instanceof PublishError
                    ? error.reason._tag
                    : String(error)
            )
          )
        assert.deepStrictEqual(refusals, ["Unknown", "Permission"], `${service} publishes for ${other}`)
        const connection = await connect(as(service))
        connection.on("error", () => {})
        const channel = await connection.createChannel()
        channel.on("error", () => {})
        // Its own dead letters it may read.
        const { messageCount } = await channel.checkQueue(`eduflow.dead.${service}.worker`)
        assert.strictEqual(messageCount, 1)
        const refused = await channel.get(`eduflow.sub.${other}.worker`).then(
          () => "",
          (error: unknown) => String(error)
        )
        assert.match(refused, /ACCESS_REFUSED|NOT_FOUND/)
        await connection.close()
      }
      await Promise.all(services.map(works))
    })

    it("a user that only publishes may do that, at once and delayed, and nothing else", async () => {
      const Done = Event.make("academic.probe.done", { version: 1, data: Schema.Struct({ n: Schema.Finite }) })
      await using bus = await createEventBus({ url: as("publisher"), topology: "verify", source: "publisher" })
      await bus.publish(Done, { n: 1 })
      await bus.publish(Done, { n: 2 }, { delay: "1 second" })
      const subscribed = await bus.subscribe("publisher.worker", { events: [Done], handler: async () => {} }).then(
        () => "subscribed",
        (error: unknown) => String(error)
      )
      assert.include(subscribed, "SubscribeError")
    })
  },
  ["rabbitNode", "redisNode", "monitors"]
)
