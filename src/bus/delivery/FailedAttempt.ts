/**
 * How an attempt ended that did not handle its event, in the three ways that the failure policy tells apart.
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Diagnosis from "../send/Diagnosis.ts"
import * as HandlerError from "../subscriber/HandlerError.ts"

export type FailedAttempt =
  | { readonly _tag: "Failed"; readonly error: unknown }
  | { readonly _tag: "Rejected"; readonly error: HandlerError.Reject }
  | { readonly _tag: "Later"; readonly error: HandlerError.Later }

/** In one Cause, `Reject` takes precedence over `Later`, and `Later` over every other error. */
export const of = (exit: Exit.Exit<unknown, unknown>): FailedAttempt => {
  const reasons = Exit.isFailure(exit) ? exit.cause.reasons : []
  let later: HandlerError.Later | undefined
  let error: { readonly value: unknown } | undefined
  for (const reason of reasons) {
    if (Cause.isFailReason(reason)) {
      const known = rejectOrLater(reason.error)
      if (known?._tag === "Reject") return { _tag: "Rejected", error: known }
      // Callers without types may give it any time.
      const fault = known?._tag === "Later" ? HandlerError.laterFault(known) : undefined
      if (fault !== undefined) error ??= { value: fault }
      else if (known?._tag === "Later") later = known
      else error ??= { value: reason.error }
    } else if (Cause.isDieReason(reason)) {
      error ??= { value: new HandlerError.HandlerDefect({ cause: reason.defect }) }
    }
  }
  if (later !== undefined) return { _tag: "Later", error: later }
  return {
    _tag: "Failed",
    error:
      error === undefined
        ? new HandlerError.HandlerDefect({ cause: new Error("the handler interrupted itself") })
        : error.value
  }
}

/** `instanceof` runs code of a foreign object when it is a proxy, and that may throw. */
const rejectOrLater = (error: unknown): HandlerError.Reject | HandlerError.Later | undefined =>
  Diagnosis.tryRead(
    () => (error instanceof HandlerError.Reject || error instanceof HandlerError.Later ? error : undefined),
    undefined
  )
