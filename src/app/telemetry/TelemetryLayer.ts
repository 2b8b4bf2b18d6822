/**
 * Telemetry as the environment configures it: a tracer, loggers, and exports to a collector.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Tracer from "effect/Tracer"
import { CurrentProbes, type Health } from "../../observe/Health.ts"
import * as Redaction from "../../observe/Redaction.ts"
import type { CollectorClient } from "./CollectorClient.ts"
import * as ConsoleLogger from "./ConsoleLogger.ts"
import * as Exporters from "./Exporters.ts"
import * as OtelSettings from "./OtelSettings.ts"
import * as RedactedLogger from "./RedactedLogger.ts"
import * as Resource from "./Resource.ts"
import type { TelemetryOptions } from "./TelemetryOptions.ts"

const probeOf = (clients: ReadonlyArray<CollectorClient>): Health.Probe => ({
  name: "exporter",
  critical: false,
  check: Effect.map(
    Effect.forEach(clients, ({ check }) => check),
    (results) => ({
      status: results.some(({ status }) => status !== "up") ? ("degraded" as const) : ("up" as const),
      detail: results.map(({ detail }) => detail).join("; ")
    })
  )
})

export const layer = (options: TelemetryOptions): Layer.Layer<never> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const { faults, settings } = yield* OtelSettings.read({
        serviceName: options.service,
        endpoint: options.endpoint
      })
      const redaction = Redaction.make(options.redact)
      const exporters = yield* Exporters.make(settings, Resource.make(settings, options.attributes ?? {}), redaction)
      const format = options.logs ?? (process.stdout.isTTY ? "pretty" : "json")
      const loggers = [
        ...(format === "none" ? [] : [ConsoleLogger.make(format, redaction, process.stdout.isTTY)]),
        ...(exporters.logger === undefined ? [] : [RedactedLogger.make(exporters.logger, redaction)])
      ]
      const logging = Logger.layer(loggers)
      return Layer.mergeAll(
        logging,
        exporters.tracer === undefined ? Layer.empty : Layer.succeed(Tracer.Tracer, exporters.tracer),
        exporters.clients.length === 0 ? Layer.empty : Layer.succeed(CurrentProbes, [probeOf(exporters.clients)]),
        Layer.effectDiscard(Effect.forEach(faults, (fault) => Effect.logWarning(fault))).pipe(Layer.provide(logging))
      )
    }).pipe(
      // An unforeseen failure must not keep the service from starting.
      Effect.catchCause((cause) => Effect.as(Effect.logError("telemetry could not be started", cause), Layer.empty))
    )
  )
