/**
 * Telemetry as the environment wants it: a tracer, loggers, and exports to a collector.
 */
import { Effect, Layer, Logger, References, Tracer } from "effect"
import { CurrentProbes, type Probe } from "../../observe/Health.ts"
import * as Redaction from "../../observe/Redaction.ts"
import type { TelemetryOptions } from "../Telemetry.ts"
import * as Console from "./Console.ts"
import * as Exporters from "./Exporters.ts"
import type { Line } from "./Line.ts"
import * as Resource from "./Resource.ts"
import * as Settings from "./Settings.ts"

const probeOf = (lines: ReadonlyArray<Line>): Probe => ({
  name: "exporter",
  critical: false,
  check: Effect.map(
    Effect.forEach(lines, ({ check }) => check),
    (results) => ({
      status: results.some(({ status }) => status !== "up") ? ("degraded" as const) : ("up" as const),
      detail: results.map(({ detail }) => detail).join("; ")
    })
  )
})

/** The same logger, which sees nothing that must not be seen. */
const redacted = (logger: Logger.Logger<unknown, void>, redaction: Redaction.Redaction) =>
  Logger.make<unknown, void>((options) => {
    const shown = redaction.fields(options.fiber.getRef(References.CurrentLogAnnotations))
    const fiber = new Proxy(options.fiber, {
      get: (target, name) =>
        name === "getRef"
          ? (ref: Parameters<typeof target.getRef>[0]) =>
              ref === References.CurrentLogAnnotations ? shown : target.getRef(ref)
          : Reflect.get(target, name, target)
    })
    const message = Array.isArray(options.message)
      ? options.message.map(redaction.value)
      : redaction.value(options.message)
    logger.log({ ...options, message, fiber })
  })

export const layer = (options: TelemetryOptions): Layer.Layer<never> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const { faults, settings } = yield* Settings.read({ serviceName: options.service, endpoint: options.endpoint })
      const exporters = yield* Exporters.make(settings, Resource.make(settings, options.attributes ?? {}))
      const redaction = Redaction.make(options.redact)
      const form = options.logs ?? (process.stdout.isTTY ? "pretty" : "json")
      const loggers = [
        ...(form === "none" ? [] : [Console.logger(form, redaction, process.stdout.isTTY)]),
        ...(exporters.logger === undefined ? [] : [redacted(exporters.logger, redaction)])
      ]
      const logging = Logger.layer(loggers)
      return Layer.mergeAll(
        logging,
        exporters.tracer === undefined ? Layer.empty : Layer.succeed(Tracer.Tracer, exporters.tracer),
        exporters.lines.length === 0 ? Layer.empty : Layer.succeed(CurrentProbes, [probeOf(exporters.lines)]),
        Layer.effectDiscard(Effect.forEach(faults, (fault) => Effect.logWarning(fault))).pipe(Layer.provide(logging))
      )
    }).pipe(
      // What nobody foresaw must not keep a service from starting.
      Effect.catchCause((cause) => Effect.as(Effect.logError("there is no telemetry", cause), Layer.empty))
    )
  )
