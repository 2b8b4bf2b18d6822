/** Keys, names and requests for the cases of stores. */
import { Effect, Schema } from "effect"
import * as Persistable from "effect/persistence/Persistable"

export class Squared extends Persistable.Class<{ payload: { readonly n: number } }>()("Squared", {
  primaryKey: ({ n }) => `n/${n}}:{`,
  success: Schema.Struct({ square: Schema.Finite, at: Schema.Date }),
  error: Schema.String
}) {}

export const oddKeys = [
  "",
  "a:b",
  "{a}",
  "}state",
  "a/b",
  "%",
  "line\nbreak",
  "snow ☃ 🎓",
  "\ud800 half",
  "*",
  "k".repeat(255)
]
export const at = new Date(0)

let named = 0
export const fresh = (): string => `suite-${process.pid}-${++named}`
export const until = <E, R>(condition: Effect.Effect<boolean, E, R>) =>
  Effect.repeat(Effect.andThen(Effect.sleep(5), condition), { until: (met) => met }).pipe(Effect.timeout("2 minutes"))
