/**
 * What a metric is, as data, and what its attributes may be.
 */

/** What attributes mean, and what they may be where that is a short list. */
export const attributes = {
  "messaging.system": "`rabbitmq`, or `memory` for the embedded bus",
  "messaging.operation.name": "`publish`, `deliver` or `process`",
  "messaging.operation.type": "`send`, `receive` or `process`",
  "messaging.destination.name": "What is published to, `<exchange>:<routing key>`; for consumers their queue",
  "messaging.consumer.group.name": "Name of the subscriber",
  "error.type": "Only of failures: the reason of a PublishError, or the tag of what a handler failed with",
  "eventbus.event": "Name of the event",
  "eventbus.subscriber": "Name of the subscriber",
  "eventbus.outcome":
    "Of a publish: `confirmed`, `unrouted` or the reason of its failure. Of a delivery: `handled`, `retried`, `dead-lettered`, `postponed`, `skipped` or `duplicate`. Of a drain: `whole` or `cut off`. Of an export: `accepted`, `failed` or `dropped`",
  "eventbus.reason": "Why it is a dead letter: `Exhausted`, `Rejected`, `Invalid` and so on",
  "eventbus.door": "`callers` of publish, or `settlement`: copies for retries, dead letters and replays",
  "eventbus.connection": "`publish` or `consume`",
  "eventbus.state":
    "Of a subscriber: `Starting`, `Running`, `Paused`, `Restarting`, `Draining`, `Stopped` or `Failed`. Of a check: `up`, `degraded` or `down`",
  "eventbus.check": "Name of a check of /health",
  "eventbus.result": "`hit`, `miss` or `error`",
  "eventbus.signal": "`traces`, `metrics` or `logs`"
} as const
export type AttributeName = keyof typeof attributes

/** A gauge is a level that cannot be added up; an updowncounter is one that can, over processes too. */
export type Kind = "counter" | "updowncounter" | "gauge" | "histogram"

/** Which part emits it: every bus, or only one with RabbitMQ, with OTLP, or with health. */
export type Emitter = "bus" | "rabbitmq" | "otlp" | "health"

export interface Definition {
  readonly name: string
  readonly kind: Kind
  /** UCUM: `s`, `By`, or what is counted in braces. */
  readonly unit: string
  readonly description: string
  readonly attributes: ReadonlyArray<AttributeName>
  /** Upper bounds of a histogram's buckets, in its unit. */
  readonly boundaries: ReadonlyArray<number>
  readonly emitter: Emitter
}

/** Makes definitions, and keeps them in the order in which they were made. */
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
    // Only read from outside.
    all: all as ReadonlyArray<Definition>,
    counter: define("counter"),
    updowncounter: define("updowncounter"),
    gauge: define("gauge"),
    histogram: define("histogram")
  }
}

const suffixes: Readonly<Record<string, string>> = { s: "_seconds", By: "_bytes" }

/**
 * A name as Prometheus has it, by OpenTelemetry's rules of translation: the same in /metrics and behind a
 * collector (https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/).
 */
export const prometheusName = ({ kind, name, unit }: Pick<Definition, "kind" | "name" | "unit">): string =>
  name.replace(/[^a-zA-Z0-9_:]/g, "_") + (suffixes[unit] ?? "") + (kind === "counter" ? "_total" : "")

/** An attribute as Prometheus has it. */
export const prometheusLabel = (name: string): string => name.replace(/[^a-zA-Z0-9_]/g, "_")
