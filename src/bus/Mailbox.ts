/**
 * Which delivery may run next. Without order: the oldest. By key: the oldest whose key is free; the
 * events of one key are a lane, one of them at a time, and a lane that waits holds nobody else.
 *
 * A lane exists while it has something to do; a key that is idle costs nothing.
 */
import { MutableList } from "effect"
import * as Population from "./Population.ts"

export interface Mailbox<W> {
  /** Adds a delivery; in a lane it comes after all others of its key. */
  readonly offer: (item: W, key: string | undefined) => void
  /** The next that may run; its key is taken until `done` or `again`. */
  readonly take: () => W | undefined
  /** The first of this key, if nothing of it is taken. */
  readonly takeOf: (key: string | undefined) => W | undefined
  /** Gives the key free. */
  readonly done: (key: string | undefined) => void
  /** Puts a taken one back as the first of its key. */
  readonly again: (item: W, key: string | undefined) => void
  /** Adds it to its lane, behind the last for which `before` does not hold. */
  readonly insert: (item: W, key: string, before: (other: W) => boolean) => void
  /** Takes one out that was not taken; whether it was there. */
  readonly remove: (item: W, key: string) => boolean
  /** Takes all out that were not taken of this key. */
  readonly extract: (key: string) => ReadonlyArray<W>
  /** How many wait behind the one that was taken of this key. */
  readonly behind: (key: string | undefined) => number
  readonly lanes: () => number
  readonly size: () => number
  /** Forgets all that has not been taken and belongs to whatever `gone` says; keys taken stay taken. */
  readonly drop: (gone: (item: W) => boolean) => ReadonlyArray<W>
}

interface Lane<W> {
  readonly key: string
  readonly queue: Array<W>
  taken: boolean
}

export const unordered = <W>(): Mailbox<W> => {
  const ready = MutableList.make<W>()
  const take = (): W | undefined => {
    const item = MutableList.take(ready)
    return item === MutableList.Empty ? undefined : item
  }
  return {
    offer: (item) => MutableList.append(ready, item),
    take,
    takeOf: take,
    done: () => {},
    again: (item) => MutableList.prepend(ready, item),
    insert: (item) => MutableList.append(ready, item),
    remove: () => false,
    extract: () => [],
    behind: () => 0,
    lanes: () => 0,
    size: () => ready.length,
    drop: (gone) => {
      const all = MutableList.takeAll(ready)
      MutableList.appendAll(
        ready,
        all.filter((item) => !gone(item))
      )
      return all.filter(gone)
    }
  }
}

export const keyed = <W>(): Mailbox<W> => {
  let lanes = new Map<string, Lane<W>>()
  const outgrown = Population.makeOutgrown()
  const free = MutableList.make<Lane<W>>()
  const loose = unordered<W>()
  let waiting = 0

  const laneOf = (key: string): Lane<W> => {
    const known = lanes.get(key)
    if (known !== undefined) return known
    if (outgrown(lanes.size)) lanes = new Map(lanes)
    const lane: Lane<W> = { key, queue: [], taken: false }
    lanes.set(key, lane)
    return lane
  }
  const release = (lane: Lane<W>): void => {
    lane.taken = false
    if (lane.queue.length === 0) lanes.delete(lane.key)
    else MutableList.append(free, lane)
  }
  return {
    offer: (item, key) => {
      if (key === undefined) return loose.offer(item, key)
      const lane = laneOf(key)
      lane.queue.push(item)
      waiting++
      if (!lane.taken && lane.queue.length === 1) MutableList.append(free, lane)
    },
    take: () => {
      const first = loose.take()
      if (first !== undefined) return first
      for (;;) {
        const lane = MutableList.take(free)
        if (lane === MutableList.Empty) return undefined
        const item = lane.taken ? undefined : lane.queue.shift()
        if (item === undefined) {
          if (!lane.taken && lanes.get(lane.key) === lane) lanes.delete(lane.key)
          continue
        }
        waiting--
        lane.taken = true
        return item
      }
    },
    takeOf: (key) => {
      if (key === undefined) return loose.take()
      const lane = lanes.get(key)
      const item = lane === undefined || lane.taken ? undefined : lane.queue.shift()
      if (lane === undefined || item === undefined) return undefined
      waiting--
      lane.taken = true
      return item
    },
    done: (key) => {
      const lane = key === undefined ? undefined : lanes.get(key)
      if (lane !== undefined) release(lane)
    },
    again: (item, key) => {
      if (key === undefined) return loose.again(item, key)
      const lane = laneOf(key)
      lane.queue.unshift(item)
      waiting++
      release(lane)
    },
    insert: (item, key, before) => {
      const lane = laneOf(key)
      // From the end, where most come: a lane that is loaded costs no more than its length.
      const at = lane.queue.findLastIndex((other) => !before(other)) + 1
      lane.queue.splice(at, 0, item)
      waiting++
      if (!lane.taken && lane.queue.length === 1) MutableList.append(free, lane)
    },
    remove: (item, key) => {
      const queue = lanes.get(key)?.queue ?? []
      const at = queue.indexOf(item)
      if (at < 0) return false
      queue.splice(at, 1)
      waiting--
      return true
    },
    extract: (key) => {
      const all = lanes.get(key)?.queue.splice(0) ?? []
      waiting -= all.length
      return all
    },
    behind: (key) => (key === undefined ? 0 : (lanes.get(key)?.queue.length ?? 0)),
    lanes: () => lanes.size,
    size: () => waiting + loose.size(),
    drop: (gone) => {
      const dropped = [...loose.drop(gone)]
      for (const lane of lanes.values()) {
        const kept = lane.queue.filter((item) => !gone(item))
        dropped.push(...lane.queue.filter(gone))
        waiting -= lane.queue.length - kept.length
        lane.queue.splice(0, lane.queue.length, ...kept)
        if (kept.length === 0 && !lane.taken) lanes.delete(lane.key)
      }
      return dropped
    }
  }
}
