/**
 * How much of one key a consumer may hold, in time. Its events run one after the other, so a slow handler keeps those
 * behind them unacknowledged for long: the broker counts that against its consumer timeout, a process that takes over gets
 * them all at once, and other keys have less of the window.
 */

/** The events of one key that are held take no longer than this together. */
const maxSeconds = 300
/** As few events of one key are held however slow they are. */
const fewest = 5

/** Whether these events of one key are too many to be held, as one of them took this long. */
export const isTooLong = (events: number, secondsEach: number): boolean =>
  events > fewest && events * secondsEach > maxSeconds

/** With a faster handler, not even a window full of one key takes too long. */
export const slowSeconds = (prefetch: number): number => maxSeconds / prefetch
