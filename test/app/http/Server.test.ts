/** The endpoints as an orchestrator and a scraper see them. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Layer, Schema } from "effect"
import { once } from "node:events"
import { connect } from "node:net"
import { type EndpointOptions, Event, EventBus, Health, httpEndpoints } from "../../../src/index.ts"

const Scraped = Event.make("http.test.scraped", { version: 1, data: Schema.Struct({}) })

const get = (url: string) =>
  Effect.promise(() => fetch(url).then(async (answer) => ({ status: answer.status, body: await answer.text() })))

const serve = <A, E>(
  results: Record<string, Health.ProbeResult & { readonly critical: boolean }>,
  test: (url: string) => Effect.Effect<A, E>,
  details: EndpointOptions["details"] | "default" = "loopback"
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
    const options = details === "default" || details === undefined ? {} : { details }
    const layer = httpEndpoints({ ...options, port: 0, onListen: (address) => (url = address) }).pipe(
      Layer.provide(Layer.succeed(Health, Health.over(probes)))
    )
    yield* Effect.gen(function* () {
      yield* Layer.build(layer)
      yield* test(url)
    }).pipe(Effect.scoped)
  })

describe("endpoints", () => {
  it.live("up is 200 everywhere", () =>
    serve({ broker: { status: "up", detail: "fine", critical: true } }, (url) =>
      Effect.gen(function* () {
        const health = yield* get(`${url}/health`)
        assert.strictEqual(health.status, 200)
        const { checks, status } = JSON.parse(health.body)
        assert.strictEqual(status, "up")
        const [{ critical, output, since, time }] = checks.broker
        assert.deepStrictEqual([critical, output], [true, "fine"])
        // The status starts with its probe, the report is dated after all of them: a busy machine is a millisecond apart.
        assert.isAtMost(Date.parse(since), Date.parse(time))
        assert.strictEqual((yield* get(`${url}/health/live`)).status, 200)
        assert.strictEqual((yield* get(`${url}/health/ready`)).status, 200)
        assert.strictEqual((yield* get(`${url}/metrics`)).status, 200)
        assert.strictEqual((yield* get(`${url}/nowhere`)).status, 404)
      })
    )
  )

  it.live("degraded is ready; a check that is not critical cannot take the service down", () =>
    serve({ cache: { status: "down", detail: "Redis is away", critical: false } }, (url) =>
      Effect.gen(function* () {
        const health = yield* get(`${url}/health`)
        assert.deepStrictEqual([health.status, JSON.parse(health.body).status], [200, "degraded"])
        assert.strictEqual((yield* get(`${url}/health/ready`)).status, 200)
      })
    )
  )

  it.live("down is not ready, but alive", () =>
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

  it.live("a port in use is reported", () =>
    serve({}, (url) =>
      Effect.gen(function* () {
        const taken = httpEndpoints({ port: Number(new URL(url).port) }).pipe(
          Layer.provide(Layer.succeed(Health, Health.over(Effect.succeed([]))))
        )
        const error = yield* Effect.flip(Effect.scoped(Layer.build(taken)))
        assert.include(error.message, "cannot listen on port")
      })
    )
  )

  it.live("a request that never ends does not hold up the end of the service", () =>
    Effect.gen(function* () {
      const closed = yield* Deferred.make<void>()
      yield* serve({}, (url) =>
        Effect.gen(function* () {
          const socket = connect(Number(new URL(url).port), "127.0.0.1")
          yield* Effect.promise(() => once(socket, "connect"))
          socket.once("close", () => Deferred.doneUnsafe(closed, Effect.void)).resume()
          socket.write("GET /health HTTP/1.1\r\nhost: here\r\n")
          // Answered by the same server, which has therefore seen the bytes above.
          assert.strictEqual((yield* get(`${url}/health/live`)).status, 200)
        })
      )
      yield* Deferred.await(closed)
    })
  )

  it.live("an endpoint answers GET and HEAD alone, whatever its query", () =>
    serve({}, (url) =>
      Effect.gen(function* () {
        assert.strictEqual((yield* get(`${url}/health/live?verbose=1`)).status, 200)
        const ask = (path: string, method: string) => Effect.promise(() => fetch(`${url}${path}`, { method }))
        const head = yield* ask("/health", "HEAD")
        assert.deepStrictEqual([head.status, yield* Effect.promise(() => head.text())], [200, ""])
        for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
          const answer = yield* ask("/health/live", method)
          assert.deepStrictEqual([answer.status, answer.headers.get("allow")], [405, "GET, HEAD"], method)
          assert.strictEqual((yield* ask("/nowhere", method)).status, 404)
        }
      })
    )
  )

  const away = { broker: { status: "down", detail: "amqp.internal:5672 is away", critical: true } } as const
  const pages = (url: string) =>
    Effect.forEach(["/health", "/health/ready"], (path) => Effect.map(get(`${url}${path}`), ({ body }) => body))

  it.live("P14: nobody sees the details of a check unless the service says so", () =>
    Effect.gen(function* () {
      for (const details of ["default", false] as const)
        yield* serve(
          away,
          (url) =>
            Effect.gen(function* () {
              assert.deepStrictEqual(
                (yield* pages(url)).map((body) => JSON.parse(body)),
                [{ status: "down" }, { status: "down" }]
              )
              assert.strictEqual((yield* get(`${url}/health`)).status, 503)
            }),
          details
        )
    })
  )

  it.live("details may be for this machine, for whom a function accepts, or for all", () =>
    Effect.gen(function* () {
      for (const details of [
        "loopback",
        true,
        (headers: Readonly<Record<string, unknown>>) => "host" in headers
      ] as const)
        yield* serve(
          away,
          (url) =>
            Effect.gen(function* () {
              for (const body of yield* pages(url)) assert.include(body, "amqp.internal:5672")
            }),
          details
        )
      yield* serve(
        away,
        (url) =>
          Effect.gen(function* () {
            for (const body of yield* pages(url)) assert.notInclude(body, "amqp.internal")
          }),
        ({ authorization }) => authorization === "Bearer operator"
      )
    })
  )

  /** Connects and sends this; `closed` resolves when the server has ended the connection. */
  const client = (url: string, text: string) =>
    Effect.gen(function* () {
      const socket = connect(Number(new URL(url).port), "127.0.0.1")
      yield* Effect.addFinalizer(() => Effect.sync(() => socket.destroy()))
      const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()))
      socket.on("error", () => {}).resume()
      yield* Effect.promise(() => once(socket, "connect"))
      socket.write(text)
      return { socket, closed }
    })

  it.live(
    "a client that does not end its headers, its request, or its connection is cut off",
    () =>
      serve({}, (url) =>
        Effect.gen(function* () {
          const slow = yield* Effect.forEach(
            [
              "GET /health/live HTTP/1.1\r\nhost: here\r\n",
              "POST /metrics HTTP/1.1\r\nhost: here\r\ncontent-length: 9\r\n\r\nx",
              "GET /health/live HTTP/1.1\r\nhost: here\r\n\r\n",
              ""
            ],
            (text) => client(url, text)
          )
          // Those that are never silent, and never done: with their headers, and with their body.
          const dripping = yield* Effect.forEach(
            [
              "GET /health/live HTTP/1.1\r\nx: ",
              "GET /health/live HTTP/1.1\r\nhost: here\r\ncontent-length: 9999\r\n\r\n"
            ],
            (text) => client(url, text)
          )
          const drip = setInterval(() => dripping.forEach(({ socket }) => socket.write("x")), 200)
          yield* Effect.addFinalizer(() => Effect.sync(() => clearInterval(drip)))
          yield* Effect.promise(() => Promise.all([...slow, ...dripping].map(({ closed }) => closed)))
          assert.strictEqual((yield* get(`${url}/health/live`)).status, 200)
        }).pipe(Effect.scoped)
      ),
    // Node itself would wait for a minute.
    45_000
  )

  it.live("of more than 100 connections the rest are closed at once, and there is room again afterwards", () =>
    serve({}, (url) =>
      Effect.gen(function* () {
        const ask = "GET /health/live HTTP/1.1\r\nhost: here\r\n\r\n"
        const first = yield* client(url, "")
        yield* Effect.forEach(Array.from({ length: 99 }), () => client(url, ""), { concurrency: "unbounded" })
        const refused = yield* client(url, ask)
        yield* Effect.promise(() => refused.closed)
        assert.strictEqual(refused.socket.bytesRead, 0)
        first.socket.destroy()
        yield* Effect.promise(() => first.closed)
        const answered = yield* Effect.repeat(
          Effect.promise(() =>
            fetch(`${url}/health/live`).then(
              ({ status }) => status,
              () => 0
            )
          ),
          { until: (status) => status === 200 }
        )
        assert.strictEqual(answered, 200)
      }).pipe(Effect.scoped)
    )
  )

  it.live("an invalid port is reported, not thrown", () =>
    Effect.gen(function* () {
      for (const port of [-1, 1.5, 65_536, Number.NaN]) {
        const none = httpEndpoints({ port }).pipe(Layer.provide(Layer.succeed(Health, Health.over(Effect.succeed([])))))
        const error = yield* Effect.flip(Effect.scoped(Layer.build(none)))
        assert.include(error.message, "not a whole number from 0 to 65535")
      }
    })
  )

  it.live("a scraper can read every metric of the bus", () =>
    Effect.gen(function* () {
      let url = ""
      yield* Layer.build(
        httpEndpoints({ port: 0, onListen: (address) => (url = address) }).pipe(
          Layer.provideMerge(EventBus.layerMemory())
        )
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
