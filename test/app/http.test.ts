/** What an orchestrator and a scraper see. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { Event, EventBus, EventBusMemory, Health, httpEndpoints, type ProbeResult } from "../../src/index.ts"

const Scraped = Event.make("http.test.scraped", { version: 1, data: Schema.Struct({}) })

const get = (url: string) =>
  Effect.promise(() => fetch(url).then(async (answer) => ({ status: answer.status, body: await answer.text() })))

const serve = <A, E>(
  results: Record<string, ProbeResult & { readonly critical: boolean }>,
  test: (url: string) => Effect.Effect<A, E>
) =>
  Effect.gen(function* () {
    let url = ""
    const probes = Effect.succeed(
      Object.entries(results).map(([name, { critical, ...result }]) => ({
        name,
        critical,
        check: Effect.succeed(result)
      }))
    )
    const layer = httpEndpoints({ port: 0, onListen: (address) => (url = address) }).pipe(
      Layer.provide(Layer.succeed(Health, Health.over(probes)))
    )
    yield* Effect.gen(function* () {
      yield* Layer.build(layer)
      yield* test(url)
    }).pipe(Effect.scoped)
  })

describe("endpoints", () => {
  it.live("up", () =>
    serve({ broker: { status: "up", detail: "fine", critical: true } }, (url) =>
      Effect.gen(function* () {
        const health = yield* get(`${url}/health`)
        assert.strictEqual(health.status, 200)
        const { checks, status } = JSON.parse(health.body)
        assert.strictEqual(status, "up")
        const [{ critical, output, since, time }] = checks.broker
        assert.deepStrictEqual([critical, output, since, time], [true, "fine", time, time])
        assert.strictEqual((yield* get(`${url}/health/live`)).status, 200)
        assert.strictEqual((yield* get(`${url}/health/ready`)).status, 200)
        assert.strictEqual((yield* get(`${url}/metrics`)).status, 200)
        assert.strictEqual((yield* get(`${url}/nowhere`)).status, 404)
      })
    )
  )

  it.live("degraded is ready; what is not critical cannot take it down", () =>
    serve({ cache: { status: "down", detail: "Redis is away", critical: false } }, (url) =>
      Effect.gen(function* () {
        const health = yield* get(`${url}/health`)
        assert.deepStrictEqual([health.status, JSON.parse(health.body).status], [200, "degraded"])
        assert.strictEqual((yield* get(`${url}/health/ready`)).status, 200)
      })
    )
  )

  it.live("down is not ready, and lives", () =>
    serve({ broker: { status: "down", detail: "RabbitMQ is away", critical: true } }, (url) =>
      Effect.gen(function* () {
        assert.strictEqual((yield* get(`${url}/health`)).status, 503)
        const ready = yield* get(`${url}/health/ready`)
        assert.strictEqual(ready.status, 503)
        assert.strictEqual(JSON.parse(ready.body).checks.broker[0].output, "RabbitMQ is away")
        assert.strictEqual((yield* get(`${url}/health/live`)).status, 200)
      })
    )
  )

  it.live("a port that is taken is told", () =>
    serve({}, (url) =>
      Effect.gen(function* () {
        const taken = httpEndpoints({ port: Number(new URL(url).port) }).pipe(
          Layer.provide(Layer.succeed(Health, Health.over(Effect.succeed([]))))
        )
        const error = yield* Effect.flip(Effect.scoped(Layer.build(taken)))
        assert.include(error.message, "cannot be listened on")
      })
    )
  )

  it.live("a port that is none is told, not thrown", () =>
    Effect.gen(function* () {
      for (const port of [-1, 1.5, 65_536, Number.NaN]) {
        const none = httpEndpoints({ port }).pipe(Layer.provide(Layer.succeed(Health, Health.over(Effect.succeed([])))))
        const error = yield* Effect.flip(Effect.scoped(Layer.build(none)))
        assert.include(error.message, "no whole number from 0 to 65535")
      }
    })
  )

  it.live("a scraper can read every metric of the bus", () =>
    Effect.gen(function* () {
      let url = ""
      yield* Layer.build(
        httpEndpoints({ port: 0, onListen: (address) => (url = address) }).pipe(Layer.provideMerge(EventBusMemory))
      ).pipe(
        Effect.flatMap((context) =>
          Effect.gen(function* () {
            const bus = yield* EventBus
            yield* bus.subscribe("http.metrics", { events: [Scraped], handler: () => Effect.void })
            yield* bus.publish(Scraped, {})
            const { body } = yield* get(`${url}/metrics`)
            const samples = body.split("\n").filter((line) => line !== "" && !line.startsWith("#"))
            // https://prometheus.io/docs/instrumenting/exposition_formats/
            const sample =
              /^[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-zA-Z_][a-zA-Z0-9_]*="([^"\\\n]|\\[\\"n])*",?)*\})? (-?[\d.]+(e[+-]?\d+)?|NaN|[+-]Inf)$/
            assert.deepStrictEqual(
              samples.filter((line) => !sample.test(line)),
              []
            )
            assert.include(body, "messaging_client_sent_messages_total{")
            const types = body.split("\n").filter((line) => line.startsWith("# TYPE"))
            assert.strictEqual(new Set(types).size, types.length)
          }).pipe(Effect.provide(context))
        )
      )
    }).pipe(Effect.scoped)
  )
})
