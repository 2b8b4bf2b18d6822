/** Chance that is the same for the same seed. */
export interface Chance {
  /** From 0 up to, but not, 1. */
  readonly next: () => number
  /** From 0 up to, but not, `bound`. */
  readonly below: (bound: number) => number
  readonly between: (low: number, high: number) => number
  readonly pick: <A>(from: ReadonlyArray<A>) => A
  readonly shuffled: <A>(from: ReadonlyArray<A>) => ReadonlyArray<A>
  /** Of its own: what is drawn there changes nothing here. */
  readonly fork: (name: string) => Chance
}

/** mulberry32. */
export const chance = (seed: number): Chance => {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  const below = (bound: number): number => Math.floor(next() * bound)
  return {
    next,
    below,
    between: (low, high) => low + next() * (high - low),
    pick: (from) => {
      if (from.length === 0) throw new Error("nothing to pick from")
      // Within its bounds; `undefined` may be one of the items.
      return from[below(from.length)] as (typeof from)[number]
    },
    shuffled: (from) =>
      from
        .map((item) => ({ item, at: next() }))
        .toSorted((a, b) => a.at - b.at)
        .map(({ item }) => item),
    fork: (name) => chance([...name].reduce((hash, letter) => Math.imul(hash ^ letter.charCodeAt(0), 0x01000193), seed))
  }
}
