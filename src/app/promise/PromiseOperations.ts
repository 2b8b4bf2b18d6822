/** The operations and their page as a function that a server of Node calls with its requests. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { BrokerError } from "../../bus/port/BrokerError.ts"
import type { LiveOptions } from "../LiveOptions.ts"
import { patience } from "../operations.ts"
import { checkOperations, type OperationsHandlerOptions, unavailable } from "./HandlerOptions.ts"
import type { PromiseRun } from "./PromiseRun.ts"

export interface PromiseOperations {
  /**
   * Answers what an operator does under `/api`, and at `/` the page for people, for a server of its own:
   * `createServer(bus.operationsHandler({ authorize })).listen(8081)`. It connects by itself, with the settings of the bus,
   * when the first request comes. Nothing but the page without data is answered that `authorize` did not accept.
   */
  readonly operationsHandler: (
    options: OperationsHandlerOptions
  ) => (request: IncomingMessage, response: ServerResponse) => void
}

type Respond = (request: IncomingMessage, response: ServerResponse) => void

/** `closeOperations` ends what the handlers have opened. */
export const make = ({ run }: PromiseRun, settings: Effect.Effect<LiveOptions, BrokerError>) => {
  const scope = Scope.makeUnsafe()
  let isClosed = false
  const start = ({ authorize, ...options }: OperationsHandlerOptions) =>
    Effect.gen(function* () {
      const [server, { layer }] = yield* Effect.promise(() =>
        Promise.all([import("../http/OperationsServer.ts"), import("../OperationsLive.ts")])
      )
      const { management } = options
      const live = layer({ live: yield* settings, patience, ...(management !== undefined && { management }) })
      return yield* Effect.provide(
        server.make({ ...options, authorize: (request) => Effect.promise(async () => authorize(request)) }),
        yield* Layer.build(live)
      )
    }).pipe(Scope.provide(scope))
  const operations: PromiseOperations = {
    operationsHandler: (options) => {
      checkOperations(options)
      let started: Promise<Respond> | undefined
      return (request, response) => {
        if (isClosed) return unavailable(response)
        void (started ??= run(start(options))).then(
          (respond) => respond(request, response),
          () => unavailable(response)
        )
      }
    }
  }
  const closeOperations = (): Promise<void> => {
    isClosed = true
    return run(Scope.close(scope, Exit.void))
  }
  return { ...operations, closeOperations }
}
