/**
 * The metrics that the demo emits on RabbitMQ and Redis are exactly those that src/observe/Metrics.ts declares: none is
 * missing, none is undeclared, and no attribute has unbounded values.
 */
import { assert, it } from "@effect/vitest"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import * as Metrics from "../../../src/observe/Metrics.ts"
import { describeLive, freshNamespace, rabbitUrl, redisUrl } from "../../support/live.ts"
import { type Collector, type Metric, type Point, record, startCollector, valueOf } from "./Collector.ts"

const main = join(import.meta.dirname, "../../../src/app/demo/main.ts")

const pointsOf = ({ gauge, histogram, sum }: Metric): ReadonlyArray<Point> =>
  (sum ?? gauge ?? histogram)?.dataPoints ?? []

/** Allowed values of attributes, except for names that the service chose. */
const closed: Readonly<Record<string, RegExp>> = {
  "messaging.system": /^rabbitmq$/,
  "messaging.operation.name": /^(publish|deliver|process)$/,
  "messaging.operation.type": /^(send|receive|process)$/,
  "eventbus.outcome":
    /^(confirmed|unrouted|Invalid|Denied|Unavailable|Overloaded|Rejected|Unknown|handled|retried|dead-lettered|postponed|skipped|duplicate|whole|cut off|accepted|failed|dropped|renewed)$/,
  "eventbus.reason": /^[A-Z][A-Za-z]+$/,
  "eventbus.limit": /^(callers|copies)$/,
  "eventbus.connection": /^(publish|consume)$/,
  "eventbus.state": /^(Starting|Running|Paused|Restarting|Draining|Stopped|Failed|up|degraded|down)$/,
  "eventbus.result": /^(hit|miss|error)$/,
  "eventbus.signal": /^(traces|metrics|logs)$/,
  "error.type": /^[A-Z][A-Za-z]+$|^_OTHER$/
}

/** Most values of one attribute: the catalog has 40 events. */
const bound = 60

describeLive("metrics of the demo", () => {
  it("are exactly the declared ones, with declared and bounded attributes", async () => {
    const collector: Collector = await startCollector()
    const demo: ChildProcess = spawn(process.execPath, [main, "--port", "0", "--rate", "300"], {
      env: {
        ...process.env,
        EVENTBUS_URL: rabbitUrl(),
        EVENTBUS_REDIS_URL: redisUrl(),
        EVENTBUS_NAMESPACE: freshNamespace(),
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
        OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
        OTEL_METRIC_EXPORT_INTERVAL: "250"
      },
      stdio: "ignore"
    })
    const ended = once(demo, "exit")
    const emitted = (): ReadonlyArray<Metric> => collector.scopes("scopeMetrics").flatMap(({ metrics = [] }) => metrics)
    const total = (name: string, wanted: Readonly<Record<string, string>> = {}): number =>
      collector
        .metrics()
        .flatMap(({ metrics = [] }) => metrics.filter((metric) => metric.name === name))
        .flatMap(pointsOf)
        .filter(({ attributes }) => Object.entries(wanted).every(([key, value]) => record(attributes)[key] === value))
        .reduce((sum, point) => sum + (point.asInt ?? point.asDouble ?? point.count ?? 0), 0)
    try {
      // Until everything that the demo can show has happened at least once.
      await collector.until(
        () =>
          ["handled", "retried", "dead-lettered", "postponed"].every(
            (outcome) => total("eventbus.subscriber.outcomes", { "eventbus.outcome": outcome }) > 0
          ) &&
          [
            "messaging.client.sent.messages",
            "messaging.client.operation.duration",
            "messaging.client.consumed.messages",
            "messaging.process.duration",
            "eventbus.publish.outcomes",
            "eventbus.subscriber.retries",
            "eventbus.subscriber.retry_depth",
            "eventbus.dead_letters.added",
            "eventbus.connection.up",
            "eventbus.health.state",
            "eventbus.telemetry.exports"
          ].every((name) => total(name) > 0)
      )
      demo.kill("SIGTERM")
      assert.deepStrictEqual(await ended, [0, null])
    } finally {
      demo.kill("SIGKILL")
      await collector.stop()
    }
    // The last export includes the drain.
    assert.strictEqual(total("eventbus.drain.duration", { "eventbus.outcome": "whole" }), 1)

    const names = new Set(emitted().map(({ name }) => name))
    // The demo has no outbox, and asks nothing.
    const expected = Metrics.all.filter(({ emitter }) => emitter !== "outbox" && emitter !== "requests")
    const declared = new Map(expected.map((definition) => [definition.name, definition]))
    assert.deepStrictEqual(
      [...declared.keys()].filter((name) => !names.has(name)),
      []
    )
    assert.deepStrictEqual(
      [...names].filter((name) => !declared.has(name)),
      []
    )

    const values = new Map<string, Set<string>>()
    for (const metric of emitted()) {
      const allowed: ReadonlyArray<string> = declared.get(metric.name)?.attributes ?? []
      for (const { attributes } of pointsOf(metric)) {
        for (const attribute of attributes) {
          assert.include(allowed, attribute.key, metric.name)
          values.set(attribute.key, (values.get(attribute.key) ?? new Set()).add(String(valueOf(attribute))))
        }
      }
    }
    for (const [key, seen] of values) {
      assert.isAtMost(seen.size, bound, key)
      for (const value of seen) {
        const form = closed[key]
        if (form !== undefined) assert.match(value, form, key)
        // No ids of events, people or courses, which are unbounded.
        assert.notMatch(value, /[0-9a-f]{8}-[0-9a-f]{4}|-\d+$/, key)
      }
    }
  })
})
