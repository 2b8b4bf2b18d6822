/**
 * What an event has to pass before it is sent: its contract's key and rules, the encoding, the limits of a body.
 * Nothing here throws, whatever a contract's functions do.
 */
import * as Result from "effect/Result"
import type { Actor } from "../../event/Actor.ts"
import type { EnvelopeFields } from "../../event/WireFormat.ts"
import type * as Event from "../../event/Event.ts"
import type { Fault, InvalidEvent, UnknownVersion } from "../../event/EventError.ts"
import * as Limits from "../../event/Limits.ts"
import * as PublishReason from "../send/PublishReason.ts"
import type { PreparedContract } from "./PreparedContract.ts"

/** Whether an event without `publishers` may be published by anybody, or by nobody. */
export type Authorise = "contracts" | "declared-only"

export const invalid = (path: string, expected: string): PublishReason.Invalid =>
  new PublishReason.Invalid({ faults: [{ path, expected }] })

/** Data that its schema refuses. */
export const invalidData = (failure: InvalidEvent | UnknownVersion): PublishReason.Invalid =>
  failure._tag === "InvalidEvent"
    ? new PublishReason.Invalid({ faults: failure.faults })
    : invalid("data", failure.message)

/** The key of an event that this actor may publish. */
export const authorise = (
  event: Event.Any,
  data: unknown,
  ownKey: string | undefined,
  actor: Actor | undefined,
  rule: Authorise
): Result.Result<string | undefined, PublishReason.PublishReason> => {
  let key: string | undefined
  let denied: string | undefined
  try {
    key = event.declaresKey ? event.keyOf(data) : ownKey
    denied =
      rule === "declared-only" && !event.declaresPublishers && !event.name.startsWith("bus.")
        ? "the event declares no `publishers` and this bus publishes only events that do"
        : event.denial(actor, data)
  } catch {
    return Result.fail(invalid("key", "the contract's `key` or `publishers.check` threw on this data"))
  }
  if (denied !== undefined)
    return Result.fail(new PublishReason.Denied({ by: "contract", role: actor?.role ?? "service", detail: denied }))
  return ownKey === undefined || ownKey === key ? Result.succeed(key) : Result.fail(invalid("key", otherKey))
}

const otherKey =
  "expected the key that the contract computes from the data: subscribers compute it too, so leave the option out, or the contract's `key`"

/** The body of an event whose data was encoded by its schema. */
export const write = (
  { encode }: Pick<PreparedContract, "encode">,
  head: EnvelopeFields,
  encoded: unknown
): Result.Result<string, PublishReason.Invalid> => {
  try {
    return Result.succeed(encode(head, encoded))
  } catch {
    return Result.fail(
      invalid(
        "data",
        "it cannot be written as JSON: it refers to itself, or holds a bigint where the schema allows anything"
      )
    )
  }
}

/** Below this size the body of a closed schema can neither nest too deep nor hold too many values. */
const largeBody = 2 * Limits.defaults.values

/** What makes a body too large, too deep or refused by every subscriber, or undefined. */
export const bodyFault = (event: Event.Any, encoded: unknown, text: string, bytes: number): Fault | undefined => {
  const shape = event.dataCodec.isOpen || bytes > largeBody ? Limits.bodyFault(text, Limits.defaults) : undefined
  if (shape !== undefined) return { path: "data", expected: shape }
  if (text.includes("__proto__") && Limits.hasForbiddenKey(encoded))
    return { path: "data", expected: 'it has a key "__proto__", which no subscriber would accept: use another key' }
  const { bodyBytes } = Limits.defaults
  if (bytes <= bodyBytes) return undefined
  const expected = `the event has ${bytes} bytes, at most ${bodyBytes} are allowed: publish a reference to large data instead`
  return { path: "data", expected }
}
