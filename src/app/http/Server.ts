/**
 * The service over HTTP, for orchestrators and scrapers: `/health` (everything), `/health/live` (the
 * process turns), `/health/ready` (it can publish and its subscribers run) and `/metrics` in
 * Prometheus' text format. Names of metrics are OpenTelemetry's, as Prometheus
 * has them: dots become underscores, units and `_total` are appended.
 *
 * It ends within two seconds: a client that is slow, or never finishes its request, does not take the
 * time of the drain.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { PrometheusMetrics } from "effect/observability"
import { createServer } from "node:http"
import { BrokerError, SettingsInvalid } from "../../bus/BrokerError.ts"
import { prometheusName } from "../../observe/Definition.ts"
import * as Metrics from "../../observe/Metrics.ts"
import { type Check, Health, type Report } from "../../observe/Health.ts"

export interface EndpointOptions {
  /** 0 takes a free one. */
  readonly port: number
  /** Default `"127.0.0.1"`. */
  readonly host?: string
  /** Told where it listens. */
  readonly onListen?: (address: string) => void
}

const names = new Map(Metrics.all.map((definition) => [definition.name, prometheusName(definition)]))
/** Those of the service's own keep theirs. */
const nameOf = (name: string): string => names.get(name) ?? name

const contentType = "application/health+json"

/** https://datatracker.ietf.org/doc/html/draft-inadarei-api-health-check, with our words for the status. */
const answer = (body: object, status: number) =>
  HttpServerResponse.text(JSON.stringify(body), { status, contentType, headers: { "cache-control": "no-store" } })

const inWords = (report: Report, checks: ReadonlyArray<Check>) => ({
  time: report.time,
  ready: report.ready,
  checks: Object.fromEntries(
    checks.map(({ detail, name, ...check }) => [name, [{ ...check, time: report.time, output: detail }]])
  )
})

const routes = Layer.mergeAll(
  HttpRouter.use((router) =>
    Effect.gen(function* () {
      const health = yield* Health
      yield* router.add(
        "GET",
        "/health",
        Effect.map(health.report, (report) =>
          answer({ status: report.status, ...inWords(report, report.checks) }, report.status === "down" ? 503 : 200)
        )
      )
      yield* router.add("GET", "/health/live", Effect.succeed(answer({ status: "up" }, 200)))
      yield* router.add(
        "GET",
        "/health/ready",
        Effect.map(health.report, (report) => {
          const { is, detail } = report.ready
          const down = report.checks.filter(({ status }) => status === "down")
          return answer({ status: is ? "up" : "down", output: detail, ...inWords(report, down) }, is ? 200 : 503)
        })
      )
    })
  ),
  PrometheusMetrics.layerHttp({ metricNameMapper: nameOf })
)

/** Why it cannot listen there, and what helps. */
const cannotListen = (host: string, port: number, cause?: unknown): BrokerError => {
  const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined
  const [problem, remedy] =
    code === "EADDRINUSE"
      ? ["it is in use", "Give another one, or 0 for a free one"]
      : code === "EACCES"
        ? ["this user may not", "Give one from 1024 up, or 0 for a free one"]
        : cause === undefined
          ? ["it is no whole number from 0 to 65535", "Give another one, or 0 for a free one"]
          : [`${host} is no address of this machine`, "Give another host"]
  return new BrokerError({
    reason: new SettingsInvalid({
      setting: "port",
      problem: `port ${port} cannot be listened on: ${problem}`,
      remedy
    })
  })
}

/** Serves the endpoints until the scope ends. */
export const layer = (options: EndpointOptions): Layer.Layer<never, BrokerError, Health> => {
  const { host = "127.0.0.1", onListen, port } = options
  // Node throws on these instead of answering.
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    return Layer.effectDiscard(Effect.fail(cannotListen(host, port)))
  const tell = Layer.effectDiscard(
    Effect.map(HttpServer.HttpServer, ({ address }) => {
      if (onListen !== undefined && address._tag !== "UnixPathAddress")
        onListen(`http://${host.includes(":") ? `[${host}]` : host}:${address.port}`)
    })
  )
  const listening = Layer.unwrap(
    Effect.map(
      // Released after Effect's own shutdown, which waits for requests that may never be whole.
      Effect.acquireRelease(
        Effect.sync(() => createServer()),
        (server) => Effect.sync(() => server.closeAllConnections())
      ),
      (server) => NodeHttpServer.layer(() => server, { port, host, gracefulShutdownTimeout: "2 seconds" })
    )
  )
  return HttpRouter.serve(routes, { disableLogger: true }).pipe(
    Layer.merge(tell),
    Layer.provide(listening),
    Layer.catch(({ cause }) => Layer.effectDiscard(Effect.fail(cannotListen(host, port, cause))))
  )
}
