/** Everything that a run leaves to chance, from its seed: no two parts of a run draw from one source. */
import { generator } from "../../src/memory/Faults.ts"

export interface Chance {
  /** 0 up to 1. */
  readonly next: () => number
  /** A whole number from `low` to `high`, both included. */
  readonly int: (low: number, high: number) => number
  readonly one: (probability: number) => boolean
  readonly pick: <A>(items: ReadonlyArray<A>) => A
  /** One of the keys, each as often as its weight says. */
  readonly weighted: <K extends string>(weights: Readonly<Partial<Record<K, number>>>) => K
}

export const make = (seed: number): Chance => {
  const next = generator(seed)
  const int = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1))
  return {
    next,
    int,
    one: (probability) => next() < probability,
    pick: (items) => items[int(0, items.length - 1)]!,
    weighted: <K extends string>(weights: Readonly<Partial<Record<K, number>>>) => {
      const entries = Object.entries(weights) as Array<[K, number]>
      let at = next() * entries.reduce((sum, [, weight]) => sum + weight, 0)
      for (const [key, weight] of entries) {
        at -= weight
        if (at < 0) return key
      }
      return entries[0]![0]
    }
  }
}

/** A number for a text, the same everywhere (FNV-1a). */
export const hash = (text: string): number => {
  let hashed = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hashed = Math.imul(hashed ^ text.charCodeAt(i), 0x01000193)
  return hashed >>> 0
}

/** A source of its own for a purpose: what one part of a run draws changes no other part. */
export const of = (seed: number, ...purpose: ReadonlyArray<string | number>): Chance =>
  make(hash(`${seed}/${purpose.join("/")}`))
