/**
 * Shared by the tests of events: arbitrary data of a contract, complete bodies, and JSON of any shape.
 */
import { Arbitrary, Result, Schema } from "effect"
import * as WireFormat from "../../src/event/WireFormat.ts"
import type * as Event from "../../src/event/Event.ts"
import * as Limits from "../../src/event/Limits.ts"

/** Arbitrary valid data of an event. */
export const dataOf = (event: Event.Any): Arbitrary.Arbitrary<unknown> =>
  // A data schema needs no services, as Arbitrary.schema requires.
  Arbitrary.schema(event.schema as Schema.Codec<unknown, unknown>)

/** The success of a result. Throws its failure. */
export const succeed = <A, E extends Error>(result: Result.Result<A, E>): A => {
  if (Result.isSuccess(result)) return result.success
  throw result.failure
}

/** The failure of a result. Throws if it succeeded. */
export const failure = <A, E>(result: Result.Result<A, E>): E => {
  if (Result.isFailure(result)) return result.failure
  throw new Error(`expected a failure, got ${JSON.stringify(result.success)}`)
}

/** Attributes without optional ones. */
export const head = (more: Partial<WireFormat.EnvelopeFields> = {}): WireFormat.EnvelopeFields => ({
  id: "01920000-0000-7000-8000-000000000001",
  time: Date.UTC(2026, 8, 7, 8, 0, 0, 125),
  key: undefined,
  correlationId: undefined,
  causationId: undefined,
  actor: undefined,
  ...more
})

/** The body of an event as publish writes it. */
export const bodyOf = (
  event: Event.Any,
  data: unknown,
  more: Partial<WireFormat.EnvelopeFields> = {},
  source = "test-service"
): string =>
  WireFormat.encoder(event, source)(head({ key: event.keyOf(data), ...more }), succeed(event.dataCodec.encode(data)))

/** Parses text as a body, with the default limits. */
export const parse = (
  body: string | Buffer,
  hints?: WireFormat.PropertyHints,
  limits: Limits.Limits = Limits.defaults
) => WireFormat.parse(typeof body === "string" ? Buffer.from(body) : body, limits, hints)

/** Whether a JSON value contains a key "__proto__": a body with one is refused. */
export const hasProto = (value: unknown): boolean =>
  typeof value === "object" &&
  value !== null &&
  (Object.hasOwn(value, "__proto__") || Object.values(value).some(hasProto))

/** Any JSON value that a body may contain. */
export const json: Arbitrary.Arbitrary<Schema.Json> = Arbitrary.schema(Schema.Json).pipe(
  Arbitrary.filter((value) => !hasProto(value))
)
