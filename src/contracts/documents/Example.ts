/**
 * An example of the data of a version, as JSON. One value that the schema generates is made readable: each text, number
 * and list gives way to a plainer one where the schema still accepts the whole. It is the same in each run.
 */
import * as Arbitrary from "effect/Arbitrary"
import * as Equal from "effect/Equal"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import { type AnySchema, isEffectSchema } from "../../event/standard/StandardSchema.ts"
import * as WireData from "../WireData.ts"
import * as Wording from "./Wording.ts"

/** Undefined where no value can be generated. */
export const of = (data: AnySchema, seed: string): unknown => {
  const { decode, encode, values } = WireData.of(data)
  /** The JSON that a reader gets and would write again; undefined where it is not accepted. */
  const accepted = (json: unknown): unknown => {
    // A Standard Schema writes what it reads.
    const read = isEffectSchema(data) ? decode(json) : Result.succeed(json)
    const written = Result.isSuccess(read) ? encode(read.success) : read
    return Result.isSuccess(written) && Equal.equals(plain(written.success), json) ? json : undefined
  }
  for (const own of ownOf(data)) {
    const written = encode(own)
    if (Result.isSuccess(written)) return plain(written.success)
  }
  const richest = generated(values(), seed)
    .flatMap((value) => {
      const written = encode(value)
      return Result.isSuccess(written) ? [plain(written.success)] : []
    })
    .filter((json) => accepted(json) !== undefined)
    .toSorted((a, b) => leaves(b) - leaves(a))
    .at(0)
  return richest === undefined ? undefined : readable(richest, accepted)
}

/** Examples of the author. */
const ownOf = (data: AnySchema): ReadonlyArray<unknown> => {
  const examples: unknown = Wording.annotationOf(data, "examples")
  return Array.isArray(examples) ? examples : []
}

const generated = (values: ReturnType<WireData.WireData["values"]>, seed: string): ReadonlyArray<unknown> => {
  if (Result.isFailure(values)) return []
  return Effect.runSync(Effect.orElseSucceed(Arbitrary.sampleEffect(values.success, { count: 40, seed }), () => []))
}

/** As it is behind the wire. */
const plain = (json: unknown): unknown => JSON.parse(JSON.stringify(json) ?? "null")

/** How much a value shows. One item of a list shows as much as many. */
const leaves = (json: unknown): number => {
  if (Array.isArray(json)) return json.length === 0 ? 0 : 1 + leaves(json[0])
  if (!Predicate.isObject(json)) return 1
  return Object.values(json).reduce((sum: number, value) => sum + leaves(value), 0)
}

type Path = ReadonlyArray<string | number>

/** Replaces one part after the other, and keeps what is accepted. */
const readable = (start: unknown, accepted: (json: unknown) => unknown): unknown => {
  let whole = start
  const tryAt = (path: Path, candidates: ReadonlyArray<unknown>): void => {
    for (const candidate of candidates) {
      const next = replaced(whole, path, candidate)
      if (accepted(next) === undefined) continue
      whole = next
      return
    }
  }
  const visit = (path: Path): void => {
    const value = at(whole, path)
    if (Predicate.isString(value)) tryAt(path, texts(path))
    else if (Predicate.isNumber(value)) tryAt(path, numbers)
    else if (Array.isArray(value)) {
      if (value.length > 1) tryAt(path, [value.slice(0, 1), value.slice(0, 2)])
      const kept = at(whole, path)
      if (Array.isArray(kept)) kept.forEach((_, index) => visit([...path, index]))
    } else if (Predicate.isObject(value)) for (const name of Object.keys(value)) visit([...path, name])
  }
  visit([])
  return whole
}

const at = (json: unknown, path: Path): unknown =>
  path.reduce<unknown>((value, part) => (Predicate.hasProperty(value, part) ? value[part] : undefined), json)

const replaced = (json: unknown, [part, ...below]: Path, value: unknown): unknown => {
  if (part === undefined) return value
  if (Array.isArray(json)) return json.map((one, index) => (index === part ? replaced(one, below, value) : one))
  return Predicate.isObject(json)
    ? Object.fromEntries(
        Object.entries(json).map(([name, one]) => [name, name === part ? replaced(one, below, value) : one])
      )
    : json
}

/** `10` before `1`: a bound from above is often 100, one from below often 0 or 1. */
const numbers: ReadonlyArray<number> = [10, 1, 100, 0, 1000, 0.5]

/** Plain texts for a field, by its name first. */
const texts = (path: Path): ReadonlyArray<string> => {
  const name = String(path.findLast(Predicate.isString) ?? "text")
  const words = name.replaceAll(/([a-z0-9])([A-Z])/g, "$1 $2").toLowerCase()
  const id = /^(.*\S) id$/.exec(words)?.[1]
  return [
    ...(id === undefined ? [] : [`${id.replaceAll(" ", "-")}-1`]),
    words,
    words.replaceAll(" ", "-"),
    "2026-01-15T09:30:00.000Z",
    "2026-01-15",
    "someone@example.org",
    "019bc0f5-5a40-7c3e-9d52-0242ac120002",
    "https://example.org",
    "en",
    "DE",
    "1",
    "A"
  ]
}
