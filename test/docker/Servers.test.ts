/**
 * The users and rights that the compose file gives to RabbitMQ and Redis, on real servers: the demo and each service
 * can do their work as these users, and nothing more.
 */
import { afterAll, afterEach, assert, beforeAll, beforeEach, expect, it, vi } from "@effect/vitest"
import { connect } from "amqplib"
import { spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Schedule, Schema } from "effect"
import { createEventBus, Event, PublishError, Reject } from "../../src/index.ts"
import { all as foreign } from "../../scripts/dashboards/Foreign.ts"
import { rulesOfOperator, rulesOfService } from "../../src/redis/connection/AclRules.ts"
import * as Keys from "../../src/redis/connection/Keys.ts"
import { describeLive } from "../support/live.ts"
import { startRedisExporter } from "../support/Prometheus.ts"
import { type RabbitNode, startRabbit } from "../support/RabbitNode.ts"
import { type RedisNode, startRedis } from "../support/RedisNode.ts"
import { composed, copyOf, docker, rabbitConf } from "./files.ts"

const definitions = JSON.parse(readFileSync(join(docker, "rabbitmq/definitions.json"), "utf8")) as {
  readonly users: ReadonlyArray<{ readonly name: string; readonly tags: string }>
}
const services = ["academic", "kyc", "notification", "social", "user"]

