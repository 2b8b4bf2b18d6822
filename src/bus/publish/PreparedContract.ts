/** What a contract needs at every publish, made at its first. */
import type * as Context from "effect/Context"
import * as WireFormat from "../../event/WireFormat.ts"
import type * as Event from "../../event/Event.ts"
import * as Meters from "../../observe/Meters.ts"
import * as Spans from "../../observe/Spans.ts"
import type { Address } from "../port/Broker.ts"
import type { CacheStore } from "../port/CacheStore.ts"
import type { EventTelemetry, TelemetryTools } from "./PublishTelemetry.ts"

/** What all contracts of a bus have in common. */
export interface PublishTools extends TelemetryTools {
  readonly store: CacheStore["Service"]
  /** The `source` of its events. */
  readonly source: string
  readonly timeoutMillis: number
  readonly context: Context.Context<never>
}

export class PreparedContract implements EventTelemetry {
  readonly tools: PublishTools
  readonly event: Event.Any
  readonly name: string
  readonly encode: ReturnType<typeof WireFormat.encoder>
  readonly metrics: Meters.PublisherMetrics
  readonly startSpan: Spans.PublisherSpans
  readonly to: Address
  /** When the log last said that it reached nobody, in milliseconds since the epoch. */
  unheardAt = Number.NEGATIVE_INFINITY

  constructor(tools: PublishTools, event: Event.Any) {
    this.tools = tools
    this.event = event
    this.name = event.name
    this.encode = WireFormat.encoder(event, tools.source)
    this.metrics = Meters.publisher(event.name, tools.trace.broker, tools.context)
    this.startSpan = Spans.publisher(tools.trace, event.name)
    tools.known.publishes(event)
    this.to = { _tag: "Event", name: event.route ?? event.name }
  }
}

/** Prepares each contract once. */
export const makePrepare = (tools: PublishTools): ((event: Event.Any) => PreparedContract) => {
  const prepared = new WeakMap<Event.Any, PreparedContract>()
  return (event) => {
    const known = prepared.get(event)
    if (known !== undefined) return known
    const made = new PreparedContract(tools, event)
    prepared.set(event, made)
    return made
  }
}
