/**
 * Durations in alert rules. A scale shortens all of them at once, so that the same rules fire within seconds in a test.
 */
import { Duration } from "effect"
import { literal, type Literal } from "./Query.ts"

export interface ScaledDurations {
  /** A duration such as `5m`, for `for`. */
  readonly text: (span: Duration.Input) => string
  /** A window such as `[5m]`. */
  readonly window: (span: Duration.Input) => Literal
  /** An offset such as `offset 5m`. */
  readonly ago: (span: Duration.Input) => Literal
  /** A threshold for a metric in seconds. */
  readonly seconds: (span: Duration.Input) => number
}

const units = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1]
] as const

/** In the largest unit that divides it without a remainder. */
const inWords = (millis: number): string => {
  const [unit, size] = units.find(([, size]) => millis % size === 0) ?? ["ms", 1]
  return `${Math.round(millis / size)}${unit}`
}

export const scaledDurations = (scale = 1): ScaledDurations => {
  const millis = (span: Duration.Input): number => Math.round(Duration.toMillis(Duration.fromInputUnsafe(span)) * scale)
  const text = (span: Duration.Input): string => inWords(millis(span))
  return {
    text,
    window: (span) => literal(`[${text(span)}]`),
    ago: (span) => literal(`offset ${text(span)}`),
    seconds: (span) => millis(span) / 1000
  }
}
