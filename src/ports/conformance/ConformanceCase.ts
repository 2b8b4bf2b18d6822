/**
 * One test of a conformance suite: a name, and an effect that fails or dies when the adapter breaks its promise. It
 * runs in any test framework, on the live clock; the caller provides what it needs.
 */
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import * as Arbitrary from "effect/Arbitrary"

export interface ConformanceCase<R> {
  readonly name: string
  readonly test: Effect.Effect<void, unknown, R>
}

export const make = <R>(name: string, test: () => Effect.Effect<unknown, unknown, R>): ConformanceCase<R> => ({
  name,
  test: Effect.asVoid(Effect.suspend(test))
})

/** A case over values of a schema: it dies with the smallest value that breaks the promise. */
export const property = <A, R>(
  name: string,
  schema: Schema.Schema<A>,
  runs: number,
  test: (value: A) => Effect.Effect<unknown, unknown, R>
): ConformanceCase<R> =>
  make(name, () =>
    Effect.flatMap(
      Arbitrary.checkEffect(
        Arbitrary.schema(schema),
        (value) =>
          Effect.as(
            Effect.catchCause(
              Effect.suspend(() => test(value)),
              Effect.fail
            ),
            true
          ),
        { runs }
      ),
      (result) => {
        const failure = Arbitrary.formatCheckFailure(result)
        return failure === undefined ? Effect.void : Effect.die(new Error(failure))
      }
    )
  )
