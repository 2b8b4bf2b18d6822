/**
 * What the active process knows of the keys of its subscriber that are parked: which of their events are
 * here, which copies are on their way, and which deliveries stand behind them. It decides nothing.
 */
import { sizeOf } from "../event/Body.ts"
import type { Work } from "./Work.ts"

export interface ParkedKey {
  readonly key: string
  /** Deliveries of the parked queue, by event id. */
  readonly here: Map<string, Work>
  /** Copies on their way to the parked queue and back to us, by event id. */
  readonly expected: Map<string, OnItsWay>
  /** Deliveries of the subscriber's own queue, which come after all of these. */
  readonly followers: Array<Work>
  /** The last position that was given. */
  last: number
  /** Event id of the head while its copy is on its way; its lane is taken until it is back. */
  away: string | undefined
  /** Whether nobody but the arrival of that copy will free the lane. */
  moved: boolean
  /** The head waits for its time. */
  blocked: boolean
  /** Something of it is being moved. */
  shipping: boolean
  /** The head may run before its time. */
  released: boolean
}

export interface OnItsWay {
  readonly bytes: number
  /** Whether the broker has confirmed it. */
  stored: boolean
}

/** At most so much is parked of one subscriber; all of it is held by the process that is active. */
const most = { count: 10_000, bytes: 32 * 1024 * 1024 }
/** What a consumer of all of it may be given at once. */
export const prefetch = 2 * most.count

export const make = () => {
  const keys = new Map<string, ParkedKey>()
  let count = 0
  let bytes = 0
  const add = (size: number): void => {
    count++
    bytes += size
  }
  const remove = (size: number): void => {
    count--
    bytes -= size
  }

  return {
    get: (key: string): ParkedKey | undefined => keys.get(key),
    all: (): ReadonlyArray<ParkedKey> => [...keys.values()],
    size: (): number => keys.size,
    /** Events that are parked, as far as is known here. */
    count: (): number => count,
    begin: (key: string): ParkedKey => {
      const known = keys.get(key)
      if (known !== undefined) return known
      const state: ParkedKey = {
        key,
        here: new Map(),
        expected: new Map(),
        followers: [],
        last: 0,
        away: undefined,
        moved: false,
        blocked: false,
        shipping: false,
        released: false
      }
      keys.set(key, state)
      return state
    },
    end: (state: ParkedKey): void => {
      keys.delete(state.key)
    },
    hasRoom: (more: number, size: number): boolean => count + more <= most.count && bytes + size <= most.bytes,
    expect: (state: ParkedKey, work: Work): void => {
      if (state.expected.has(work.event.id)) return
      state.expected.set(work.event.id, { bytes: sizeOf(work.delivery.body), stored: false })
      add(sizeOf(work.delivery.body))
    },
    unexpect: (state: ParkedKey, id: string): void => {
      const found = state.expected.get(id)
      if (found !== undefined && state.expected.delete(id)) remove(found.bytes)
    },
    arrived: (state: ParkedKey, work: Work): void => {
      const before = state.here.get(work.event.id)
      if (before !== undefined) remove(sizeOf(before.delivery.body))
      state.here.set(work.event.id, work)
      add(sizeOf(work.delivery.body))
    },
    /** False when another delivery stands for it now. */
    left: (state: ParkedKey, work: Work): boolean => {
      if (state.here.get(work.event.id) !== work) return false
      state.here.delete(work.event.id)
      remove(sizeOf(work.delivery.body))
      return true
    },
    clear: (): void => {
      // Whoever still has one of them must not change the sums.
      for (const { expected, here } of keys.values()) {
        expected.clear()
        here.clear()
      }
      keys.clear()
      count = 0
      bytes = 0
    }
  }
}

export type ParkedKeys = ReturnType<typeof make>
