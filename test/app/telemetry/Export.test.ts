/** What a collector receives, field by field, and that a scrape shows the same numbers. */
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer, Metric, Schedule, Schema } from "effect"
import { Event, EventBus, EventCache, Health, httpEndpoints, Reject, Telemetry } from "../../../src/index.ts"
import { prometheusLabel, prometheusName } from "../../../src/observe/MetricDefinition.ts"
import * as Metrics from "../../../src/observe/Metrics.ts"
import { type Metric as Exported, type Point, record, startCollector } from "./Collector.ts"

const Posted = Event.make("telemetry.test.posted", { version: 1, data: Schema.Struct({ n: Schema.Int }) })

const env = (values: Readonly<Record<string, string>>) =>
  ConfigProvider.layer(
    ConfigProvider.fromEnvRecord({
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_METRIC_EXPORT_INTERVAL: "50",
      OTEL_BSP_SCHEDULE_DELAY: "50",
      OTEL_BLRP_SCHEDULE_DELAY: "50",
      ...values
    })
  )

const collector = Effect.acquireRelease(
  Effect.promise(() => startCollector()),
  ({ stop }) => Effect.promise(stop)
)

/** A service with everything: retries, a dead letter, a read of the cache, and a metric of its own. */
const work = Effect.gen(function* () {
  const bus = yield* EventBus
  const cache = yield* EventCache
  yield* bus.subscribe("telemetry.feed", {
    events: [Posted],
    retry: Schedule.spaced("1 millis"),
    handler: ({ data: { n } }, { attempt }): Effect.Effect<void, string | Reject> =>
      n === 1
        ? Effect.fail(new Reject({ reason: "poison" }))
        : attempt === 1 && n === 2
          ? Effect.fail("once")
          : Effect.void
  })
  for (let n = 0; n < 20; n++) yield* bus.publish(Posted, { n })
  yield* cache.last(Posted)
  yield* Metric.update(Metric.counter("shop.orders", { attributes: { unit: "orders" } }), 3)
  yield* Effect.repeat(bus.tree, {
    until: ({ subscribers }) =>
      subscribers.some(({ deadLettered, handled, held }) => handled === 19 && deadLettered === 1 && held === 0),
    schedule: Schedule.spaced("5 millis")
  })
})

