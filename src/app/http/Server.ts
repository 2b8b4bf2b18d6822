/**
 * HTTP endpoints for orchestrators and scrapers: `/health` (the status of all checks), `/health/live` (the event loop runs),
 * `/health/ready` (the service can publish and its subscribers run) and `/metrics` in Prometheus' text format.
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import type { IncomingMessage, ServerResponse } from "node:http"
import { isLoopback } from "../../bus/support/Loopback.ts"
import type { BrokerError } from "../../bus/port/BrokerError.ts"
import { Health } from "../../observe/Health.ts"
import * as BoundedServer from "./BoundedServer.ts"
import { pathOf } from "./Paths.ts"
import * as Prometheus from "./Prometheus.ts"

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
        Effect.map(Prometheus.text, (body) => ({
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

/** Serves the endpoints until the scope ends. */
export const layer = (options: EndpointOptions): Layer.Layer<never, BrokerError, Health> => {
  const { host = "127.0.0.1", onListen, port } = options
  return Layer.effectDiscard(
    Effect.flatMap(make(options), (respond) => BoundedServer.serve({ host, port, onListen }, respond))
  )
}

/** Answers requests for these. */
export const make = ({ details = false }: Pick<EndpointOptions, "details">) =>
  Effect.flatMap(Health, (health) => responder(endpoints(health), maySee(details)))

const responder = (routes: ReadonlyMap<string, Endpoint>, seesDetails: (request: IncomingMessage) => boolean) =>
  Effect.contextWith((context: Context.Context<never>) => {
    const run = Effect.runForkWith(context)
    return Effect.succeed((request: IncomingMessage, response: ServerResponse): void => {
      const { method } = request
      const route = routes.get(pathOf(request))
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
    })
  })

const maySee =
  (details: NonNullable<EndpointOptions["details"]>) =>
  ({ headers, socket }: IncomingMessage): boolean =>
    Predicate.isFunction(details)
      ? details(headers)
      : details === true || (details === "loopback" && isLoopback(socket.remoteAddress ?? ""))
