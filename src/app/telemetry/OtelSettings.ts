/**
 * The standard variables of OpenTelemetry
 * (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/), as far as they concern this
 * process. A value that cannot be understood is reported and its default used: misconfigured telemetry must not keep
 * a service from starting.
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { OtelVariables } from "./OtelVariables.ts"
import * as Sampler from "./Sampler.ts"

export type SignalName = "traces" | "metrics" | "logs"

export interface Signal {
  readonly name: SignalName
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly timeoutMillis: number
  readonly compression: "gzip" | "none"
}

export interface OtelSettings {
  readonly serviceName: string
  /** From `OTEL_RESOURCE_ATTRIBUTES`. */
  readonly attributes: Readonly<Record<string, string>>
  readonly protocol: "http/json" | "http/protobuf"
  /** The signals to export. */
  readonly signals: Readonly<Partial<Record<SignalName, Signal>>>
  readonly sampler: Sampler.Sampler
  readonly traceIntervalMillis: number
  readonly traceBatchSize: number
  readonly metricIntervalMillis: number
  readonly temporality: "cumulative" | "delta"
  readonly logIntervalMillis: number
  readonly logBatchSize: number
}

const signalNames = ["TRACES", "METRICS", "LOGS"] as const
const signalSettings = ["ENDPOINT", "HEADERS", "TIMEOUT", "COMPRESSION", "PROTOCOL"] as const
type SignalSetting = (typeof signalSettings)[number]

const variableNames = [
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
  ...signalSettings.map((setting) => `OTEL_EXPORTER_OTLP_${setting}`),
  ...signalNames.flatMap((signal) => signalSettings.map((setting) => `OTEL_EXPORTER_OTLP_${signal}_${setting}`))
]

/** What applies where the environment says nothing. */
export interface Defaults {
  readonly serviceName?: string | undefined
  readonly endpoint?: string | undefined
}

export interface ParsedSettings {
  readonly settings: OtelSettings
  /** One sentence for each variable that was not understood. */
  readonly faults: ReadonlyArray<string>
}

/** Reads the variables from the current `ConfigProvider`. */
export const read = (defaults: Defaults) =>
  Effect.gen(function* () {
    const values = new Map<string, string>()
    for (const name of variableNames) {
      const value = Option.getOrUndefined(yield* Config.option(Config.String(name)))?.trim()
      // "The SDK MUST interpret an empty value the same way as when the variable is unset."
      if (value !== undefined && value !== "") values.set(name, value)
    }
    return parse(values, defaults)
  })

export const parse = (values: ReadonlyMap<string, string>, defaults: Defaults): ParsedSettings => {
  const variables = new OtelVariables(values)
  const traces = signal(variables, "traces", defaults)
  const metrics = signal(variables, "metrics", defaults)
  const logs = signal(variables, "logs", defaults)
  const attributes = variables.pairs("OTEL_RESOURCE_ATTRIBUTES")
  const { fault, sampler } = Sampler.named(
    variables.get("OTEL_TRACES_SAMPLER"),
    variables.get("OTEL_TRACES_SAMPLER_ARG")
  )
  if (fault !== undefined) variables.faults.add(fault)
  const settings: OtelSettings = {
    serviceName:
      variables.get("OTEL_SERVICE_NAME") ??
      attributes["service.name"] ??
      defaults.serviceName ??
      variables.get("EVENTBUS_SOURCE") ??
      "unknown_service:node",
    attributes,
    protocol: variables.oneOf("OTEL_EXPORTER_OTLP_PROTOCOL", ["http/json", "http/protobuf"], "http/protobuf"),
    signals: {
      ...(traces !== undefined && { traces }),
      ...(metrics !== undefined && { metrics }),
      ...(logs !== undefined && { logs })
    },
    sampler,
    traceIntervalMillis: variables.positiveInteger("OTEL_BSP_SCHEDULE_DELAY", 5000),
    traceBatchSize: variables.positiveInteger("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512),
    metricIntervalMillis: variables.positiveInteger("OTEL_METRIC_EXPORT_INTERVAL", 60_000),
    temporality: variables.oneOf(
      "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
      ["cumulative", "delta"],
      "cumulative"
    ),
    logIntervalMillis: variables.positiveInteger("OTEL_BLRP_SCHEDULE_DELAY", 1000),
    logBatchSize: variables.positiveInteger("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", 512)
  }
  return { settings, faults: [...variables.faults] }
}

/** Where and how a signal is exported; undefined if it is not. */
const signal = (variables: OtelVariables, name: SignalName, defaults: Defaults): Signal | undefined => {
  const upper = name.toUpperCase()
  /** The variable of this signal if it is set, otherwise the one of all signals. */
  const variable = (setting: SignalSetting): string =>
    variables.has(`OTEL_EXPORTER_OTLP_${upper}_${setting}`)
      ? `OTEL_EXPORTER_OTLP_${upper}_${setting}`
      : `OTEL_EXPORTER_OTLP_${setting}`
  if (variables.isTrue("OTEL_SDK_DISABLED")) return undefined
  if (variables.oneOf(`OTEL_${upper}_EXPORTER`, ["otlp", "none"], "otlp") === "none") return undefined
  const url = signalUrl(variables, name, defaults)
  return url === undefined
    ? undefined
    : {
        name,
        url,
        headers: variables.pairs(variable("HEADERS")),
        timeoutMillis: variables.positiveInteger(variable("TIMEOUT"), 10_000),
        compression: variables.oneOf(variable("COMPRESSION"), ["gzip", "none"], "none")
      }
}

/** The address of one signal is used as it is; the one of all signals gets a path for each. */
const signalUrl = (variables: OtelVariables, name: SignalName, defaults: Defaults): string | undefined => {
  const variable = `OTEL_EXPORTER_OTLP_${name.toUpperCase()}_ENDPOINT`
  const own = variables.get(variable)
  const base = variables.get("OTEL_EXPORTER_OTLP_ENDPOINT") ?? defaults.endpoint
  const text = own ?? (base === undefined ? undefined : `${base.replace(/\/+$/, "")}/v1/${name}`)
  if (text === undefined) return undefined
  const url = URL.parse(text)
  if (url !== null && /^https?:$/.test(url.protocol)) return text
  variables.fault(own === undefined ? "OTEL_EXPORTER_OTLP_ENDPOINT" : variable, "an address with http:// or https://")
  return undefined
}
