/**
 * Proves upcasters: values that the schema of an older version generates are written and read as on the wire, go up, and
 * have to be what the next version accepts, writes and reads again. What fails is made as small as it can be.
 */
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaIssueFormat from "effect/SchemaIssue"
import * as SchemaParser from "effect/SchemaParser"
import type { DataSchema, PreviousVersion } from "../event/DataCodec.ts"
import type * as Event from "../event/Event.ts"
import * as Finding from "./Finding.ts"
import * as Snapshot from "./Snapshot.ts"

/** Values for each upcaster. */
const runs = 100

export const prove = (event: Event.Any): Effect.Effect<ReadonlyArray<Finding.Finding>> =>
  Effect.map(
    Effect.forEach(event.previous, (old, at) => {
      const next = Snapshot.versionsOf(event)[at + 1]
      return next === undefined ? Effect.succeed([]) : proveOne(event.name, old, next.data, next.version)
    }),
    (found) => found.flat()
  )

const proveOne = (event: string, old: PreviousVersion, next: DataSchema, to: number) =>
  Effect.gen(function* () {
    const place = { event, version: old.version }
    const values = derive(old.data)
    if (Result.isFailure(values))
      return [Finding.make("upcaster-unproven", { ...place, after: `no values can be generated: ${values.failure}` })]
    const hop = hopOf(old, next, to)
    const result = yield* Arbitrary.checkEffect(
      values.success,
      (value) => {
        const fault = hop(value)
        return fault === undefined ? true : Effect.fail(fault)
      },
      // The same values each time: what passes today passes tomorrow.
      { runs, seed: `${event}/${old.version}` }
    )
    if (result._tag === "Passed") return []
    if (result._tag !== "Falsified" || result.failure._tag !== "PropertyError")
      return [Finding.make("upcaster-unproven", { ...place, after: "too few of the generated values are valid" })]
    const json = encoder(old.data)(result.shrunkInput)
    const example = Result.isSuccess(json) ? JSON.stringify(json.success) : "data"
    return [Finding.make("upcaster-fails", { ...place, after: `${example} ${result.failure.error}` })]
  })

const derive = (schema: DataSchema): Result.Result<Arbitrary.Arbitrary<unknown>, string> =>
  Result.try({
    try: (): Arbitrary.Arbitrary<unknown> => Arbitrary.schema(schema),
    catch: (error) => (error instanceof Error ? error.message : String(error))
  })

const encoder = (schema: DataSchema) => SchemaParser.encodeUnknownResult(codec(schema))
const decoder = (schema: DataSchema) => SchemaParser.decodeUnknownResult(codec(schema))
const codec = (schema: DataSchema): DataSchema => Schema.toCodecJson(schema)
const format = SchemaIssueFormat.makeFormatterStandardSchemaV1()

/** Why a value does not get to the next version; undefined if it does. */
const hopOf = ({ data, up }: PreviousVersion, next: DataSchema, to: number) => {
  const [encodeOld, decodeOld, encodeNext, decodeNext] = [encoder(data), decoder(data), encoder(next), decoder(next)]
  return (value: unknown): string | undefined => {
    const written = encodeOld(value)
    // What cannot be published is never read.
    if (Result.isFailure(written)) return undefined
    const read = decodeOld(JSON.parse(JSON.stringify(written.success)))
    if (Result.isFailure(read)) return undefined
    let upcast: unknown
    try {
      upcast = up(read.success)
    } catch (error) {
      return `makes the upcaster throw: ${error instanceof Error ? error.message : String(error)}`
    }
    const encoded = encodeNext(upcast)
    if (Result.isFailure(encoded)) return `becomes what version ${to} refuses: ${faultOf(encoded.failure)}`
    const again = decodeNext(JSON.parse(JSON.stringify(encoded.success)))
    return Result.isFailure(again)
      ? `becomes what version ${to} writes and does not read: ${faultOf(again.failure)}`
      : undefined
  }
}

const faultOf = (issue: SchemaIssue.Issue): string => {
  const [first] = format(issue).issues
  const path = (first?.path ?? []).map((part) => String(typeof part === "object" ? part.key : part)).join(".")
  return `${path === "" ? "" : `${path}: `}${first?.message ?? "invalid"}`
}

/** Values of a version, brought up to the newest one; those that do not get there are left out. */
export const samples = (
  event: Event.Any,
  version: number
): Effect.Effect<ReadonlyArray<{ readonly old: unknown; readonly newest: unknown }>> => {
  const from = Snapshot.versionsOf(event).find((one) => one.version === version)
  const values = from === undefined ? undefined : derive(from.data)
  if (values === undefined || Result.isFailure(values)) return Effect.succeed([])
  return Arbitrary.sampleEffect(values.success, { count: 20, seed: `${event.name}/${version}` }).pipe(
    Effect.map((found) =>
      found.flatMap((old) => {
        try {
          const later = event.previous.filter((one) => one.version >= version)
          return [{ old, newest: later.reduce((value, { up }) => up(value), old) }]
        } catch {
          return []
        }
      })
    ),
    Effect.orElseSucceed(() => [])
  )
}