const scraped = (body: string): ReadonlyMap<string, number> =>
  new Map(
    body.split("\n").flatMap((line) => {
      const match = /^([^#{ ]+)(\{.*\})? (\S+)$/.exec(line)
      if (match === null) return []
      const labels = [...(match[2] ?? "").matchAll(/([a-zA-Z0-9_]+)="([^"]*)"/g)].map(
        ([, key, value]) => `${key}=${value}`
      )
      return [[`${match[1]} ${labels.toSorted().join(",")}`, Number(match[3])] as const]
    })
  )

/** The samples that Prometheus would derive from an exported metric. */
const samples = ({ gauge, histogram, name, sum }: Exported): ReadonlyArray<readonly [string, number]> => {
  const definition = Metrics.all.find((one) => one.name === name)
  const base = definition === undefined ? name : prometheusName(definition)
  const key = (point: Point, suffix = "", more: ReadonlyArray<string> = []): string => {
    const labels = point.attributes.map(({ key, value }) => `${prometheusLabel(key)}=${value.stringValue}`)
    return `${base}${suffix} ${[...labels, ...more].toSorted().join(",")}`
  }
  if (histogram === undefined)
    return ((sum ?? gauge)?.dataPoints ?? []).map((point) => [key(point), point.asInt ?? point.asDouble ?? Number.NaN])
  return histogram.dataPoints.flatMap((point) => {
    let below = 0
    const bounds = (point.explicitBounds ?? []).map(
      (bound, i) => [key(point, "_bucket", [`le=${bound}`]), (below += point.bucketCounts?.[i] ?? 0)] as const
    )
    return [
      ...bounds,
      [key(point, "_bucket", ["le=+Inf"]), point.count ?? 0] as const,
      [key(point, "_sum"), point.sum ?? 0] as const,
      [key(point, "_count"), point.count ?? 0] as const
    ]
  })
}

describe("Telemetry.layer", () => {
  it.live("exports and /metrics show the same numbers, with kinds and units as declared", () =>
    Effect.gen(function* () {
      const { metrics, requests, until, url } = yield* collector
      let address = ""
      yield* Effect.gen(function* () {
        yield* work
        yield* Effect.flatMap(Health, ({ report }) => report)
        const settled = requests.length + 6
        yield* Effect.promise(() => until(() => requests.length >= settled))
        const exported = metrics()
        const seen = scraped(yield* Effect.promise(() => fetch(`${address}/metrics`).then((answer) => answer.text())))
        const ours = exported.find(({ scope }) => scope.name === "@eduflow/events")?.metrics ?? []
        // Except for values that change by themselves: requests to the collector, and time.
        const moves = /^eventbus_(telemetry_exports|event_loop_lag)/
        const both = ours.flatMap(samples).filter(([key]) => !moves.test(key))
        assert.isAbove(both.length, 200)
        assert.deepStrictEqual(
          both.filter(([key, value]) => seen.get(key) !== value).map(([key, value]) => [key, value, seen.get(key)]),
          []
        )
        const ourNames = Metrics.all.map(prometheusName)
        const onlySeen = [...seen.keys()].filter(
          (key) =>
            ourNames.some((name) => key.startsWith(`${name} `)) &&
            !moves.test(key) &&
            !both.some(([one]) => one === key)
        )
        assert.deepStrictEqual(onlySeen, [])

        const declared = new Map(Metrics.all.map((definition) => [definition.name, definition]))
        for (const { description, gauge, histogram, name, sum, unit } of ours) {
          const definition = declared.get(name)
          assert.deepStrictEqual([unit, description], [definition?.unit, definition?.description], name)
          const kind =
            histogram !== undefined
              ? "histogram"
              : gauge !== undefined
                ? "gauge"
                : sum?.isMonotonic === true
                  ? "counter"
                  : "updowncounter"
          assert.strictEqual(kind, definition?.kind, name)
          if (gauge === undefined) assert.strictEqual((sum ?? histogram)?.aggregationTemporality, 2, name)
          for (const point of (sum ?? gauge ?? histogram)?.dataPoints ?? []) {
            const keys = point.attributes.map(({ key }) => key)
            const strangers = keys.filter((key) => !definition?.attributes.some((one) => one === key))
            assert.deepStrictEqual(strangers, [], name)
            // https://opentelemetry.io/docs/specs/otel/metrics/data-model/: counts are integers, times are set.
            if (unit.startsWith("{") && histogram === undefined) assert.isTrue(Number.isInteger(point.asInt), name)
            assert.match(point.startTimeUnixNano, /^\d{19}$/)
            assert.isAtLeast(Number(point.timeUnixNano), Number(point.startTimeUnixNano))
            if (histogram !== undefined) {
              assert.deepStrictEqual(point.explicitBounds, definition?.boundaries, name)
              assert.strictEqual(point.bucketCounts?.length, (point.explicitBounds?.length ?? 0) + 1)
              assert.strictEqual(
                (point.bucketCounts ?? []).reduce((a, b) => a + b, 0),
                point.count
              )
              assert.strictEqual(point.min === undefined, point.count === 0)
            }
          }
        }
        // A metric of the service itself is exported as well, in a scope of its own.
        const [own] = exported
          .filter(({ scope }) => scope.name !== "@eduflow/events")
          .flatMap(({ metrics }) => metrics ?? [])
        assert.deepStrictEqual(
          [own?.name, own?.unit, own?.sum?.dataPoints[0]?.attributes],
          ["shop.orders", "orders", []]
        )
      }).pipe(
        Effect.provide(
          httpEndpoints({ port: 0, onListen: (on) => (address = on) }).pipe(
            Layer.provideMerge(EventBus.layerMemory({ source: "test" })),
            Layer.provide(Telemetry.layer({ logs: "none", endpoint: url })),
            Layer.provide(env({}))
          )
        ),
        Effect.provideService(Metric.MetricRegistry, new Map())
      )
    }).pipe(Effect.scoped)
  )

  it.live("spans and logs carry resource, attributes and trace; the last ones are sent at shutdown", () =>
    Effect.gen(function* () {
      const { logs, requests, scopes, spans, url } = yield* collector
      yield* Effect.gen(function* () {
        yield* work
        yield* Effect.withSpan(
          Effect.logInfo("bye", { password: "hunter2" }).pipe(Effect.annotateLogs({ token: "t", n: 1 })),
          "farewell"
        )
      }).pipe(
        Effect.provide(
          EventBus.layerMemory({ source: "test" }).pipe(
            Layer.provideMerge(Telemetry.layer({ logs: "none" })),
            Layer.provide(
              env({
                OTEL_EXPORTER_OTLP_ENDPOINT: url,
                OTEL_EXPORTER_OTLP_HEADERS: "x-tenant=a%20b",
                OTEL_EXPORTER_OTLP_COMPRESSION: "gzip",
                OTEL_SERVICE_NAME: "grades",
                OTEL_RESOURCE_ATTRIBUTES: "service.version=1.2.3,deployment.environment.name=test",
                OTEL_BSP_SCHEDULE_DELAY: "3600000",
                OTEL_BLRP_SCHEDULE_DELAY: "3600000",
                OTEL_METRICS_EXPORTER: "none"
              })
            )
          )
        ),
        Effect.provideService(Metric.MetricRegistry, new Map())
      )
      assert.sameMembers([...new Set(requests.map(({ path }) => path))], ["/v1/traces", "/v1/logs"])
      for (const { body, headers } of requests) {
        assert.strictEqual(headers["x-tenant"], "a b")
        const resource = record(Object.values(body).flat()[0]?.resource.attributes ?? [])
        const { "service.instance.id": instance, "telemetry.sdk.version": _, ...known } = resource
        assert.match(String(instance), /^[0-9a-f-]{36}$/)
        assert.containsSubset(known, {
          "service.name": "grades",
          "service.version": "1.2.3",
          "deployment.environment.name": "test",
          "process.pid": process.pid,
          "process.runtime.name": "nodejs",
          "process.runtime.version": process.versions.node,
          "telemetry.sdk.language": "nodejs",
          "telemetry.sdk.name": "effect",
          "telemetry.distro.name": "@eduflow/events"
        })
      }
      const ours = scopes("scopeSpans").filter(({ scope }) => scope.name === "@eduflow/events")
      const named = (start: string) =>
        ours.flatMap(({ spans = [] }) => spans).filter(({ name }) => name.startsWith(start))
      const [publishes, processes] = [named("publish "), named("process ")]
      assert.deepStrictEqual([publishes.length >= 20, processes.length], [true, 21])
      for (const span of [...publishes, ...processes]) {
        assert.match(span.traceId, /^[0-9a-f]{32}$/)
        assert.match(span.spanId, /^[0-9a-f]{16}$/)
        assert.isAtLeast(Number(span.endTimeUnixNano), Number(span.startTimeUnixNano))
        assert.strictEqual(span.kind, span.name.startsWith("publish") ? 4 : 5)
        // Unset, or Error with its type.
        const { "error.type": error } = record(span.attributes)
        assert.strictEqual(span.status.code, error === undefined ? 0 : 2)
      }
      const once = processes.find((span) => record(span.attributes)["eventbus.attempt"] === 2)
      const parent = publishes.find(({ spanId }) => spanId === once?.parentSpanId)
      assert.strictEqual(parent?.traceId, once?.traceId)
      const first = processes.find(({ spanId }) => spanId === once?.links[0]?.spanId)
      assert.strictEqual(record(first?.attributes ?? [])["error.type"], "string")

      const dead = logs().find(({ body }) => body.stringValue === "dead-lettered")
      assert.deepStrictEqual([dead?.severityText, dead?.severityNumber], ["Error", 17])
      const rejected = processes.find((span) => record(span.attributes)["error.type"] === "Reject")
      assert.deepStrictEqual([dead?.traceId, dead?.spanId], [rejected?.traceId, rejected?.spanId])
      assert.containsSubset(record(dead?.attributes ?? []), { subscriber: "telemetry.feed", reason: "Rejected" })
      const farewell = spans().find(({ name }) => name === "farewell")
      const bye = logs().find(({ spanId }) => spanId === farewell?.spanId)
      assert.containsSubset(record(bye?.attributes ?? []), { token: "<redacted>", n: 1 })
      assert.notInclude(JSON.stringify(requests), "hunter2")
    }).pipe(Effect.scoped)
  )
})
