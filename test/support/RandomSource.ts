/** Random choices that repeat: the same seed gives the same choices, on every machine. */
import * as SeededRandom from "../../src/bus/support/SeededRandom.ts"
import * as TextHash from "../../src/bus/support/TextHash.ts"

export interface RandomSource {
  /** From 0 (included) to 1 (excluded). */
  readonly next: () => number
  /** A whole number from `low` to `high`, both included. */
  readonly int: (low: number, high: number) => number
  /** A whole number from 0 (included) to `bound` (excluded). */
  readonly below: (bound: number) => number
  readonly between: (low: number, high: number) => number
  /** True with this probability. */
  readonly one: (probability: number) => boolean
  readonly pick: <A>(items: ReadonlyArray<A>) => A
  /** One of the keys, each as often as its weight says. */
  readonly weighted: <K extends string>(weights: Readonly<Partial<Record<K, number>>>) => K
  readonly shuffled: <A>(items: ReadonlyArray<A>) => ReadonlyArray<A>
  /** An independent source: drawing from it changes nothing here. */
  readonly fork: (name: string) => RandomSource
}

export const fromSeed = (seed: number): RandomSource => {
  const next = SeededRandom.make(seed)
  const below = (bound: number): number => Math.floor(next() * bound)
  return {
    next,
    below,
    int: (low, high) => low + below(high - low + 1),
    between: (low, high) => low + next() * (high - low),
    one: (probability) => next() < probability,
    pick: (items) => {
      if (items.length === 0) throw new Error("nothing to pick from")
      // Within its bounds; `undefined` may be one of the items.
      return items[below(items.length)] as (typeof items)[number]
    },
    weighted: <K extends string>(weights: Readonly<Partial<Record<K, number>>>) => {
      // The keys of a record are its declared keys.
      const entries = Object.entries(weights) as Array<[K, number]>
      let at = next() * entries.reduce((sum, [, weight]) => sum + weight, 0)
      for (const [key, weight] of entries) {
        at -= weight
        if (at < 0) return key
      }
      return entries[0]![0]
    },
    shuffled: (items) =>
      items
        .map((item) => ({ item, at: next() }))
        .toSorted((a, b) => a.at - b.at)
        .map(({ item }) => item),
    fork: (name) =>
      fromSeed([...name].reduce((hash, letter) => Math.imul(hash ^ letter.charCodeAt(0), 0x01000193), seed))
  }
}

/** A number for a text, the same everywhere. */
export const hash = TextHash.of

/** An independent source for one purpose of a run. */
export const forPurpose = (seed: number, ...purpose: ReadonlyArray<string | number>): RandomSource =>
  fromSeed(hash(`${seed}/${purpose.join("/")}`))
