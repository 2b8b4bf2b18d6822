/**
 * Events that expire: from their `expiryTime` on no handler starts with them, and each subscriber that did not handle them by
 * then has them as dead letters. The wall clock decides, since the time comes from another machine, and without a tolerance: a
 * publisher that expects clocks to differ gives a longer time.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Diagnosis from "../send/Diagnosis.ts"
import { Reject } from "../subscriber/HandlerError.ts"
import type { Work } from "./Work.ts"

/** `now` is wall time in milliseconds. */
export const isOver = (expiryTime: Date | undefined, now: number): boolean =>
  expiryTime !== undefined && expiryTime.getTime() <= now

/** The end of an attempt whose handler did not begin. As a `Reject` it says nothing to a breaker. */
export const unstarted = (): Reject => new Reject({ reason: "it expired before its handler began" })

/** Instead of its handler, for an event that has expired. */
export const refuse = (work: Work): Effect.Effect<never, Reject> => {
  work.hasExpired = true
  return Effect.fail(unstarted())
}

/** Why no handler started: it was late by so much. */
export const failure = ({ event: { expiryTime } }: Work, now: number): Diagnosis.Failure => {
  const late = expiryTime === undefined ? 0 : now - expiryTime.getTime()
  return {
    tag: "Expired",
    message: `it expired at ${textOf(expiryTime)}, ${Duration.format(Duration.millis(Math.max(0, late)))} before its turn came`
  }
}

/** Why no attempt follows at `next`, in milliseconds since the epoch; undefined if one may. */
export const failureAt = ({ event: { expiryTime } }: Work, next: number): Diagnosis.Failure | undefined =>
  expiryTime === undefined || next < expiryTime.getTime()
    ? undefined
    : {
        tag: "Expired",
        message: `it expires at ${textOf(expiryTime)}, and its next attempt would start at ${new Date(next).toISOString()}`
      }

const textOf = (time: Date | undefined): string => time?.toISOString() ?? "?"
