/**
 * Telemetry changes nothing (P18): with a collector that is down, silent, slow, refuses, resets or answers nonsense,
 * events are published, handled, retried and dead-lettered, shutdown is not delayed, and lost exports are counted and
 * reported. Real HTTP, in real time.
 */
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Exit, Layer, Metric, Schedule, Schema } from "effect"
import { Event, EventBus, Health, Reject, Telemetry } from "../../../src/index.ts"
import { freePort } from "../../support/Port.ts"
import { type Misbehaviour, startCollector } from "./Collector.ts"

const Posted = Event.make("telemetry.test.posted", { version: 1, data: Schema.Struct({ n: Schema.Int }) })
const count = 300

const env = (url: string, timeoutMillis: number) =>
  ConfigProvider.layer(
    ConfigProvider.fromEnvRecord({
      OTEL_EXPORTER_OTLP_ENDPOINT: url,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_TIMEOUT: String(timeoutMillis),
      OTEL_METRIC_EXPORT_INTERVAL: "20",
      OTEL_BSP_SCHEDULE_DELAY: "20",
      OTEL_BLRP_SCHEDULE_DELAY: "20"
    })
  )

const answers = (status: number, type: string, body: string): Misbehaviour => {
  return (_, response) => void response.writeHead(status, { "content-type": type }).end(body)
}
/** Each with what the check `exporter` reports; those that are up have accepted the exports. */
const collectors: ReadonlyArray<readonly [string, Misbehaviour | undefined, RegExp | undefined]> = [
  ["is down", undefined, /ECONNREFUSED/],
  ["never answers", () => {}, /no answer within 200 ms/],
  ["resets the connection", (request) => void request.socket.resetAndDestroy(), /ECONNRESET|UND_ERR_SOCKET/],
  ["is broken", answers(500, "text/plain", "oops"), /it answers 500/],
  ["is overloaded", answers(503, "text/plain", "later"), /it answers 503/],
  [
    "redirects",
    (_, response) => void response.writeHead(302, { location: "http://localhost:1/" }).end(),
    /answers 302/
  ],
  ["answers with a page", answers(200, "text/html", "<html>Sign in</html>"), undefined],
  ["answers broken JSON", answers(200, "application/json", '{"partialSuccess":'), undefined],
  [
    "never ends its answer",
    (_, response) => {
      response.writeHead(200, { "content-type": "application/json", "content-length": "1000000" }).write("{")
    },
    undefined
  ]
]

/** Runs a service with telemetry, and returns its health and counters at the end. */
const service = Effect.gen(function* () {
  const bus = yield* EventBus
  const handled = new Set<number>()
  const subscription = yield* bus.subscribe("telemetry.feed", {
    events: [Posted],
    retry: Schedule.spaced("1 millis"),
    handler: ({ data: { n } }, { attempt }): Effect.Effect<void, string | Reject> =>
      n % 10 === 0
        ? Effect.fail(new Reject({ reason: "poison" }))
        : attempt === 1 && n % 10 === 1
          ? Effect.fail("once")
          : Effect.sync(() => void handled.add(n))
  })
  const exits = yield* Effect.forEach(
    Array.from({ length: count }, (_, n) => n),
    (n) => Effect.exit(bus.publish(Posted, { n })),
    { concurrency: 20 }
  )
  yield* Effect.repeat(subscription.stats, {
    until: ({ deadLettered, handled }) => deadLettered === count / 10 && handled === (count * 9) / 10,
    schedule: Schedule.spaced("5 millis")
  })
  assert.deepStrictEqual([exits.every(Exit.isSuccess), handled.size], [true, (count * 9) / 10])
  const exporter = Effect.map(
    Effect.flatMap(Health, ({ report }) => report),
    ({ checks }) => checks.find(({ name }) => name === "exporter")
  )
  const outcomes = Effect.map(Metric.snapshot, (all) => {
    const of = (outcome: string): number =>
      all
        .filter(({ attributes, id }) => {
          return id === "eventbus.telemetry.exports" && attributes?.["eventbus.outcome"] === outcome
        })
        // A counter's state.
        .reduce((sum, { state }) => sum + ("count" in state ? Number(state.count) : 0), 0)
    return { accepted: of("accepted"), failed: of("failed"), dropped: of("dropped") }
  })
  return { exporter, outcomes }
})

describe("a collector", () => {
  for (const [what, misbehave, detail] of collectors) {
    it.live(`P18: that ${what} changes nothing for events`, () =>
      Effect.gen(function* () {
        const open = misbehave === undefined ? undefined : yield* Effect.promise(() => startCollector(misbehave))
        const url = open?.url ?? `http://127.0.0.1:${yield* Effect.promise(freePort)}`
        yield* Effect.gen(function* () {
          const { exporter, outcomes } = yield* service
          const isCounted = detail === undefined ? ({ accepted }: Outcomes) => accepted > 0 : isLost
          yield* Effect.repeat(outcomes, { until: isCounted, schedule: Schedule.spaced("10 millis") })
          const check = yield* Effect.repeat(exporter, {
            until: (check) => (detail === undefined ? check?.status === "up" : detail.test(check?.detail ?? "")),
            schedule: Schedule.spaced("50 millis")
          })
          assert.strictEqual(check?.status, detail === undefined ? "up" : "degraded")
          assert.isTrue(yield* Effect.flatMap(Health, ({ ready }) => ready))
        }).pipe(
          Effect.provide(
            EventBus.layerMemory({ source: "test" }).pipe(
              Layer.provide(Telemetry.layer({ logs: "none" })),
              // A busy machine may answer late, and that is another failure than the one to see.
              Layer.provide(env(url, what.startsWith("never") ? 200 : 2000))
            )
          ),
          Effect.provideService(Metric.MetricRegistry, new Map()),
          // Whatever the collector does, the layer closes in less time than a test may take.
          Effect.timeout("2 minutes")
        )
        // At most two open requests for each of three signals.
        if (open !== undefined) assert.isAtMost(open.mostOpen(), 6)
        yield* Effect.promise(async () => open?.stop())
      })
    )
  }
})

interface Outcomes {
  readonly accepted: number
  readonly failed: number
  readonly dropped: number
}
const isLost = ({ dropped, failed }: Outcomes): boolean => dropped + failed > 0
