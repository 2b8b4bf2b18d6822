/**
 * Times in alert rules. A scale makes all of them shorter at once, so that a test can see the same rules
 * fire within seconds.
 */
import { Duration } from "effect"
import { literal, type Literal } from "./Query.ts"

export interface Spans {
  /** For `for`. */
  readonly text: (span: Duration.Input) => string
  /** A window: `[5m]`. */
  readonly window: (span: Duration.Input) => Literal
  readonly ago: (span: Duration.Input) => Literal
  /** What a metric in seconds is compared with. */
  readonly seconds: (span: Duration.Input) => number
}

const units = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1]
] as const

/** The biggest unit that leaves no rest. */
const inWords = (millis: number): string => {
  const [unit, size] = units.find(([, size]) => millis % size === 0) ?? ["ms", 1]
  return `${Math.round(millis / size)}${unit}`
}

export const spans = (scale = 1): Spans => {
  const millis = (span: Duration.Input): number => Math.round(Duration.toMillis(Duration.fromInputUnsafe(span)) * scale)
  const text = (span: Duration.Input): string => inWords(millis(span))
  return {
    text,
    window: (span) => literal(`[${text(span)}]`),
    ago: (span) => literal(`offset ${text(span)}`),
    seconds: (span) => millis(span) / 1000
  }
}
