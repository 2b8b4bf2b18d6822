/**
 * The exporters of the three signals, each with a client of its own to the collector, and the last export at
 * shutdown.
 */
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Logger from "effect/Logger"
import type * as Scope from "effect/Scope"
import type * as Tracer from "effect/Tracer"
import * as HttpClient from "effect/http/HttpClient"
import * as OtlpExporter from "effect/observability/OtlpExporter"
import * as OtlpLogger from "effect/observability/OtlpLogger"
import * as OtlpMetrics from "effect/observability/OtlpMetrics"
import * as OtlpSerialization from "effect/observability/OtlpSerialization"
import * as OtlpTracer from "effect/observability/OtlpTracer"
import { within } from "../../bus/support/DrainBudget.ts"
import type { Redaction } from "../../observe/Redaction.ts"
import * as CollectorClient from "./CollectorClient.ts"
import * as Conventions from "./Conventions.ts"
import type { OtelSettings, Signal } from "./OtelSettings.ts"
import type * as Resource from "./Resource.ts"
import * as Sampler from "./Sampler.ts"
import * as SpanEncoder from "./SpanEncoder.ts"

/** A drain leaves two seconds for connections, Redis and this. */
const lastExportMillis = 1500

export interface Exporters {
  readonly tracer: Tracer.Tracer | undefined
  readonly logger: Logger.Logger<unknown, void> | undefined
  readonly clients: ReadonlyArray<CollectorClient.CollectorClient>
}

type Requirements = OtlpExporter.Flusher | HttpClient.HttpClient | OtlpSerialization.OtlpSerialization | Scope.Scope

/** What all exporters are configured with. */
type Common = Parameters<typeof OtlpTracer.make>[0]

const makeSerialization = (protocol: OtelSettings["protocol"]) =>
  Effect.map(
    Layer.build(protocol === "http/json" ? OtlpSerialization.layerJson : OtlpSerialization.layerProtobuf),
    (context) => {
      const effects = Context.get(context, OtlpSerialization.OtlpSerialization)
      return protocol === "http/json" ? effects : { ...effects, traces: SpanEncoder.traces() }
    }
  )

/** Exports until the scope closes, and once more then. */
export const make = Effect.fnUntraced(function* (
  settings: OtelSettings,
  resource: ReturnType<typeof Resource.make>,
  redaction: Redaction
) {
  const flusher = Context.get(yield* Layer.build(OtlpExporter.layerFlusher), OtlpExporter.Flusher)
  const serialization = yield* makeSerialization(settings.protocol)
  const clients: Array<CollectorClient.CollectorClient> = []
  const { logs, metrics, traces } = settings.signals

  const start = Effect.fnUntraced(function* <A>(
    signal: Signal,
    reportsFailures: boolean,
    exporter: (common: Common) => Effect.Effect<A, never, Requirements>
  ) {
    const collector = yield* CollectorClient.make(signal, reportsFailures)
    clients.push(collector)
    const { compression, headers, url } = signal
    return yield* exporter({ url, headers, compression, resource, shutdownTimeout: 0 }).pipe(
      Effect.provideService(HttpClient.HttpClient, collector.client),
      Effect.provideService(
        OtlpSerialization.OtlpSerialization,
        Conventions.applyTo(serialization, redaction, collector.isFull)
      ),
      Effect.provideService(OtlpExporter.Flusher, flusher),
      // Effect would read the variables again, and fail where ours only report.
      Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnvRecord({}))
    )
  })

  const tracer =
    traces &&
    (yield* start(traces, false, (common) =>
      OtlpTracer.make({
        ...common,
        exportInterval: settings.traceIntervalMillis,
        maxBatchSize: settings.traceBatchSize
      })
    ))
  const logger =
    logs &&
    (yield* start(logs, false, (common) =>
      OtlpLogger.make({ ...common, exportInterval: settings.logIntervalMillis, maxBatchSize: settings.logBatchSize })
    ))
  if (metrics !== undefined) {
    const { temporality } = settings
    yield* start(metrics, temporality === "delta", (common) =>
      OtlpMetrics.make({ ...common, exportInterval: settings.metricIntervalMillis, temporality })
    )
  }
  // Effect's own last export does not wait if its fiber was interrupted, and a signal interrupts.
  yield* Effect.addFinalizer(() => within(lastExportMillis, flusher.flush))
  return {
    tracer: tracer && Sampler.applyTo(tracer, settings.sampler),
    logger,
    clients
  } satisfies Exporters
})
