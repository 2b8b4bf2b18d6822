/**
 * The standard variables of OpenTelemetry
 * (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/), as far as they
 * concern this process. What cannot be understood is told and its default taken: telemetry that is
 * configured wrongly must not keep a service from starting.
 */
import { Config, Effect, Option } from "effect"
import * as Sampler from "./Sampler.ts"

export type SignalName = "traces" | "metrics" | "logs"

export interface Signal {
  readonly name: SignalName
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly timeoutMillis: number
  readonly compression: "gzip" | "none"
}

export interface Settings {
  readonly serviceName: string
  /** Of `OTEL_RESOURCE_ATTRIBUTES`. */
  readonly attributes: Readonly<Record<string, string>>
  readonly protocol: "http/json" | "http/protobuf"
  /** Those that are exported. */
  readonly signals: Readonly<Partial<Record<SignalName, Signal>>>
  readonly sampler: Sampler.Sampler
  readonly traceEveryMillis: number
  readonly traceBatch: number
  readonly metricEveryMillis: number
  readonly temporality: "cumulative" | "delta"
  readonly logEveryMillis: number
  readonly logBatch: number
}

const signalNames = ["TRACES", "METRICS", "LOGS"] as const
const ofSignal = ["ENDPOINT", "HEADERS", "TIMEOUT", "COMPRESSION", "PROTOCOL"] as const

const known = [
  "EVENTBUS_SOURCE",
  "OTEL_SDK_DISABLED",
  "OTEL_SERVICE_NAME",
  "OTEL_RESOURCE_ATTRIBUTES",
  "OTEL_TRACES_SAMPLER",
  "OTEL_TRACES_SAMPLER_ARG",
  "OTEL_BSP_SCHEDULE_DELAY",
  "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
  "OTEL_BLRP_SCHEDULE_DELAY",
  "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE",
  "OTEL_METRIC_EXPORT_INTERVAL",
  "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
  ...signalNames.map((signal) => `OTEL_${signal}_EXPORTER`),
  ...ofSignal.map((what) => `OTEL_EXPORTER_OTLP_${what}`),
  ...signalNames.flatMap((signal) => ofSignal.map((what) => `OTEL_EXPORTER_OTLP_${signal}_${what}`))
]

export interface Defaults {
  readonly serviceName?: string | undefined
  readonly endpoint?: string | undefined
}

/** Reads them, and what is wrong with them. */
export const read = (defaults: Defaults) =>
  Effect.gen(function* () {
    const values = new Map<string, string>()
    for (const name of known) {
      const value = Option.getOrUndefined(yield* Config.option(Config.String(name)))?.trim()
      // "The SDK MUST interpret an empty value the same way as when the variable is unset."
      if (value !== undefined && value !== "") values.set(name, value)
    }
    return settle(values, defaults)
  })

export const settle = (
  values: ReadonlyMap<string, string>,
  defaults: Defaults
): { readonly settings: Settings; readonly faults: ReadonlyArray<string> } => {
  const faults: Array<string> = []
  const fault = (name: string, expected: string): void =>
    void faults.push(`${name} is not understood: expected ${expected}`)
  /** Of one that is no secret. */
  const open = (name: string, value: string, expected: string): void =>
    fault(name, `${expected}, not ${JSON.stringify(value.slice(0, 50))}`)
  const oneOf = <const A extends string>(name: string, allowed: ReadonlyArray<A>, otherwise: A): A => {
    const value = values.get(name)?.toLowerCase()
    const found = allowed.find((one) => one === value)
    if (value !== undefined && found === undefined) open(name, value, allowed.join(" or "))
    return found ?? otherwise
  }
  const whole = (name: string, otherwise: number, least = 1): number => {
    const value = values.get(name)
    const number = value === undefined ? otherwise : Number(value)
    if (Number.isSafeInteger(number) && number >= least && number <= 2 ** 31 - 1) return number
    open(name, value ?? "", `a whole number from ${least} up`)
    return otherwise
  }
  const pairs = (name: string): Record<string, string> => {
    const found: Record<string, string> = Object.create(null)
    for (const part of (values.get(name) ?? "").split(",")) {
      const at = part.indexOf("=")
      if (at <= 0) {
        if (part.trim() !== "") fault(name, "name=value, name=value")
        continue
      }
      try {
        found[part.slice(0, at).trim()] = decodeURIComponent(part.slice(at + 1).trim())
      } catch {
        fault(name, "values encoded as in a URL")
      }
    }
    return found
  }

  const disabled = values.get("OTEL_SDK_DISABLED")?.toLowerCase() === "true"
  const signal = (name: SignalName): Signal | undefined => {
    const upper = name.toUpperCase()
    const pick = (what: (typeof ofSignal)[number]): string =>
      values.has(`OTEL_EXPORTER_OTLP_${upper}_${what}`)
        ? `OTEL_EXPORTER_OTLP_${upper}_${what}`
        : `OTEL_EXPORTER_OTLP_${what}`
    if (disabled || oneOf(`OTEL_${upper}_EXPORTER`, ["otlp", "none"], "otlp") === "none") return undefined
    const own = values.get(`OTEL_EXPORTER_OTLP_${upper}_ENDPOINT`)
    const base = values.get("OTEL_EXPORTER_OTLP_ENDPOINT") ?? defaults.endpoint
    const text = own ?? (base === undefined ? undefined : `${base.replace(/\/+$/, "")}/v1/${name}`)
    if (text === undefined) return undefined
    const url = URL.parse(text)
    if (url === null || !/^https?:$/.test(url.protocol)) {
      fault(own === undefined ? "OTEL_EXPORTER_OTLP_ENDPOINT" : pick("ENDPOINT"), "an address with http:// or https://")
      return undefined
    }
    return {
      name,
      url: text,
      headers: pairs(pick("HEADERS")),
      timeoutMillis: whole(pick("TIMEOUT"), 10_000),
      compression: oneOf(pick("COMPRESSION"), ["gzip", "none"], "none")
    }
  }

  const [traces, metrics, logs] = [signal("traces"), signal("metrics"), signal("logs")]
  const attributes = pairs("OTEL_RESOURCE_ATTRIBUTES")
  const sampler = Sampler.named(values.get("OTEL_TRACES_SAMPLER"), values.get("OTEL_TRACES_SAMPLER_ARG"))
  if (sampler.fault !== undefined) faults.push(sampler.fault)
  const settings: Settings = {
    serviceName:
      values.get("OTEL_SERVICE_NAME") ??
      attributes["service.name"] ??
      defaults.serviceName ??
      values.get("EVENTBUS_SOURCE") ??
      "unknown_service:node",
    attributes,
    protocol: oneOf("OTEL_EXPORTER_OTLP_PROTOCOL", ["http/json", "http/protobuf"], "http/protobuf"),
    signals: {
      ...(traces !== undefined && { traces }),
      ...(metrics !== undefined && { metrics }),
      ...(logs !== undefined && { logs })
    },
    sampler: sampler.sampler,
    traceEveryMillis: whole("OTEL_BSP_SCHEDULE_DELAY", 5000),
    traceBatch: whole("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512),
    metricEveryMillis: whole("OTEL_METRIC_EXPORT_INTERVAL", 60_000),
    temporality: oneOf("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", ["cumulative", "delta"], "cumulative"),
    logEveryMillis: whole("OTEL_BLRP_SCHEDULE_DELAY", 1000),
    logBatch: whole("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", 512)
  }
  return { settings, faults: [...new Set(faults)] }
}
