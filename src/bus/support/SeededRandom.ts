/**
 * Random numbers that are the same for the same seed: for injected faults, samples and simulations, where a run has
 * to be repeatable. Everything else draws from Effect's `Random`.
 */

/** A source of numbers from 0 (included) to 1 (excluded). */
export type SeededRandom = () => number

/** mulberry32: fast, with 32 bits of state, and not for secrets. */
export const make = (seed: number): SeededRandom => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
