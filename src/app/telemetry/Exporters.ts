/**
 * The exporters of the three signals, each over a line of its own to the collector, and the last export at
 * the end.
 */
import { ConfigProvider, Context, Effect, Layer, type Logger, type Scope, type Tracer } from "effect"
import { HttpClient } from "effect/http"
import { OtlpExporter, OtlpLogger, OtlpMetrics, OtlpSerialization, OtlpTracer } from "effect/observability"
import { within } from "../../bus/Budget.ts"
import * as Conform from "./Conform.ts"
import * as Line from "./Line.ts"
import type * as Resource from "./Resource.ts"
import * as Sampler from "./Sampler.ts"
import type { Settings, Signal } from "./Settings.ts"
import * as TraceBytes from "./TraceBytes.ts"

/** The bus's drain leaves two seconds for connections, Redis and this (P12). */
const lastMillis = 1500

export interface Exporters {
  readonly tracer: Tracer.Tracer | undefined
  readonly logger: Logger.Logger<unknown, void> | undefined
  readonly lines: ReadonlyArray<Line.Line>
}

/** Export until the scope ends, and once more then. */
export const make = Effect.fnUntraced(function* (settings: Settings, resource: ReturnType<typeof Resource.make>) {
  const flusher = Context.get(yield* Layer.build(OtlpExporter.layerFlusher), OtlpExporter.Flusher)
  const effects = Context.get(
    yield* Layer.build(
      settings.protocol === "http/json" ? OtlpSerialization.layerJson : OtlpSerialization.layerProtobuf
    ),
    OtlpSerialization.OtlpSerialization
  )
  const written = settings.protocol === "http/json" ? effects : { ...effects, traces: TraceBytes.traces() }
  const lines: Array<Line.Line> = []
  const { logs, metrics, traces } = settings.signals

  /** Over a line of its own. */
  const over = Effect.fnUntraced(function* <A>(
    signal: Signal,
    honest: boolean,
    exporter: (
      common: Parameters<typeof OtlpTracer.make>[0]
    ) => Effect.Effect<
      A,
      never,
      OtlpExporter.Flusher | HttpClient.HttpClient | OtlpSerialization.OtlpSerialization | Scope.Scope
    >
  ) {
    const line = yield* Line.make(signal, honest)
    lines.push(line)
    const { compression, headers, url } = signal
    return yield* exporter({ url, headers, compression, resource, shutdownTimeout: 0 }).pipe(
      Effect.provideService(HttpClient.HttpClient, line.client),
      Effect.provideService(OtlpSerialization.OtlpSerialization, Conform.over(written, line.full)),
      Effect.provideService(OtlpExporter.Flusher, flusher),
      // Its variables have been read, and what is wrong with them has been told.
      Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnvRecord({}))
    )
  })

  const tracer =
    traces === undefined
      ? undefined
      : yield* over(traces, false, (common) =>
          OtlpTracer.make({
            ...common,
            exportInterval: settings.traceEveryMillis,
            maxBatchSize: settings.traceBatch
          })
        )
  const logger =
    logs === undefined
      ? undefined
      : yield* over(logs, false, (common) =>
          OtlpLogger.make({ ...common, exportInterval: settings.logEveryMillis, maxBatchSize: settings.logBatch })
        )
  if (metrics !== undefined) {
    const { temporality } = settings
    yield* over(metrics, temporality === "delta", (common) =>
      OtlpMetrics.make({ ...common, exportInterval: settings.metricEveryMillis, temporality })
    )
  }
  // Effect's own last export does not wait when its fiber was interrupted, and a signal interrupts.
  yield* Effect.addFinalizer(() => within(lastMillis, flusher.flush))
  return {
    tracer: tracer === undefined ? undefined : Sampler.over(tracer, settings.sampler),
    logger,
    lines
  } satisfies Exporters
})
