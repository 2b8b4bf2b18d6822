/**
 * Proves upcasters: values that the schema of an older version generates are written and read as on the wire, go up, and
 * have to be what the next version accepts, writes and reads again. What fails is made as small as it can be.
 */
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { PreviousVersion } from "../event/DataCodec.ts"
import type * as Event from "../event/Event.ts"
import type { AnySchema } from "../event/standard/StandardSchema.ts"
import * as Finding from "./Finding.ts"
import * as Snapshot from "./Snapshot.ts"
import * as WireData from "./WireData.ts"

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

const proveOne = (event: string, old: PreviousVersion, next: AnySchema, to: number) =>
  Effect.gen(function* () {
    const place = { event, version: old.version }
    const wire = WireData.of(old.data)
    const values = wire.values()
    if (Result.isFailure(values))
      return [Finding.make("upcaster-unproven", { ...place, after: `no values can be generated: ${values.failure}` })]
    const hop = hopOf(wire, old, next, to)
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
    const json = wire.encode(result.shrunkInput)
    const example = Result.isSuccess(json) ? JSON.stringify(json.success) : "data"
    return [Finding.make("upcaster-fails", { ...place, after: `${example} ${result.failure.error}` })]
  })

/** Why a value does not get to the next version; undefined if it does. */
const hopOf = (wire: WireData.WireData, { up }: PreviousVersion, next: AnySchema, to: number) => {
  const { decode, encode } = WireData.of(next)
  return (value: unknown): string | undefined => {
    const written = wire.encode(value)
    // What cannot be published is never read.
    if (Result.isFailure(written)) return undefined
    const read = wire.decode(JSON.parse(JSON.stringify(written.success)))
    if (Result.isFailure(read)) return undefined
    let upcast: unknown
    try {
      upcast = up(read.success)
    } catch (error) {
      return `makes the upcaster throw: ${error instanceof Error ? error.message : String(error)}`
    }
    const encoded = encode(upcast)
    if (Result.isFailure(encoded)) return `becomes what version ${to} refuses: ${encoded.failure}`
    const again = decode(JSON.parse(JSON.stringify(encoded.success)))
    return Result.isFailure(again) ? `becomes what version ${to} writes and does not read: ${again.failure}` : undefined
  }
}

/** Values of a version, brought up to the newest one; those that do not get there are left out. */
export const samples = (
  event: Event.Any,
  version: number
): Effect.Effect<ReadonlyArray<{ readonly old: unknown; readonly newest: unknown }>> => {
  const from = Snapshot.versionsOf(event).find((one) => one.version === version)
  if (from === undefined) return Effect.succeed([])
  const wire = WireData.of(from.data)
  const values = wire.values()
  if (Result.isFailure(values)) return Effect.succeed([])
  return Arbitrary.sampleEffect(values.success, { count: 20, seed: `${event.name}/${version}` }).pipe(
    Effect.map((found) =>
      found.flatMap((value) => {
        const written = wire.encode(value)
        if (Result.isFailure(written)) return []
        const json: unknown = JSON.parse(JSON.stringify(written.success))
        const [old, newest] = [wire.decode(json), event.dataCodec.decode(version, json)]
        return Result.isSuccess(old) && Result.isSuccess(newest) ? [{ old: old.success, newest: newest.success }] : []
      })
    ),
    Effect.orElseSucceed(() => [])
  )
}
