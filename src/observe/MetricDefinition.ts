/**
 * The definition of a metric as data, and the values of its attributes.
 */

/** What each attribute means, with its possible values where they are few. */
export const attributes = {
  "messaging.system": "`rabbitmq`, or `memory` for the embedded bus",
  "messaging.operation.name": "`publish`, `deliver` or `process`",
  "messaging.operation.type": "`send`, `receive` or `process`",
  "messaging.destination.name": "Destination of a publish, `<exchange>:<routing key>`; for consumers their queue",
  "messaging.consumer.group.name": "Name of the subscriber",
  "error.type": "Failures only: the reason of a PublishError, or the tag of the error that a handler failed with",
  "eventbus.event": "Name of the event",
  "eventbus.subscriber": "Name of the subscriber",
  "eventbus.outcome":
    "Publish: `confirmed`, `unrouted` or the reason of the failure. Delivery: `handled`, `retried`, `dead-lettered`, `postponed`, `skipped` or `duplicate`. Drain: `whole` or `cut off`. Request: `replied`, `error` or the reason of the RequestError. Export: `accepted`, `failed` or `dropped`",
  "eventbus.reason": "Why an event was dead-lettered: `Exhausted`, `Rejected`, `Invalid` and so on",
  "eventbus.limit": "In-flight limit: `callers` of publish, or `copies` (retries, dead letters, replays)",
  "eventbus.connection": "`publish` or `consume`",
  "eventbus.state":
    "Subscriber: `Starting`, `Running`, `Paused`, `Restarting`, `Draining`, `Stopped` or `Failed`. Check: `up`, `degraded` or `down`",
  "eventbus.check": "Name of the check in /health",
  "eventbus.result": "`hit`, `miss` or `error`",
  "eventbus.signal": "`traces`, `metrics` or `logs`"
} as const
export type AttributeName = keyof typeof attributes

/** Buckets of durations: from a tenth of a millisecond to five minutes. */
export const seconds = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300
]

/** A gauge cannot be summed; an updowncounter can, also across processes. */
export type Kind = "counter" | "updowncounter" | "gauge" | "histogram"

/** Which component emits it: every bus, or only one with RabbitMQ, with OTLP exports, with health checks, that asks, or an outbox. */
export type Emitter = "bus" | "rabbitmq" | "otlp" | "health" | "requests" | "outbox"

export interface Definition {
  readonly name: string
  readonly kind: Kind
  /** In UCUM (https://ucum.org/ucum): `s`, `By`, or the counted thing in braces. */
  readonly unit: string
  readonly description: string
  readonly attributes: ReadonlyArray<AttributeName>
  /** Upper bounds of a histogram's buckets, in its unit. */
  readonly boundaries: ReadonlyArray<number>
  readonly emitter: Emitter
}

/** Functions that make definitions, and all that they made, in order. */
export const collection = () => {
  const all: Array<Definition> = []
  const define =
    (kind: Kind) =>
    (
      name: string,
      unit: string,
      names: ReadonlyArray<AttributeName>,
      description: string,
      more: Partial<Pick<Definition, "emitter" | "boundaries">> = {}
    ): Definition => {
      const definition: Definition = {
        name,
        kind,
        unit,
        description,
        attributes: names,
        boundaries: [],
        emitter: "bus",
        ...more
      }
      all.push(definition)
      return definition
    }
  return {
    all: all as ReadonlyArray<Definition>,
    counter: define("counter"),
    updowncounter: define("updowncounter"),
    gauge: define("gauge"),
    histogram: define("histogram")
  }
}

const suffixes: Readonly<Record<string, string>> = { s: "_seconds", By: "_bytes" }

/**
 * The name of a metric in Prometheus, by OpenTelemetry's translation rules: the same in /metrics and behind a collector
 * (https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/).
 */
export const prometheusName = ({ kind, name, unit }: Pick<Definition, "kind" | "name" | "unit">): string =>
  name.replace(/[^a-zA-Z0-9_:]/g, "_") + (suffixes[unit] ?? "") + (kind === "counter" ? "_total" : "")

/** The name of an attribute in Prometheus. */
export const prometheusLabel = (name: string): string => name.replace(/[^a-zA-Z0-9_]/g, "_")
