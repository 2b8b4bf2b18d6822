/**
 * The service over HTTP, for orchestrators and scrapers: `/health` (everything), `/health/live` (the
 * process turns), `/health/ready` (it can publish and its subscribers run) and `/metrics` in
 * Prometheus' text format. Names of metrics keep their words; dots become underscores.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { PrometheusMetrics } from "effect/observability"
import { createServer } from "node:http"
import { BrokerError, SettingsInvalid } from "../../bus/BrokerError.ts"
import { Health, type Report } from "../../observe/Health.ts"

export interface EndpointOptions {
  /** 0 takes a free one. */
  readonly port: number
  /** Default `"127.0.0.1"`. */
  readonly host?: string
  /** Told where it listens. */
  readonly onListen?: (address: string) => void
}

const contentType = "application/health+json"

const answer = (report: Report, status: number) =>
  HttpServerResponse.text(JSON.stringify(report), { status, contentType })

const routes = Layer.mergeAll(
  HttpRouter.use((router) =>
    Effect.gen(function* () {
      const health = yield* Health
      yield* router.add(
        "GET",
        "/health",
        Effect.map(health.report, (report) => answer(report, report.status === "down" ? 503 : 200))
      )
      yield* router.add(
        "GET",
        "/health/live",
        Effect.succeed(HttpServerResponse.text('{"status":"up"}', { contentType }))
      )
      yield* router.add(
        "GET",
        "/health/ready",
        Effect.map(health.report, (report) => {
          const ready = report.status !== "down"
          const checks = ready ? [] : report.checks.filter(({ status }) => status === "down")
          return answer({ ...report, status: ready ? "up" : "down", checks }, ready ? 200 : 503)
        })
      )
    })
  ),
  PrometheusMetrics.layerHttp()
)

/** Serves the endpoints until the scope ends. */
export const layer = (options: EndpointOptions): Layer.Layer<never, BrokerError, Health> =>
  HttpRouter.serve(routes, { disableLogger: true }).pipe(
    Layer.merge(
      Layer.effectDiscard(
        Effect.map(HttpServer.HttpServer, ({ address }) => {
          const { onListen } = options
          if (onListen !== undefined && address._tag !== "UnixPathAddress")
            onListen(`http://${options.host ?? "127.0.0.1"}:${address.port}`)
        })
      )
    ),
    Layer.provide(NodeHttpServer.layer(createServer, { port: options.port, host: options.host ?? "127.0.0.1" })),
    Layer.catch(() =>
      Layer.effectDiscard(
        Effect.fail(
          new BrokerError({
            reason: new SettingsInvalid({
              setting: "port",
              problem: `port ${options.port} cannot be listened on, it may be in use`,
              remedy: "Give another one, or 0 for a free one"
            })
          })
        )
      )
    )
  )
