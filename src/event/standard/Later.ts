/**
 * Outcomes that may come later: a Standard Schema may validate asynchronously, and says so by what it returns. Whoever can
 * wait looks for a `Later` among its failures; everybody else has a failure that says that this place cannot.
 */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import { InvalidEvent, type UnknownVersion } from "../EventError.ts"

export type Outcome<A> = Result.Result<A, InvalidEvent | UnknownVersion>

/** What a Standard Schema made of the data of a publish. */
export interface Validated {
  /** What is sent. */
  readonly json: unknown
  /** What handlers get, and what the key is of. */
  readonly output: unknown
}

/** An outcome that is not known yet. */
export class Later extends InvalidEvent {
  /** Never rejects, and is never a `Later`. Its success is of the type that the outcome has. */
  declare readonly wait: Promise<Outcome<unknown>>

  static until(event: string, wait: Promise<Outcome<unknown>>): Later {
    const later = new Later({ event, faults: [{ path: "data", expected: cannotWait }] })
    // Not a field of the error, which is logged and encoded.
    return Object.defineProperty(later, "wait", { value: wait })
  }
}

const cannotWait =
  "the contract validates asynchronously, and here data is read at once: use a schema that validates synchronously"

/** The outcome that is not known yet; undefined if it is known. */
export const waiting = <A>(outcome: Outcome<A>): Promise<Outcome<A>> | undefined =>
  Result.isFailure(outcome) && outcome.failure instanceof Later
    ? // `whenKnown` and `of` make outcomes of `A` that wait for an `A`.
      (outcome.failure.wait as Promise<Outcome<A>>)
    : undefined

/** Goes on with the outcome when it is known: now or later. */
export const whenKnown = <A, B>(
  event: string,
  outcome: Outcome<A>,
  next: (known: Outcome<A>) => Outcome<B>
): Outcome<B> => {
  const wait = waiting(outcome)
  return wait === undefined
    ? next(outcome)
    : Result.fail(
        Later.until(
          event,
          wait.then((known) => joined(next(known)))
        )
      )
}

const joined = <A>(outcome: Outcome<A>): Outcome<A> | Promise<Outcome<A>> => waiting(outcome) ?? outcome

/** What a validator returned: at once, or as a Promise. `rejected` makes the outcome of one that rejects. */
export const of = <A, B>(
  event: string,
  returned: A | PromiseLike<A>,
  read: (value: A) => Outcome<B>,
  rejected: () => Outcome<B>
): Outcome<B> =>
  Predicate.isPromiseLike(returned)
    ? Result.fail(Later.until(event, Promise.resolve(returned).then(read).catch(rejected)))
    : read(returned)
