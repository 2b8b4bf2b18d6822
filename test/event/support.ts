/**
 * What the tests of events share: arbitrary data of a contract, whole bodies, JSON of any shape. It
 * asserts nothing.
 */
import { Arbitrary, Result, Schema } from "effect"
import * as Codec from "../../src/event/Codec.ts"
import type * as Event from "../../src/event/Event.ts"
import * as Limits from "../../src/event/Limits.ts"

/** Arbitrary valid data of an event. */
export const dataOf = (event: Event.Any): Arbitrary.Arbitrary<unknown> =>
  // A data schema needs no services, which is what Arbitrary.schema asks for.
  Arbitrary.schema(event.schema as Schema.Codec<unknown, unknown>)

/** The success of a result, or its failure thrown with its message. */
export const succeed = <A, E extends Error>(result: Result.Result<A, E>): A => {
  if (Result.isSuccess(result)) return result.success
  throw result.failure
}

/** The failure of a result; a success is thrown. */
export const failure = <A, E>(result: Result.Result<A, E>): E => {
  if (Result.isFailure(result)) return result.failure
  throw new Error(`expected a failure, got ${JSON.stringify(result.success)}`)
}

/** A head with nothing optional in it. */
export const head = (more: Partial<Codec.Head> = {}): Codec.Head => ({
  id: "01920000-0000-7000-8000-000000000001",
  time: Date.UTC(2026, 8, 7, 8, 0, 0, 125),
  key: undefined,
  correlationId: undefined,
  causationId: undefined,
  actor: undefined,
  ...more
})

/** The body of an event as the publisher writes it. */
export const bodyOf = (
  event: Event.Any,
  data: unknown,
  more: Partial<Codec.Head> = {},
  source = "test-service"
): string =>
  Codec.encoder(event, source)(head({ key: event.keyOf(data), ...more }), succeed(event.contract.encode(data)))

/** Parses text as a body, with the default limits. */
export const parse = (body: string | Buffer, hints?: Codec.Hints, limits: Limits.Limits = Limits.defaults) =>
  Codec.parse(typeof body === "string" ? Buffer.from(body) : body, limits, hints)

/** Whether a key "__proto__" is somewhere in a JSON value: a body with it is refused on arrival. */
export const hasProto = (value: unknown): boolean =>
  typeof value === "object" &&
  value !== null &&
  (Object.hasOwn(value, "__proto__") || Object.values(value).some(hasProto))

/** Any JSON value that a body may hold. */
export const json: Arbitrary.Arbitrary<Schema.Json> = Arbitrary.schema(Schema.Json).pipe(
  Arbitrary.filter((value) => !hasProto(value))
)
