/**
 * Many events in order, pipelined: so many are on their way at once, and the first failure is the end.
 */
import { type Context, Effect, Exit, Stream } from "effect"
import type * as Event from "../event/Event.ts"
import * as BusError from "./BusError.ts"
import type { Confirmed, PublishOptions } from "./PublishOptions.ts"

/** Submits one event and answers how to withdraw it. */
export type Submit = (
  event: Event.Any,
  data: unknown,
  options: PublishOptions,
  context: Context.Context<never>,
  resume: (outcome: Exit.Exit<Confirmed, BusError.PublishError>) => void
) => () => void

/** How many events of one call are on their way at once; the door bounds them all. */
const window = 512

export const pipelined = (submit: Submit) =>
  Effect.fnUntraced(function* <A>(
    event: Event.Event<string, A>,
    items: Iterable<A> | Stream.Stream<A>,
    options: Omit<PublishOptions, "id"> = {}
  ) {
    const context = yield* Effect.context<never>()
    const failures: Array<{ readonly index: number; readonly error: BusError.PublishError }> = []
    const withdrawals = new Map<number, () => void>()
    let confirmed = 0
    let next = 0
    let open = 0
    let wake: (() => void) | undefined

    const submitOne = (data: A): void => {
      const index = next++
      open++
      let ended = false
      const withdraw = submit(event, data, options, context, (exit) => {
        ended = true
        open--
        withdrawals.delete(index)
        if (Exit.isSuccess(exit)) confirmed++
        else failures.push({ index, error: failureOf(exit) })
        wake?.()
      })
      if (!ended) withdrawals.set(index, withdraw)
    }
    const below = (count: number) =>
      Effect.callback<void>((resume) => {
        const check = (): void => {
          if (open >= count) return
          wake = undefined
          resume(Effect.void)
        }
        wake = check
        check()
        return Effect.sync(() => {
          wake = undefined
        })
      })
    // The newest first: each that leaves may let in the one behind it.
    const withdrawAll = Effect.sync(() => {
      for (const withdraw of [...withdrawals.values()].reverse()) withdraw()
    })
    const source = Stream.isStream(items) ? items : Stream.fromIterable(items)
    yield* source.pipe(
      Stream.runForEachWhile((data) => {
        if (failures.length > 0) return Effect.succeed(false)
        submitOne(data)
        return open < window ? Effect.succeed(true) : Effect.as(below(window), true)
      }),
      Effect.andThen(below(1)),
      // Wherever it is interrupted, also while the source has nothing: what was not sent never will be.
      Effect.onExit(() => withdrawAll)
    )
    if (failures.length > 0) return yield* new BusError.PublishAllError({ confirmed, next, failures })
    return confirmed
  })

const failureOf = (exit: Exit.Failure<Confirmed, BusError.PublishError>): BusError.PublishError => {
  const [reason] = exit.cause.reasons
  // `submit` fails with nothing but a PublishError.
  return (reason as { readonly error: BusError.PublishError }).error
}
