/**
 * This library by its public API. Each variant switches on one thing: lanes by key, a tracer that samples
 * everything, exports to a collector, the cache.
 */
import * as NodeSdk from "@effect/opentelemetry/NodeSdk"
import { BatchSpanProcessor, type SpanExporter } from "@opentelemetry/sdk-trace-base"
import { ConfigProvider, Effect, Exit, type Fiber, Layer, ManagedRuntime, Scope } from "effect"
import { EventBus, Telemetry } from "../../src/index.ts"
import { contractOf, type GradeEvent } from "../GradeEvent.ts"
import { namespace, source, typeOf } from "../GradeMessage.ts"
import type { Peer, Session } from "./Peer.ts"

export interface Variant {
  readonly ordering?: "none" | "key"
  /** Whether events have a key on the wire. Default: when the order is by key. */
  readonly keyed?: boolean
  /** Every span is recorded and goes to an exporter that drops it. */
  readonly traced?: boolean
  /** Exports of metrics every second, and of this share of all traces. */
  readonly telemetry?: { readonly endpoint: string; readonly traces: number }
  readonly cached?: boolean
  /** Events of one call of the handler. Default: a handler of single events. */
  readonly batch?: number
  readonly redisUrl?: string
  readonly url?: string
  readonly options?: Partial<EventBus.LiveOptions>
}

const exporter: SpanExporter = {
  export: (_spans, done) => done({ code: 0 }),
  shutdown: () => Promise.resolve(),
  forceFlush: () => Promise.resolve()
}

const tracing = NodeSdk.layer(() => ({
  resource: { serviceName: source },
  spanProcessor: new BatchSpanProcessor(exporter)
}))

const exporting = (share: number) =>
  ConfigProvider.layer(
    ConfigProvider.fromEnvRecord({
      OTEL_METRIC_EXPORT_INTERVAL: "1000",
      OTEL_LOGS_EXPORTER: "none",
      ...(share === 0
        ? { OTEL_TRACES_EXPORTER: "none" }
        : { OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: String(share) })
    })
  )

/** The bus itself, for scenarios that no other library has. */
export const openBus = async (url: string, variant: Variant) => {
  const live = EventBus.layerAmqp({
    url: variant.url ?? url,
    namespace,
    source,
    ...(variant.redisUrl !== undefined && { redisUrl: variant.redisUrl }),
    ...variant.options
  })
  const { telemetry } = variant
  const seen =
    telemetry === undefined
      ? variant.traced === true
        ? tracing
        : Layer.empty
      : Layer.provide(Telemetry.layer({ logs: "none", endpoint: telemetry.endpoint }), exporting(telemetry.traces))
  const runtime = ManagedRuntime.make(Layer.provide(live, seen))
  const context = await runtime.context()
  const bus = await runtime.runPromise(EventBus)
  const contracts = new Map<string, GradeEvent>()
  const contract = (type: string): GradeEvent => {
    let made = contracts.get(type)
    if (made === undefined) {
      made = contractOf(type, { keyed: variant.keyed ?? variant.ordering === "key", cached: variant.cached === true })
      contracts.set(type, made)
    }
    return made
  }
  return { runtime, context, bus, contract }
}

export const session = async (url: string, variant: Variant): Promise<Session> => {
  const { bus, context, contract, runtime } = await openBus(url, variant)
  const run = Effect.runForkWith(context)
  const scope = Scope.makeUnsafe()
  return {
    publish: (type, data, done) => {
      const fiber: Fiber.Fiber<unknown, unknown> = run(bus.publish(contract(type), data))
      fiber.addObserver((exit) => done(Exit.isSuccess(exit) ? undefined : exit.cause))
    },
    consume: async (subscriber, prefetch, handle) => {
      const events = [contract(typeOf(subscriber))]
      const { batch, ordering = "none" } = variant
      const subscribed =
        batch === undefined
          ? bus.subscribe(subscriber, {
              events,
              handler: (event) => Effect.sync(() => handle(event.data)),
              ordering,
              prefetch
            })
          : bus.subscribe(subscriber, {
              events,
              batch: { size: batch, maxWait: "200 millis" },
              handler: (events) => Effect.sync(() => events.forEach(({ data }) => handle(data))),
              prefetch: Math.max(prefetch, 2 * batch)
            })
      await runtime.runPromise(Scope.provide(subscribed, scope))
    },
    close: async () => {
      await runtime.runPromise(Scope.close(scope, Exit.void))
      await runtime.dispose()
    }
  }
}

export const make = (variant: Variant): Peer => ({
  open: (url, { foreignQueue = false }) =>
    session(url, foreignQueue ? { ...variant, options: { ...variant.options, topology: "verify" } } : variant)
})
