/**
 * HTTP endpoints for orchestrators and scrapers: `/health` (the status of all checks), `/health/live` (the event loop runs),
 * `/health/ready` (the service can publish and its subscribers run) and `/metrics` in Prometheus' text format. Metrics
 * have OpenTelemetry's names as Prometheus writes them: dots become underscores, units and `_total` are appended.
 *
 * The server stops within two seconds: a client that is slow, or never finishes its request, does not use up the time
 * of the drain. While it runs, such a client is cut off, and the number of connections is bounded.
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { isLoopback } from "../../bus/support/Loopback.ts"
import { BrokerError } from "../../bus/port/BrokerError.ts"
import { SettingsInvalid } from "../../bus/port/BrokerReason.ts"
import { prometheusName } from "../../observe/MetricDefinition.ts"
import * as Metrics from "../../observe/Metrics.ts"
import { Health } from "../../observe/Health.ts"

export interface EndpointOptions {
  /** `0` selects a free port. */
  readonly port: number
  /** Address to listen on. Default `"127.0.0.1"`. */
  readonly host?: string
  /**
   * Who sees each check with its reason, which names hosts, users and subscribers: everyone, processes of this machine
   * (a proxy on this machine counts as one), or those whose headers this function accepts. Others see the status alone.
   * Default: nobody.
   */
  readonly details?: boolean | "loopback" | ((headers: Readonly<Record<string, unknown>>) => boolean)
  /** Called with the address once the server listens, for example `http://127.0.0.1:8080`. */
  readonly onListen?: (address: string) => void
}

const names = new Map(Metrics.all.map((definition) => [definition.name, prometheusName(definition)]))
/** Metrics of the service itself keep their names. */
const nameOf = (name: string): string => names.get(name) ?? name

/** A client has this long to send its headers, and its whole request; a connection may be silent for this long. */
const limits = {
  headersTimeout: 5000,
  requestTimeout: 10_000,
  keepAliveTimeout: 5000,
  connectionsCheckingInterval: 1000,
  maxHeaderSize: 8192
}
const silenceMillis = 10_000
/** Further connections are closed at once. Probes and scrapers need a few. */
const maxConnections = 100

interface Answer {
  readonly status: number
  readonly contentType: string
  readonly body: string
  /** The methods of the path, where another one was used. */
  readonly allow?: string
}

/** An answer, with details for those who may see them. */
type Endpoint = (details: boolean) => Effect.Effect<Answer>

/** By https://datatracker.ietf.org/doc/html/draft-inadarei-api-health-check, with our own words for the status. */
const healthAnswer = (body: object, status: number): Answer => ({
  status,
  contentType: "application/health+json",
  body: JSON.stringify(body)
})

const bodyOf = ({ ready, time }: Health.Report, checks: ReadonlyArray<Health.Check>) => ({
  time,
  ready,
  checks: Object.fromEntries(
    checks.map(({ critical, detail, name, since, status, took }) => [
      name,
      [{ critical, status, millis: Math.round(Duration.toMillis(took)), since, time, output: detail }]
    ])
  )
})

/** The answer to a GET of each path. */
const endpoints = ({ report }: Health["Service"]): ReadonlyMap<string, Endpoint> =>
  new Map<string, Endpoint>([
    [
      "/health",
      (details) =>
        Effect.map(report, (found) => {
          const { status } = found
          const body = details ? { status, ...bodyOf(found, found.checks) } : { status }
          return healthAnswer(body, status === "down" ? 503 : 200)
        })
    ],
    ["/health/live", () => Effect.succeed(healthAnswer({ status: "up" }, 200))],
    [
      "/health/ready",
      (details) =>
        Effect.map(report, (found) => {
          const { is, detail } = found.ready
          const status = is ? "up" : "down"
          const down = found.checks.filter((check) => check.status === "down")
          const body = details ? { status, output: detail, ...bodyOf(found, down) } : { status }
          return healthAnswer(body, is ? 200 : 503)
        })
    ],
    [
      "/metrics",
      () =>
        Effect.map(PrometheusMetrics.format({ metricNameMapper: nameOf }), (body) => ({
          status: 200,
          contentType: "text/plain; version=0.0.4; charset=utf-8",
          body
        }))
    ]
  ])

