/**
 * The data of a dead letter is corrected and the event replayed. It stays the same event: id, source, time, key and cause
 * are those that it had. What changed and when is written into its history, without any value.
 */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import { isDeepStrictEqual } from "node:util"
import type { DeadLetter } from "../../bus/deadletter/DeadLetter.ts"
import type { Rewrite } from "../../bus/deadletter/Replay.ts"
import type { Edited } from "../../bus/deadletter/ReplayCopy.ts"
import type { Delivery } from "../../bus/port/Broker.ts"
import { bodyFault } from "../../bus/publish/PublishChecks.ts"
import { sizeOf } from "../../event/Body.ts"
import type { Fault } from "../../event/EventError.ts"
import * as Limits from "../../event/Limits.ts"
import * as WireFormat from "../../event/WireFormat.ts"
import { type Contract, decode } from "../publish/PublishData.ts"

/** The whole new data, or what is to be different in it (a merge patch by RFC 7396: null removes a field). */
export type Change =
  | { readonly _tag: "Data"; readonly json: unknown }
  | { readonly _tag: "Patch"; readonly json: unknown }

/** `onEdited` is called with the paths that change. */
export const rewriter =
  (contract: Contract, change: Change, onEdited: (paths: ReadonlyArray<string>) => void): Rewrite =>
  (letter, delivery) => {
    const edited = rewrite(contract, change, letter, delivery)
    if (Result.isSuccess(edited)) onEdited(edited.success.paths)
    return edited
  }

const rewrite = (
  contract: Contract,
  change: Change,
  letter: DeadLetter,
  { body, headers, properties }: Delivery
): Result.Result<Edited, string> =>
  Result.gen(function* () {
    if (letter.eventType !== contract.name)
      return yield* Result.fail(`it is an event "${letter.eventType}", and the contract is of "${contract.name}"`)
    const parsed = Result.getOrUndefined(WireFormat.parse(body, Limits.defaults, properties, headers))
    if (parsed === undefined && change._tag === "Patch")
      return yield* Result.fail("its body cannot be read, so there is nothing to patch: give the whole data")
    const json = change._tag === "Data" ? change.json : merge(parsed?.json, change.json)
    const data = yield* Result.mapError(decode(contract, undefined, json), faultsOf)
    const encoded = yield* Result.mapError(contract.dataCodec.encode(data), ({ faults }) => faultsOf(faults))
    const before = parsed === undefined ? undefined : Result.getOrUndefined(WireFormat.decode(parsed, contract))
    const output = yield* Result.mapError(
      contract.dataCodec.decode(contract.version, encoded),
      ({ message }) => message
    )
    const key = contract.declaresKey ? contract.keyOf(output) : parsed?.key
    const keyBefore = before?.key ?? parsed?.key
    if (keyBefore !== undefined && key !== keyBefore)
      return yield* Result.fail(
        "its key would be another one, and with it its place in the order: publish a new event and discard this letter"
      )
    const changed = parsed === undefined ? ["data"] : differences(parsed.json, encoded, ["data"])
    if (changed.length === 0) return yield* Result.fail("nothing in it would change: replay it as it is")
    const write = WireFormat.encoder(contract, parsed?.source || properties.appId || "unknown")
    const text = write(
      {
        id: letter.eventId,
        time: parsed?.time.getTime() ?? letter.publishedAt?.getTime() ?? 0,
        key,
        correlationId: parsed?.correlationId ?? properties.correlationId,
        causationId: parsed?.causationId,
        actor: parsed?.actor,
        expiryTime: parsed?.expiryTime?.getTime(),
        tenant: parsed?.tenant
      },
      encoded
    )
    const fault = bodyFault(contract, encoded, text, sizeOf(text))
    if (fault !== undefined) return yield* Result.fail(faultsOf([fault]))
    // The name of a field may be a key of a record, and sensitive as its values are.
    const clean = (path: string): string =>
      contract.dataCodec.redact(before === undefined ? path : contract.dataCodec.redact(path, before.data), data)
    return { body: text, paths: changed.map(clean) }
  })

const faultsOf = (faults: ReadonlyArray<Fault>): string =>
  faults.map(({ expected, path }) => (path === "" ? expected : `${path}: ${expected}`)).join("; ")

/** RFC 7396. */
const merge = (target: unknown, patch: unknown): unknown => {
  if (!Predicate.isObject(patch)) return patch
  const merged = new Map(Predicate.isObject(target) ? Object.entries(target) : [])
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) merged.delete(name)
    else merged.set(name, merge(merged.get(name), value))
  }
  return Object.fromEntries(merged)
}

/** The places in which two values differ, of objects field by field. */
const differences = (one: unknown, other: unknown, at: ReadonlyArray<string>): ReadonlyArray<string> => {
  if (isDeepStrictEqual(one, other)) return []
  if (!Predicate.isObject(one) || !Predicate.isObject(other)) return [at.join(".")]
  const names = new Set([...Object.keys(one), ...Object.keys(other)])
  return [...names].flatMap((name) => differences(one[name], other[name], [...at, name]))
}
