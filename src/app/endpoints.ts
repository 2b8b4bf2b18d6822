/**
 * The health and metrics endpoints as a layer that loads its HTTP server when it is built.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { BrokerError } from "../bus/port/BrokerError.ts"
import * as SettingsFault from "../bus/port/SettingsFault.ts"
import type { Health } from "../observe/Health.ts"
import { endpointKinds } from "./OptionKinds.ts"
import type { EndpointOptions } from "./http/Server.ts"

export type { EndpointOptions } from "./http/Server.ts"

/**
 * Serves `/health`, `/health/live`, `/health/ready` and `/metrics`. Fails when the port is taken.
 *
 * @example
 * ```ts
 * import { EventBusLive, httpEndpoints, runMain } from "@eduflow/events"
 * import { Layer } from "effect"
 *
 * export const start = () => runMain(httpEndpoints({ port: 8080 }).pipe(Layer.provide(EventBusLive)))
 * ```
 */
export const httpEndpoints = (options: EndpointOptions): Layer.Layer<never, BrokerError, Health> =>
  Layer.unwrap(
    Effect.map(
      Effect.promise(() => import("./http/Server.ts")),
      (server) => {
        const wrong = SettingsFault.of(options, endpointKinds)
        return wrong === undefined ? server.layer(options) : Layer.effectDiscard(Effect.fail(wrong))
      }
    )
  )
