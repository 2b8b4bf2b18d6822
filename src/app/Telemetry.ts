/**
 * Telemetry of a service as a layer around it: spans, metrics and logs go to an OpenTelemetry collector by
 * OTLP over HTTP, logs to the console as well. The exporters are loaded when the layer is built.
 *
 * It uses Effect's own exporters and needs no OpenTelemetry SDK: a span costs a third of what the SDK's costs,
 * /metrics and exports read the same figures, and nothing of the SDK is installed. A service that already runs
 * the SDK provides `@effect/opentelemetry`'s `OtelTracer.layerGlobal` instead.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as OptionInvalid from "../event/options/OptionInvalid.ts"
import { telemetryKinds } from "./OptionKinds.ts"
import type { TelemetryOptions } from "./telemetry/TelemetryOptions.ts"

export type { TelemetryOptions } from "./telemetry/TelemetryOptions.ts"

/**
 * Telemetry configured by the standard `OTEL_*` variables. Without `OTEL_EXPORTER_OTLP_ENDPOINT` (or `endpoint`)
 * nothing is exported. A collector that is down, slow or answers nonsense does not affect events: what it does not
 * accept is dropped, counted in `eventbus.telemetry.exports` and reported by the check `exporter` of /health. The
 * layer never fails: a variable that cannot be understood is logged as a warning. A wrong option is an `OptionInvalid`, of
 * which it dies.
 *
 * @example
 * ```ts
 * import { EventBusLive, httpEndpoints, runMain, Telemetry } from "@eduflow/events"
 * import { Layer } from "effect"
 *
 * export const start = () =>
 *   runMain(
 *     httpEndpoints({ port: 8080 }).pipe(
 *       Layer.provide(EventBusLive),
 *       Layer.provide(Telemetry.layer({ service: "grades" }))
 *     )
 *   )
 * ```
 */
export const layer = (options: TelemetryOptions = {}): Layer.Layer<never> =>
  Layer.unwrap(
    Effect.map(
      Effect.promise(() => import("./telemetry/TelemetryLayer.ts")),
      (telemetry) => {
        OptionInvalid.check("Telemetry.layer", options, telemetryKinds)
        return telemetry.layer(options)
      }
    )
  )
