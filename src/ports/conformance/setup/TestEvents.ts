/** Events of the cases: contracts and names that no other case uses. */
import * as Schema from "effect/Schema"
import * as Event from "../../../event/Event.ts"

let named = 0
/** A name for an event or a subscriber that no other case uses. */
export const fresh = (word = "thing"): string => `suite-${++named}.${word}`

export const Numbered = Schema.Struct({ n: Schema.Finite })
export const numbered = (name = fresh("happened")) => Event.make(name, { version: 1, data: Numbered })
export const keyed = (name = fresh("changed")) =>
  Event.make(name, { version: 1, data: Schema.Struct({ n: Schema.Finite, k: Schema.String }), key: (data) => data.k })

/** The numbers from 0 up to `count`. */
export const upTo = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, n) => n)
export const numbers = (count: number, from = 0) => upTo(count).map((n) => ({ n: from + n }))