describeLive(
  "the servers of the compose file",
  () => {
    let rabbit: RabbitNode
    let redis: RedisNode
    const as = (user: string): string => `amqp://${user}:${user}@127.0.0.1:${rabbit.port}/eduflow`
    const cacheAs = (user: string): string => redis.url.replace("//", `//${user}:${user}@`)
    beforeAll(async () => {
      ;[rabbit, redis] = await Promise.all([
        startRabbit({ conf: rabbitConf() }),
        startRedis({ args: ["--aclfile", copyOf("redis/users.acl")] })
      ])
    })
    // Planned failures are logged as failures.
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

    it("D3: the ACL file grants what the library needs, and no more", () => {
      const users = new Map(
        readFileSync(join(docker, "redis/users.acl"), "utf8")
          .trim()
          .split("\n")
          .map((line) => [line.split(" ")[1] ?? "", line])
      )
      for (const name of [...services, "demo"])
        assert.strictEqual(users.get(name), `user ${name} on >${name} ${rulesOfService("eduflow", `eduflow-${name}`)}`)
      assert.strictEqual(users.get("operator"), `user operator on >operator ${rulesOfOperator("eduflow")}`)
      assert.sameMembers([...users.keys()], ["default", "demo", "exporter", "operator", ...services])
      assert.match(users.get("default") ?? "", /-@all \+ping$/)
    })

    it("the exporter of Redis, as its user, has every metric of the dashboards", async () => {
      await using exporter = await startRedisExporter(redis.url, { user: "exporter", password: "exporter" })
      const scraped = await exporter.scrape()
      assert.match(scraped, /^redis_up 1$/m)
      const missing = foreign.filter(
        ({ exporter, name }) => exporter === "redis" && !new RegExp(`^${name}[ {]`, "m").test(scraped)
      )
      assert.deepStrictEqual(missing, [])
    })

    it("D3: the exporter of Redis reads no body: no value, no key, no command with its arguments", async () => {
      const asExporter = (...command: ReadonlyArray<string>) =>
        redis.cli("--user", "exporter", "--pass", "exporter", "--no-auth-warning", ...command)
      const key = Keys.make("eduflow").last("academic.probe.done", "k")
      for (const command of ["GET", "DUMP", "STRLEN", "TYPE", "HGETALL"].map((name) => [name, key]))
        await expect(asExporter(...command), command.join(" ")).rejects.toThrow(/NOPERM/)
      for (const command of [
        ["SLOWLOG", "GET"],
        ["MONITOR"],
        ["KEYS", "*"],
        ["SCAN", "0"],
        ["CONFIG", "GET", "*"],
        ["ACL", "LIST"]
      ])
        await expect(asExporter(...command), command.join(" ")).rejects.toThrow(/NOPERM/)
    })

    it("the demo, started as in its image, accounts for every event as its users", async () => {
      const { EVENTBUS_REDIS_URL, EVENTBUS_STATE_NAMESPACE, EVENTBUS_URL } =
        composed().services["demo"]?.environment ?? {}
      const [command, ...args] = JSON.parse(
        /^CMD (.*)$/m.exec(readFileSync(join(docker, "Dockerfile"), "utf8"))?.[1] ?? "[]"
      ) as ReadonlyArray<string>
      assert.strictEqual(command, "node")
      // Each of them once, and then it ends.
      const own = args.filter((_, i) => ![args[i], args[i - 1]].some((arg) => arg === "--port" || arg === "--rate"))
      const here = (url = "", host: string, port: number): string => url.replace(`@${host}`, `@127.0.0.1:${port}`)
      const child = spawn(process.execPath, [...own, "--port", "0", "--events", "300", "--rate", "300"], {
        cwd: join(docker, ".."),
        env: {
          PATH: process.env["PATH"],
          EVENTBUS_URL: here(EVENTBUS_URL, "rabbitmq", rabbit.port),
          EVENTBUS_REDIS_URL: here(EVENTBUS_REDIS_URL, "redis", redis.port),
          EVENTBUS_STATE_NAMESPACE
        }
      })
      let output = ""
      child.stdout.on("data", (text: Buffer) => (output += text.toString()))
      child.stderr.on("data", (text: Buffer) => (output += text.toString()))
      const code = await new Promise((resolve) => child.once("exit", resolve))
      assert.strictEqual(code, 0, output)
      assert.include(output, "every event is accounted for")
      assert.isAbove(
        Number(
          await redis
            .cli("--user", "exporter", "--pass", "exporter", "INFO", "keyspace")
            .then((text) => /keys=(\d+)/.exec(text)?.[1])
        ),
        100
      )
    })

    it("a service can do what it needs, and touches nothing of others", async () => {
      const events = (domain: string) =>
        Event.make(`${domain}.probe.done`, { version: 1, data: Schema.Struct({ n: Schema.Finite }), key: () => "k" })
      const works = async (service: string) => {
        const other = services.find((name) => name !== service) ?? ""
        const stateNamespace = `eduflow-${service}`
        const redisUrl = cacheAs(service)
        await using bus = await createEventBus({ url: as(service), redisUrl, stateNamespace, source: service })
        const handled = Promise.withResolvers<number>()
        await using _worker = await bus.subscribe(`${service}.worker`, {
          events: [events(service)],
          ordering: "key",
          onBlocked: "park",
          idempotent: true,
          handler: async ({ data }, { attempt }) => {
            if (data.n === 0) throw new Reject({ reason: "as ordered" })
            // Once over the delay ladder.
            if (attempt === 1) throw new Error("as ordered")
            handled.resolve(data.n)
          },
          retry: Schedule.spaced("1 second")
        })
        await bus.publish(events(service), { n: 0 })
        const { id } = await bus.publish(events(service), { n: 1 })
        assert.strictEqual(await handled.promise, 1)
        const identity = { source: service, type: `${service}.probe.done`, id }
        const mark = Keys.make(stateNamespace).claim(`${service}.worker`, identity)
        const redisAs = (user: string, ...command: ReadonlyArray<string>) =>
          redis.cli("--user", user, "--pass", user, "--no-auth-warning", ...command)
        await vi.waitFor(async () => assert.match(await redisAs(service, "GET", mark), /^done/), { timeout: 60_000 })
        for (const command of [
          ["GET", mark],
          ["DEL", mark],
          ["SET", mark, "done"]
        ])
          await expect(redisAs(other, ...command), `${other}: ${command.join(" ")}`).rejects.toThrow(/NOPERM/)
        const state = Keys.make(stateNamespace).state("codes", "u-1")
        await redisAs(service, "SET", state, "{}")
        await expect(redisAs(other, "GET", state)).rejects.toThrow(/NOPERM/)
        // What is remembered of events belongs to all.
        await redisAs(other, "GET", Keys.make("eduflow").last(`${service}.probe.done`, "k"))
        const refusals = []
        for (const timeout of ["30 seconds", "30 seconds"] as const)
          refusals.push(
            await bus.publish(events(other), { n: 2 }, { timeout }).then(
              () => "confirmed",
              (error: unknown) => (error instanceof PublishError ? error.reason._tag : String(error))
            )
          )
        assert.deepStrictEqual(refusals, ["Denied", "Denied"], `${service} publishes for ${other}`)
        // It asks and answers.
        const Ask = Event.request(`${service}.probe.ask`, {
          version: 1,
          data: Schema.Struct({ n: Schema.Finite }),
          reply: Schema.Finite
        })
        await using _replier = await bus.reply(`${service}.replier`, { to: Ask, handler: async ({ data }) => data.n })
        assert.strictEqual(await bus.request(Ask, { n: 4 }, { deadline: "1 minute" }), 4)
        const connection = await connect(as(service))
        connection.on("error", () => {})
        const channel = await connection.createChannel()
        channel.on("error", () => {})
        // It can read its own dead letters.
        const { messageCount } = await channel.checkQueue(`eduflow.dead.${service}.worker`)
        assert.isAtLeast(messageCount, 1)
        const refused = await channel.get(`eduflow.sub.${other}.worker`).then(
          () => "",
          (error: unknown) => String(error)
        )
        assert.match(refused, /ACCESS_REFUSED|NOT_FOUND/)
        await connection.close()
      }
      await Promise.all(services.map(works))
    })

    it("a user that only publishes can do that, immediate and delayed, and nothing else", async () => {
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
