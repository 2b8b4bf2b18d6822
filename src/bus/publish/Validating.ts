/** A publish whose contract validates with a Standard Schema: at once, or before it is submitted. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import type * as Duration from "effect/Duration"
import type { InvalidEvent, UnknownVersion } from "../../event/EventError.ts"
import { millisOf } from "../../event/options/OptionNames.ts"
import type * as Later from "../../event/standard/Later.ts"
import * as Validation from "../support/Validation.ts"
import type { Publication } from "./Publication.ts"

/** What is sent, or why nothing is. */
export type Encoded = Result.Result<unknown, InvalidEvent | UnknownVersion>

/** Data that was validated: what handlers will get, and what is sent. */
export interface Given {
  readonly output: unknown
  readonly encoded: Encoded
}

export const givenOf = (known: Later.Outcome<Later.Validated>): Given => ({
  output: Result.isSuccess(known) ? known.success.output : undefined,
  encoded: Result.map(known, ({ json }) => json)
})

/** How long its validator may take: as long as the publish may. */
export const timeoutOf = (timeout: Duration.Input | undefined, otherwise: number): number => {
  const millis = timeout === undefined ? otherwise : millisOf(timeout)
  // What is wrong with the option is said when it is submitted.
  return millis > 0 ? millis : otherwise
}

/** A publish that waits for its validator, then for its outcome. */
export class Validating {
  private readonly fiber: Fiber.Fiber<void>
  private publication: { readonly interrupt: () => void } | undefined

  constructor(
    event: string,
    outcome: Later.Outcome<Later.Validated>,
    millis: number,
    context: Context.Context<never>,
    submit: (given: Given) => Publication | undefined
  ) {
    this.fiber = Effect.runForkWith(context)(
      Effect.map(Validation.settled(event, outcome, millis), (known) => {
        this.publication = submit(givenOf(known))
      })
    )
  }

  /** Its caller does not wait any more: see `Publication`. */
  interrupt(): void {
    if (this.publication === undefined) this.fiber.interruptUnsafe()
    else this.publication.interrupt()
  }
}
