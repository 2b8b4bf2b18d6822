/** Health and metrics over HTTP, as a function that any server of Node calls with its requests. */
import type { IncomingMessage, ServerResponse } from "node:http"
import * as Effect from "effect/Effect"
import * as OptionInvalid from "../../event/options/OptionInvalid.ts"
import type * as Kinds from "../../event/options/OptionKinds.ts"
import type { EndpointOptions } from "../http/Server.ts"
import { pathOf, paths } from "../http/Paths.ts"
import { endpointKinds } from "../OptionKinds.ts"
import type { PromiseRun } from "./PromiseRun.ts"

export type HttpHandlerOptions = Pick<EndpointOptions, "details">

/** Answers a request. `next` is called for paths of others, where there is one, and they are answered with 404 otherwise. */
export type HttpHandler = (request: IncomingMessage, response: ServerResponse, next?: () => void) => void

export interface PromiseHttp {
  /**
   * Answers `/health`, `/health/live`, `/health/ready` and `/metrics`, for a server that the service has anyway:
   * `createServer(bus.httpHandler())`, or `app.use(bus.httpHandler())` with Express. After `close` the service is not ready.
   */
  readonly httpHandler: (options?: HttpHandlerOptions) => HttpHandler
}

const kinds: Kinds.Kinds = { details: endpointKinds.details } satisfies Kinds.KindsOf<HttpHandlerOptions>

/** Throws an `OptionInvalid` for the first wrong option. */
export const check = (options: HttpHandlerOptions): void => OptionInvalid.check("httpHandler", options, kinds)

/** Whether a request is for others. */
export const isForeign = (request: IncomingMessage): boolean => !paths.has(pathOf(request))

type Respond = (request: IncomingMessage, response: ServerResponse) => void

export const make = ({ run }: PromiseRun, isClosed: () => boolean): PromiseHttp => ({
  httpHandler: (options = {}) => {
    check(options)
    let loaded: Promise<Respond> | undefined
    const load = (): Promise<Respond> =>
      (loaded ??= run(
        Effect.flatMap(
          Effect.promise(() => import("../http/Server.ts")),
          ({ make }) => make(options)
        )
      ))
    return (request, response, next) => {
      if (next !== undefined && isForeign(request)) return next()
      // Its process runs, and its figures are there; a probe of a bus that has ended might wait for ever.
      if (isClosed() && pathOf(request).startsWith("/health") && pathOf(request) !== "/health/live")
        return unavailable(response)
      void load().then(
        (respond) => respond(request, response),
        () => unavailable(response)
      )
    }
  }
})

/** The answer of a bus that is closed. */
export const unavailable = (response: ServerResponse): void => {
  const body = JSON.stringify({ status: "down" })
  response.writeHead(503, {
    "content-type": "application/health+json",
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store"
  })
  response.end(body)
}
