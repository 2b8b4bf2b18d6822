/** An event as it is shown: its envelope, and its data without what its contract marks as sensitive. */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import type { Body } from "../../event/Body.ts"
import type * as CloudEvent from "../../event/CloudEvent.ts"
import type * as Event from "../../event/Event.ts"
import * as Limits from "../../event/Limits.ts"
import * as WireFormat from "../../event/WireFormat.ts"
import type * as LiveReports from "../LiveReports.ts"
import type * as ReportForm from "../ReportForm.ts"

export interface Showing {
  readonly contracts: ReadonlyMap<string, Event.Any>
  /** Shows the data of events without a contract, too: nothing in it can be hidden then. */
  readonly bodies: boolean
}

/** A message, or a body that is remembered. */
export interface Raw {
  readonly body: Body
  /** The event name that it was found by. */
  readonly name: string
  readonly properties?: WireFormat.PropertyHints | undefined
  readonly headers?: Readonly<Record<string, unknown>> | undefined
}

export type Seen = Omit<typeof LiveReports.Seen.Type, "kind" | "version">

export const seenOf = ({ body, headers, name, properties }: Raw, showing: Showing): Seen => {
  const parsed = WireFormat.parse(body, Limits.defaults, properties ?? { type: name }, headers)
  if (Result.isFailure(parsed)) return unreadable(name, properties, parsed.failure.message)
  const { success } = parsed
  const contract = showing.contracts.get(name)
  if (contract === undefined)
    return { ...envelopeOf(name, success), data: showing.bodies ? dataOf(success.json) : null, problem: null }
  const decoded = WireFormat.decode(success, contract)
  // What cannot be decoded cannot be searched for what is sensitive either.
  if (Result.isFailure(decoded))
    return {
      ...envelopeOf(name, success),
      data: showing.bodies ? dataOf(success.json) : null,
      problem: decoded.failure.message
    }
  const { data, key } = decoded.success
  return {
    ...envelopeOf(name, success),
    key: key ?? null,
    data: Predicate.isUint8Array(success.json)
      ? dataOf(success.json)
      : hidden(JSON.stringify(success.json), success.json, data, contract),
    problem: null
  }
}

const unreadable = (name: string, properties: Raw["properties"], problem: string): Seen => ({
  event: name,
  id: properties?.messageId ?? "",
  key: null,
  at: timeOf(properties?.timestamp),
  source: properties?.appId ?? "",
  eventVersion: null,
  correlationId: properties?.correlationId ?? null,
  causationId: null,
  data: null,
  problem
})

const envelopeOf = (event: string, parsed: CloudEvent.ParsedEvent): Omit<Seen, "data" | "problem"> => ({
  event,
  id: parsed.id,
  key: parsed.key ?? null,
  at: timeOf(parsed.time.getTime()),
  source: parsed.source,
  eventVersion: parsed.version ?? null,
  correlationId: parsed.correlationId ?? null,
  causationId: parsed.causationId ?? null
})

const timeOf = (millis: number | undefined): string | null =>
  millis === undefined || !(Math.abs(millis) <= 8.64e15) ? null : new Date(millis).toISOString()

const dataOf = (json: unknown): typeof ReportForm.Body.Type =>
  Predicate.isUint8Array(json)
    ? { encoding: "base64", value: Buffer.from(json).toString("base64") }
    : { encoding: "json", value: json }

/** Decoded the data may be of another form, which the JSON has only where it is encoded the same way. */
const hidden = (text: string, json: unknown, data: unknown, contract: Event.Any): typeof ReportForm.Body.Type => {
  const clean = contract.dataCodec.redact(contract.dataCodec.redact(text, json), data)
  try {
    return { encoding: "json", value: JSON.parse(clean) }
  } catch {
    // What is hidden may leave no JSON: a number for example.
    return { encoding: "text", value: clean }
  }
}
