/**
 * Typed values that are forgotten after a time: codes, sessions, drafts, what a user sees of it. In Redis where
 * there is one, for all processes; else in this one. It is a typed view of Effect's `BackingPersistence`.
 *
 * Unlike the cache of events nothing is written behind: what was set is there when `set` succeeds.
 */
import { Duration, Effect, type Option, Result, Schema } from "effect"
import * as Persistence from "effect/persistence/Persistence"
import * as Contract from "../event/Contract.ts"
import { Fault } from "../event/EventError.ts"
import { CacheError } from "./EventCache.ts"

/** The store does not answer: it is down, slow, or still connecting. */
export class StateUnavailable extends Schema.TaggedClass<StateUnavailable>()("Unavailable", { detail: Schema.String }) {
  readonly isRetryable = true
  get message(): string {
    return `the store does not answer (${this.detail})`
  }
}

/** The store refuses: credentials, permissions, memory, a replica that is read only. */
export class StateRefused extends Schema.TaggedClass<StateRefused>()("Refused", {
  code: Schema.String,
  remedy: Schema.String
}) {
  readonly isRetryable = false
  get message(): string {
    return `the store refuses (${this.code}): ${this.remedy}`
  }
}

/** The value does not fit the schema: what was given to `set`, or what `get` found. */
export class StateInvalid extends Schema.TaggedClass<StateInvalid>()("Invalid", { faults: Schema.Array(Fault) }) {
  readonly isRetryable = false
  get message(): string {
    const faults = this.faults.map(({ expected, path }) => `${path}: ${expected}`).join("; ")
    return `the value does not fit the schema (${faults}): mend it, or remove it and give the state another name`
  }
}

export class StateError extends Schema.TaggedError<StateError>()("StateError", {
  name: Schema.String,
  reason: Schema.Union([StateUnavailable, StateRefused, StateInvalid])
}) {
  get isRetryable(): boolean {
    return this.reason.isRetryable
  }
  override get message(): string {
    return `temporary state "${this.name}": ${this.reason.message}`
  }
}

export interface TemporaryState<A> {
  /** None when it was never set, was removed, or its time is over. */
  readonly get: (key: string) => Effect.Effect<Option.Option<A>, StateError>
  /** Its time begins anew. */
  readonly set: (
    key: string,
    value: A,
    options?: { readonly timeToLive?: Duration.Input }
  ) => Effect.Effect<void, StateError>
  readonly remove: (key: string) => Effect.Effect<void, StateError>
}

export interface StateOptions<S extends Contract.DataSchema> {
  readonly schema: S
  /** How long a value is remembered after it was set; each `set` may say something else. */
  readonly timeToLive: Duration.Input
}

/**
 * The values of one name. Every process that uses the name sees the same ones. Errors: `StateError`.
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
export const make = Effect.fn("TemporaryState.make")(function* <S extends Contract.DataSchema>(
  name: string,
  options: StateOptions<S>
) {
  type A = S["Type"]
  const contract = Contract.make(name, 1, options.schema, [])
  // Apart from the stores of Effect's Persistence, whose values look otherwise.
  const store = yield* (yield* Persistence.BackingPersistence).make(`state/${name}`)

  const failed = (error: Persistence.PersistenceError): StateError => new StateError({ name, reason: reasonOf(error) })
  const invalid = (faults: ReadonlyArray<Fault>): StateError =>
    new StateError({ name, reason: new StateInvalid({ faults }) })

  const time = (input: Duration.Input): Effect.Effect<Duration.Duration, StateError> => {
    const found = Duration.fromInput(input)
    return found._tag === "Some" && Duration.toMillis(found.value) > 0
      ? Effect.succeed(found.value)
      : Effect.fail(invalid([{ path: "timeToLive", expected: 'a time above zero, like "10 minutes"' }]))
  }
  const usual = yield* time(options.timeToLive)

  const state: TemporaryState<A> = {
    get: (key) =>
      Effect.matchEffect(store.get(key), {
        onFailure: (error) => Effect.fail(failed(error)),
        onSuccess: (held) => {
          if (held === undefined) return Effect.succeedNone
          const decoded = contract.decode(1, "value" in held ? held.value : undefined)
          if (Result.isSuccess(decoded)) {
            // The schema of S made it.
            return Effect.succeedSome(decoded.success as A)
          }
          return Effect.fail(invalid("faults" in decoded.failure ? decoded.failure.faults : []))
        }
      }),
    set: (key, value, { timeToLive } = {}) =>
      Effect.suspend(() => {
        const encoded = contract.encode(value)
        if (Result.isFailure(encoded)) return Effect.fail(invalid(encoded.failure.faults))
        return Effect.flatMap(timeToLive === undefined ? Effect.succeed(usual) : time(timeToLive), (ttl) =>
          Effect.mapError(store.set(key, { value: encoded.success }, Duration.isFinite(ttl) ? ttl : undefined), failed)
        )
      }),
    remove: (key) => Effect.mapError(store.remove(key), failed)
  }
  return state
})

const reasonOf = ({ cause, message }: Persistence.PersistenceError): StateError["reason"] => {
  const reason = cause instanceof CacheError ? cause.reason : undefined
  if (reason?._tag === "Refused") return new StateRefused({ code: reason.code, remedy: reason.remedy })
  // What is no answer of Redis is told without the key that the message of Effect quotes.
  return new StateUnavailable({
    detail: reason?._tag === "Unavailable" ? reason.detail : message.replace(/ key .*/, "")
  })
}

/** For tests of handlers that use it, and for processes that share nothing. */
export const layerMemory = Persistence.layerBackingMemory
