/**
 * Typed values that expire: login codes, sessions, drafts. With Redis all processes share them; without it they
 * live in this process. It is a typed view of Effect's `BackingPersistence`.
 *
 * Unlike the event cache it does not write behind: when `set` succeeds, the value is stored.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { BackingPersistence } from "effect/persistence/Persistence"
import type { Scope } from "effect/Scope"
import type { DataSchema } from "../../event/standard/StandardSchema.ts"
import type { StateError } from "./StateError.ts"
import type { StateOptions, TemporaryState } from "./TemporaryStateMake.ts"

export { StateError, StateInvalid, StateOptionInvalid, StateRefused, StateUnavailable } from "./StateError.ts"
export type { StateOptions, TemporaryState } from "./TemporaryStateMake.ts"

const load = Effect.promise(() => import("./TemporaryStateMake.ts"))

/**
 * Makes the values of one name. Every process that uses the name sees the same values.
 *
 * @example
 * ```ts
 * import { TemporaryState } from "@eduflow/events"
 * import { Effect, Schema } from "effect"
 *
 * const Code = Schema.Struct({ digits: Schema.String, tries: Schema.Finite })
 *
 * export const login = Effect.gen(function*() {
 *   const codes = yield* TemporaryState.make("login-codes", { schema: Code, timeToLive: "10 minutes" })
 *   yield* codes.set("u-1", { digits: "123456", tries: 0 })
 *   return yield* codes.get("u-1")
 * })
 * ```
 */
export const make = <S extends DataSchema>(
  name: string,
  options: StateOptions<S>
): Effect.Effect<TemporaryState<S["Type"]>, StateError, BackingPersistence | Scope> =>
  Effect.flatMap(load, (maker) => maker.make(name, options))

/** States of this process alone: for tests of handlers, and for processes that share no state. */
export const layerMemory: Layer.Layer<BackingPersistence> = Layer.unwrap(Effect.map(load, (maker) => maker.layerMemory))
