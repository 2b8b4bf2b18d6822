/**
 * Makes temporary states over Effect's `BackingPersistence`.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Persistence from "effect/persistence/Persistence"
import * as DataCodec from "../../event/DataCodec.ts"
import type { DataSchema } from "../../event/standard/StandardSchema.ts"
import type { Fault } from "../../event/EventError.ts"
import * as Kinds from "../../event/options/OptionKinds.ts"
import { CacheError } from "../port/CacheError.ts"
import { StateError, StateInvalid, StateOptionInvalid, StateRefused, StateUnavailable } from "./StateError.ts"

export interface TemporaryState<A> {
  /** None if the value was never set, was removed or has expired. */
  readonly get: (key: string) => Effect.Effect<Option.Option<A>, StateError>
  /** Stores a value and starts its time to live again. */
  readonly set: (
    key: string,
    value: A,
    options?: { readonly timeToLive?: Duration.Input }
  ) => Effect.Effect<void, StateError>
  readonly remove: (key: string) => Effect.Effect<void, StateError>
}

export interface StateOptions<S extends DataSchema> {
  readonly schema: S
  /** How long a value lives after it was set. A `set` can override it. */
  readonly timeToLive: Duration.Input
}

const setKinds: Kinds.Kinds = { timeToLive: Kinds.time }
const makeKinds: Kinds.Kinds = {
  schema: Kinds.required({
    expected: "a schema of effect 4",
    holds: (value) => Predicate.hasProperty(value, "~effect/Schema/Schema")
  }),
  timeToLive: Kinds.required(Kinds.time)
} satisfies Kinds.KindsOf<StateOptions<DataSchema>>

export const make = Effect.fn("TemporaryState.make")(function* <S extends DataSchema>(
  name: string,
  options: StateOptions<S>
) {
  type A = S["Type"]
  const optionFault = (given: unknown, kinds: Kinds.Kinds): StateError | undefined => {
    const fault = Kinds.faultOf(given, kinds)
    return fault === undefined ? undefined : new StateError({ name, reason: new StateOptionInvalid(fault) })
  }
  const wrong = optionFault(options, makeKinds)
  if (wrong !== undefined) return yield* wrong
  const contract = DataCodec.make(name, 1, options.schema, [])
  // A name of its own: values in the stores of Effect's Persistence have another form.
  const store = yield* (yield* Persistence.BackingPersistence).make(`state/${name}`)

  const failed = (error: Persistence.PersistenceError): StateError => new StateError({ name, reason: reasonOf(error) })
  const invalid = (faults: ReadonlyArray<Fault>): StateError =>
    new StateError({ name, reason: new StateInvalid({ faults }) })

  const timeToLive = Duration.fromInputUnsafe(options.timeToLive)

  const state: TemporaryState<A> = {
    get: (key) =>
      Effect.matchEffect(store.get(key), {
        onFailure: (error) => Effect.fail(failed(error)),
        onSuccess: (stored) => {
          if (stored === undefined) return Effect.succeedNone
          const decoded = contract.decode(1, "value" in stored ? stored.value : undefined)
          if (Result.isSuccess(decoded)) {
            // The schema S has decoded it.
            return Effect.succeedSome(decoded.success as A)
          }
          return Effect.fail(invalid("faults" in decoded.failure ? decoded.failure.faults : []))
        }
      }),
    set: (key, value, options) =>
      Effect.suspend(() => {
        const badOption = options === undefined ? undefined : optionFault(options, setKinds)
        if (badOption !== undefined) return Effect.fail(badOption)
        const encoded = contract.encode(value)
        if (Result.isFailure(encoded)) return Effect.fail(invalid(encoded.failure.faults))
        const own = options?.timeToLive
        const ttl = own === undefined ? timeToLive : Duration.fromInputUnsafe(own)
        return Effect.mapError(
          store.set(key, { value: encoded.success }, Duration.isFinite(ttl) ? ttl : undefined),
          failed
        )
      }),
    remove: (key) => Effect.mapError(store.remove(key), failed)
  }
  return state
})

const reasonOf = ({ cause, message }: Persistence.PersistenceError): StateError["reason"] => {
  const reason = cause instanceof CacheError ? cause.reason : undefined
  if (reason?._tag === "Refused") return new StateRefused({ code: reason.code, remedy: reason.remedy })
  // Effect's message quotes the key, which may be secret.
  return new StateUnavailable({
    detail: reason?._tag === "Unavailable" ? reason.detail : message.replace(/ key .*/, "")
  })
}

/** The stores of this process. */
export const layerMemory = Persistence.layerBackingMemory
