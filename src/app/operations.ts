/** The operations over HTTP as a layer that loads its server when it is built. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { BrokerError } from "../bus/port/BrokerError.ts"
import * as SettingsFault from "../bus/port/SettingsFault.ts"
import type { OperationsOptions } from "./http/OperationsServer.ts"
import type { LiveOptions } from "./LiveOptions.ts"
import { operationsKinds } from "./OptionKinds.ts"

export type { KnownSubscriber, OperationsOptions, Operator, OperatorRequest } from "./http/OperationsServer.ts"

/** How long `doctor` waits for one answer, in milliseconds. */
export const patience = 5000

/**
 * Serves what an operator does under `/api`, with an OpenAPI document at `/api/openapi.json`, and at `/` a page for people
 * that uses it: processes, subscribers to pause, dead letters to read, replay, edit and discard, last known events, topology
 * and doctor. It connects by itself, with the settings of the environment or those that are given,
 * when the first request comes. Nothing but the page without data is answered that `authorize` did not accept. Fails when the port is taken.
 *
 * @example
 * ```ts
 * import { operations, runMain } from "@eduflow/events"
 * import { Effect } from "effect"
 *
 * const token = process.env["OPERATIONS_TOKEN"]
 *
 * const Operations = operations({
 *   port: 8081,
 *   authorize: ({ headers }) =>
 *     Effect.succeed(
 *       token !== undefined && headers["authorization"] === `Bearer ${token}` ? { name: "on call" } : undefined
 *     )
 * })
 *
 * export const start = () => runMain(Operations)
 * ```
 */
export const operations = (options: OperationsOptions, live?: LiveOptions): Layer.Layer<never, BrokerError> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const wrong = SettingsFault.of(options, operationsKinds)
      if (wrong !== undefined) return yield* wrong
      const [server, { layer }] = yield* Effect.promise(() =>
        Promise.all([import("./http/OperationsServer.ts"), import("./OperationsLive.ts")])
      )
      const settings = live ?? (yield* environment)
      const { management } = options
      return server
        .layer(options)
        .pipe(Layer.provide(layer({ live: settings, patience, ...(management !== undefined && { management }) })))
    })
  )

/** The settings of the environment. */
export const environment: Effect.Effect<LiveOptions, BrokerError> = Effect.flatMap(
  Effect.promise(() => import("./Config.ts")),
  // What cannot be read of the environment is a `BrokerError`; the rest is passed on as it is.
  ({ config, unreadable }) => Effect.mapError(config, (error) => unreadable(error, process.env) as BrokerError)
)
