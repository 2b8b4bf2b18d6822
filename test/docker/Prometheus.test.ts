/**
 * Dashboards and alerts on a real Prometheus that scrapes the demo, a service where everything fails, a RabbitMQ and
 * a Redis: each query has data where there must be some, and each failure fires its alert.
 *
 * The rules are the committed ones, with all times shortened by the same factor.
 */
import { afterAll, assert, beforeAll, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { boardFile, boards } from "../../scripts/dashboards.ts"
import { alerts, rules } from "../../scripts/dashboards/Rules.ts"
import { scaledDurations } from "../../scripts/dashboards/ScaledDurations.ts"
import { startCollector } from "../app/telemetry/Collector.ts"
import { describeLive } from "../support/live.ts"
import { execute } from "../support/Machine.ts"
import { freePort } from "../support/Port.ts"
import { type Prometheus, startPrometheus, startRedisExporter } from "../support/Prometheus.ts"
import { paceOf, scrapeMillis } from "../support/ScrapePace.ts"
import { type RabbitNode, startRabbit } from "../support/RabbitNode.ts"
import { type RedisNode, startRedis } from "../support/RedisNode.ts"
import { openScratch, type Scratch, type Task } from "../support/Scratch.ts"
import { composed } from "./files.ts"
import { replaceQueue } from "./ReplacedQueue.ts"
import type { SickOptions } from "./sick.ts"

const root = join(import.meta.dirname, "../..")
interface BoardFile {
  readonly panels: ReadonlyArray<{
    readonly title: string
    readonly targets?: ReadonlyArray<{ readonly expr: string }>
  }>
  readonly templating: {
    readonly list: ReadonlyArray<{ readonly name: string; readonly query: { readonly query: string } }>
  }
}

/** A query as Grafana would send it, for the demo, with every other variable at "all". */
const sent = (expr: string, pace: number): string =>
  expr
    .replaceAll("$__rate_interval", `${5 * pace}s`)
    .replaceAll("$__range", `${pace}m`)
    .replaceAll("$job", "demo")
    .replace(/\$[a-z]+/g, ".*")

interface Asked {
  readonly where: string
  readonly expr: string
}

/** Every query of the committed dashboards, except those that may have no data. */
const ofBoards = (pace: number): { readonly must: ReadonlyArray<Asked>; readonly may: ReadonlyArray<Asked> } => {
  const all = boards.flatMap((board) => {
    const quiet = new Set(
      board.rows.flatMap(({ panels }) =>
        panels.flatMap(({ targets }) =>
          targets.filter((target) => target.quiet === true).map(({ query }) => query.expr)
        )
      )
    )
    // What the generator wrote.
    const file = JSON.parse(readFileSync(join(root, boardFile(board)), "utf8")) as BoardFile
    const variables = file.templating.list.map(({ name, query }) => ({
      where: `${board.title}, variable ${name}`,
      expr: query.query.replace(/^label_values\((.*), (\w+)\)$/, "count by ($2) ($1)"),
      quiet: false
    }))
    const targets = file.panels.flatMap(({ targets = [], title }) =>
      targets.map(({ expr }) => ({ where: `${board.title}, ${title}`, expr, quiet: quiet.has(expr) }))
    )
    return [...variables, ...targets].map(({ expr, ...rest }) => ({ ...rest, expr: sent(expr, pace) }))
  })
  return { must: all.filter(({ quiet }) => !quiet), may: all.filter(({ quiet }) => quiet) }
}

describeLive(
  "dashboards and alerts",
  () => {
    let rabbit: RabbitNode
    let redis: RedisNode
    let prometheus: Prometheus
    let scratch: Scratch
    let sick: Task
    /** Its address. */
    let demo: string
    /** One minute of a rule takes this many seconds: one on an idle machine. */
    let pace = 1
    let collector: Awaited<ReturnType<typeof startCollector>>
    const closing: Array<AsyncDisposable> = []

    const node = (program: string, args: ReadonlyArray<string>, env: Record<string, string>, log: string) =>
      scratch.start({
        command: process.execPath,
        args: [join(root, program), ...args],
        env: { PATH: process.env["PATH"], ...env },
        log
      })

    beforeAll(async () => {
      const [metricsPort, demoPort, sickPort, nobody] = await Promise.all([
        freePort(),
        freePort(),
        freePort(),
        freePort()
      ])
      demo = `127.0.0.1:${demoPort}`
      collector = await startCollector()
      closing.push({ [Symbol.asyncDispose]: collector.stop })
      ;[rabbit, redis] = await Promise.all([
        startRabbit({
          plugins: ["rabbitmq_prometheus"],
          conf: { "prometheus.tcp.port": String(metricsPort), "prometheus.tcp.ip": "127.0.0.1" }
        }),
        startRedis()
      ])
      closing.push(rabbit, redis)
      const exporter = await startRedisExporter(redis.url)
      closing.push(exporter)
      scratch = openScratch("alerts")
      closing.push({ [Symbol.asyncDispose]: scratch.close })
      const servers = { EVENTBUS_URL: rabbit.url, EVENTBUS_REDIS_URL: redis.url }
      const exporting = { OTEL_METRIC_EXPORT_INTERVAL: "1000", OTEL_BSP_SCHEDULE_DELAY: "1000" }
      await node(
        "src/app/demo/main.ts",
        ["--port", String(demoPort), "--rate", "20"],
        { ...servers, ...exporting, EVENTBUS_NAMESPACE: "demo", OTEL_EXPORTER_OTLP_ENDPOINT: collector.url },
        "demo.log"
      )
      const options: SickOptions = { url: rabbit.url, redisUrl: redis.url, namespace: "sick", port: sickPort }
      sick = await node(
        "test/docker/sick.ts",
        [JSON.stringify(options)],
        { ...exporting, OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${nobody}` },
        "sick.log"
      )
      const targets = {
        demo: [demo],
        sick: [`127.0.0.1:${sickPort}`],
        rabbitmq: [`127.0.0.1:${metricsPort}`],
        redis: [exporter.address]
      }
      pace = await paceOf(targets).catch((error: unknown) => {
        throw new Error(`${String(error)}\n${logs()}`)
      })
      prometheus = await startPrometheus({
        interval: `${scrapeMillis * pace}ms`,
        rules: rules({ scale: pace / 60 }),
        targets
      })
      closing.push(prometheus)
      await until("every target is scraped", async () => (await prometheus.healthyTargets()).length === 4)
    })
    afterAll(async () => {
      for (const one of closing.reverse()) await one[Symbol.asyncDispose]()
    })

    const logs = () => ["demo.log", "sick.log"].map((log) => scratch.tail(log).slice(-1500)).join("\n")

    const until = async (what: string, condition: () => Promise<boolean>, missing = () => ""): Promise<void> => {
      const deadline = performance.now() + pace * 180_000
      while (!(await condition())) {
        if (performance.now() > deadline)
          throw new Error(`not within ${3 * pace} minutes: ${what}${missing()}\n${logs()}`)
        await delay(200)
      }
    }

    /** Waits until each query has had data; an invalid query fails at once. */
    const haveData = async (asked: ReadonlyArray<Asked>): Promise<void> => {
      let left = asked
      await until(
        "every query has data",
        async () => {
          const answers = await Promise.all(
            left.map(async (one) => ({ one, result: await prometheus.query(one.expr) }))
          )
          // NaN is a number to PromQL and no data to a reader.
          left = answers
            .filter(({ result }) => !result.some(({ value }) => Number.isFinite(value)))
            .map(({ one }) => one)
          return left.length === 0
        },
        () => left.map(({ expr, where }) => `\n${where}: ${expr}`).join("")
      )
    }

    /** Waits until each alert fires for that job. */
    const fire = async (job: string, ...names: ReadonlyArray<(typeof alerts)[number]["name"]>): Promise<void> => {
      const left = new Set<string>(names)
      await until(
        "alerts fire: ",
        async () => {
          for (const { annotations, labels, name } of await prometheus.firing()) {
            // The text of an alert names its subject.
            if (labels["job"] !== job || !left.delete(name)) continue
            assert.notInclude(annotations["summary"], "<no value>", name)
            assert.notInclude(annotations["summary"], "error", name)
          }
          return left.size === 0
        },
        () => [...left].join(", ")
      )
    }

    it("the health check of the compose file says that the demo is ready", async () => {
      const [, , ...command] = composed().services["demo"]?.healthcheck?.test ?? []
      const here = command.map((word) => word.replace("127.0.0.1:8080", demo))
      await until("the demo is ready", () =>
        execute(process.execPath, here, { PATH: process.env["PATH"] }).then(
          () => true,
          () => false
        )
      )
    })

    it("every query of every dashboard has data", async () => {
      const { may, must } = ofBoards(pace)
      assert.isAbove(must.length, 80)
      await haveData(must)
      await Promise.all(may.map(({ expr }) => prometheus.query(expr)))
    })

    it("every series of a rule exists, and no rule has an error", async () => {
      await haveData(
        alerts.flatMap(({ name, query }) =>
          query(scaledDurations(pace / 60)).selectors.map((expr) => ({ where: name, expr }))
        )
      )
      const health = await prometheus.ruleHealth()
      assert.strictEqual(health.length, alerts.length)
      assert.deepStrictEqual(
        health.filter((rule) => rule.health !== "ok"),
        []
      )
    })

    it("failures of a service fire their alerts", async () => {
      // Declared by another client with other arguments: waiting does not heal that.
      await until("the queue is replaced", () => replaceQueue(rabbit.url, "sick.sub.sick.failed"))
      await fire(
        "sick",
        "EventBusSubscriberFailed",
        "EventBusSubscriberNoProgress",
        "EventBusSubscriberLag",
        "EventBusSubscriberFailing",
        "EventBusDeadLettersGrowing",
        "EventBusUndeliverable",
        "EventBusZombies",
        "EventBusPublishRefused",
        "EventBusOutboxRefused",
        "EventBusCheckDown",
        "EventBusExportsFailing"
      )
    })

    it("PUB5: blocked publishers fire their alert", async () => {
      await rabbit.ctl("set_vm_memory_high_watermark", "0.00001")
      await fire(
        "sick",
        "EventBusPublishersBlocked",
        "EventBusPublishFailing",
        "EventBusInFlightLimitFull",
        "EventBusOutboxLate"
      )
      await fire("demo", "EventBusPublishersBlocked")
      await fire("rabbitmq", "EventBusBrokerAlarm", "EventBusBrokerMemory")
      await rabbit.ctl("set_vm_memory_high_watermark", "0.4")
    })

    it("D1: a Redis that is down fires its alert", async () => {
      await redis.kill()
      await fire("demo", "EventBusRedisDegraded")
      await fire("redis", "EventBusRedisDown")
    })

    it("a broker that is down and a process that is gone fire their alerts", async () => {
      await rabbit.kill()
      await sick.kill()
      await fire("demo", "EventBusDisconnected")
      await fire("sick", "EventBusTargetDown")
      await fire("rabbitmq", "EventBusTargetDown")
    })
  },
  ["rabbitNode", "redisNode", "monitors"]
)
