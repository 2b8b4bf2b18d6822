/** Health and metrics over HTTP, as a function that any server of Node calls with its requests. */
import type { IncomingMessage, ServerResponse } from "node:http"
import * as Effect from "effect/Effect"
import { pathOf } from "../http/Paths.ts"
import { checkHttp, type HttpHandlerOptions, isForeign, unavailable } from "./HandlerOptions.ts"
import type { PromiseRun } from "./PromiseRun.ts"

/** Answers a request. `next` is called for paths of others, where there is one, and they are answered with 404 otherwise. */
export type HttpHandler = (request: IncomingMessage, response: ServerResponse, next?: () => void) => void

export interface PromiseHttp {
  /**
   * Answers `/health`, `/health/live`, `/health/ready` and `/metrics`, for a server that the service has anyway:
   * `createServer(bus.httpHandler())`, or `app.use(bus.httpHandler())` with Express. After `close` the service is not ready.
   */
  readonly httpHandler: (options?: HttpHandlerOptions) => HttpHandler
}

type Respond = (request: IncomingMessage, response: ServerResponse) => void

export const make = ({ run }: PromiseRun, isClosed: () => boolean): PromiseHttp => ({
  httpHandler: (options = {}) => {
    checkHttp(options)
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
