/**
 * Telemetry of a service as a layer around it: spans, metrics and logs go to an OpenTelemetry collector by
 * OTLP over HTTP, logs to the console too. It loads its exporters when it is built.
 *
 * It is made of Effect's own exporters and needs no OpenTelemetry SDK: a span costs a third of one of the
 * SDK's, /metrics and exports read the same figures, and nothing of the SDK is installed. A service that runs
 * the SDK already provides `@effect/opentelemetry`'s `OtelTracer.layerGlobal` instead.
 */
import { Effect, Layer } from "effect"

export interface TelemetryOptions {
  /** Name of the service where the environment gives none. Default: `EVENTBUS_SOURCE`. */
  readonly service?: string
  /** Address of the collector where the environment gives none, `http://collector:4318` for example. */
  readonly endpoint?: string
  /** More attributes of the resource; `OTEL_RESOURCE_ATTRIBUTES` has the last word. */
  readonly attributes?: Readonly<Record<string, string>>
  /** What the console shows. Default: `"pretty"` on a terminal, else `"json"`. */
  readonly logs?: "json" | "pretty" | "none"
  /** More keys whose values are taken out of what is logged, besides those that are called like a secret. */
  readonly redact?: ReadonlyArray<string>
}

/**
 * Telemetry by the standard `OTEL_*` variables; without `OTEL_EXPORTER_OTLP_ENDPOINT` (or `endpoint`) nothing is
 * exported. A collector that is down, slow or answers nonsense changes nothing for events: what it does not
 * take is dropped, counted in `eventbus.telemetry.exports` and told by the check `exporter` of /health. Never
 * fails: a variable that is not understood is a warning.
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
      Effect.promise(() => import("./telemetry/Layer.ts")),
      (telemetry) => telemetry.layer(options)
    )
  )