const notFound: Answer = { status: 404, contentType: "text/plain", body: "" }
const notAllowed: Answer = { status: 405, contentType: "text/plain", body: "", allow: "GET, HEAD" }
const failed: Answer = { status: 500, contentType: "text/plain", body: "" }

const send = (response: ServerResponse, { allow, body, contentType, status }: Answer): void => {
  response.writeHead(status, {
    ...(allow !== undefined && { allow }),
    "content-type": contentType,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store"
  })
  response.end(body)
}

const cannotListen = (host: string, port: number, cause?: unknown): BrokerError => {
  const code = Predicate.hasProperty(cause, "code") ? cause.code : undefined
  const [problem, remedy] =
    code === "EADDRINUSE"
      ? ["it is in use", "Use another port, or 0 for a free one"]
      : code === "EACCES"
        ? ["this user lacks the permission", "Use a port from 1024 up, or 0 for a free one"]
        : cause === undefined
          ? ["it is not a whole number from 0 to 65535", "Use another port, or 0 for a free one"]
          : [`${host} is not an address of this machine`, "Use another host"]
  return new BrokerError({
    reason: new SettingsInvalid({
      setting: "port",
      problem: `cannot listen on port ${port}: ${problem}`,
      remedy
    })
  })
}

/** Serves the endpoints until the scope ends. */
export const layer = (options: EndpointOptions): Layer.Layer<never, BrokerError, Health> => {
  const { details = false, host = "127.0.0.1", onListen, port } = options
  // Node throws on these instead of reporting an error.
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    return Layer.effectDiscard(Effect.fail(cannotListen(host, port)))
  return Layer.effectDiscard(
    Effect.gen(function* () {
      const health = yield* Health
      const server = yield* respondingServer(endpoints(health), maySee(details))
      yield* listen(server, host, port)
      const address = server.address()
      if (onListen !== undefined && Predicate.isObject(address))
        onListen(`http://${host.includes(":") ? `[${host}]` : host}:${address.port}`)
    })
  )
}

/** A server that is closed with the scope: requests in progress get two seconds. */
const respondingServer = (routes: ReadonlyMap<string, Endpoint>, seesDetails: (request: IncomingMessage) => boolean) =>
  Effect.acquireRelease(
    Effect.contextWith((context: Context.Context<never>) => {
      const run = Effect.runForkWith(context)
      const respond = (request: IncomingMessage, response: ServerResponse): void => {
        const { method, url = "" } = request
        const route = routes.get(url.split("?", 1)[0] ?? "")
        if (route === undefined) return send(response, notFound)
        if (method !== "GET" && method !== "HEAD") return send(response, notAllowed)
        const answer = Effect.suspend(() => route(seesDetails(request)))
        const fiber = run(
          Effect.matchCauseEffect(answer, {
            onSuccess: (answer) => Effect.sync(() => send(response, answer)),
            onFailure: (cause) =>
              Effect.andThen(
                Effect.sync(() => send(response, failed)),
                Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError("a health endpoint failed", cause)
              )
          })
        )
        // A client that has left needs no answer.
        response.once("close", () => fiber.interruptUnsafe())
      }
      return Effect.sync(() => {
        const server = createServer(limits, respond)
        server.maxConnections = maxConnections
        // Without a listener Node closes the connection, also that of a client that does not read its answer.
        server.timeout = silenceMillis
        return server
      })
    }),
    (server) =>
      Effect.callback<void>((resume) => {
        if (!server.listening) return resume(Effect.void)
        server.close(() => resume(Effect.void))
        server.closeIdleConnections()
      }).pipe(
        Effect.timeout("2 seconds"),
        Effect.ignore,
        // A release cannot be interrupted, and nor could the wait within it.
        Effect.interruptible,
        Effect.andThen(Effect.sync(() => server.closeAllConnections()))
      )
  )

const maySee =
  (details: NonNullable<EndpointOptions["details"]>) =>
  ({ headers, socket }: IncomingMessage): boolean =>
    Predicate.isFunction(details)
      ? details(headers)
      : details === true || (details === "loopback" && isLoopback(socket.remoteAddress ?? ""))

const listen = (server: Server, host: string, port: number): Effect.Effect<void, BrokerError> =>
  Effect.callback((resume) => {
    const onError = (cause: Error): void => resume(Effect.fail(cannotListen(host, port, cause)))
    server.once("error", onError)
    server.listen({ host, port }, () => {
      server.off("error", onError)
      resume(Effect.void)
    })
  })
