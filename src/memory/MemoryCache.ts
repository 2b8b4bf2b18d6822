/**
 * `CacheStore` in the memory of the process: the same order, caps and times to live as in Redis, on Effect's Clock. It is
 * gone with its layer, and unknown to other processes.
 *
 * Bounded: beyond 10,000 keys or 64 MiB the keys that were not written for the longest time are forgotten.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Monotonic from "../observe/Monotonic.ts"
import { compare, historyCap, isWithin, maxHistory, orderOf } from "../bus/port/CacheOrder.ts"
import { type CacheEntry, CacheStore, type Remembered } from "../bus/port/CacheStore.ts"
import { type Body, isSame, sizeOf } from "../event/Body.ts"

export interface MemoryCacheOptions {
  /** Last known events and histories, each counted once. Default 10,000. */
  readonly maxKeys?: number
  /** Bytes of all bodies. Default 64 MiB. */
  readonly maxBytes?: number
}

export const make = (options: MemoryCacheOptions = {}): Effect.Effect<CacheStore["Service"]> =>
  Effect.map(Clock.Clock, (clock) => {
    const now = Monotonic.of(clock)
    const shelf = makeShelf(options.maxKeys ?? 10_000, options.maxBytes ?? 64 * 1024 * 1024)
    const lasts = new Map<string, Slots>()
    const histories = new Map<string, Slots>()
    const alive = (event: string, key: string): Slot | undefined => {
      const slot = lasts.get(event)?.get(key)
      if (slot === undefined || slot.expires > now()) return slot
      shelf.remove(slot)
      return undefined
    }
    const replace = (event: string, key: string, one: Kept, ttl: number): void => {
      const slot = alive(event, key)
      const held = slot?.events[0]
      if (held !== undefined && compare(one, held) <= 0) return
      const expires = now() + ttl
      if (!(expires > now())) return
      const into = slot ?? shelf.add(of(lasts, event), key)
      into.events[0] = one
      into.expires = expires
      shelf.touch(into, one.bytes)
    }
    const insert = (event: string, key: string | undefined, one: Kept, cap: number): void => {
      const slots = of(histories, event)
      const into = slots.get(key) ?? shelf.add(slots, key)
      const { events } = into
      if (!place(events, one)) return
      let bytes = into.bytes + one.bytes
      while (events.length > cap) bytes -= events.shift()?.bytes ?? 0
      shelf.touch(into, bytes)
    }
    const write = ({ body, event, id, key, settings, time }: CacheEntry): void => {
      const one = new Kept(orderOf(time, clock.currentTimeMillisUnsafe()), id, body)
      if (settings.last !== false) replace(event, key, one, settings.timeToLiveMillis ?? Number.POSITIVE_INFINITY)
      const cap = historyCap(settings)
      if (cap === 0) return
      insert(event, undefined, one, cap)
      if (settings.perKey === true) insert(event, key, one, cap)
    }
    const last = (event: string, key: string): Remembered | undefined => alive(event, key)?.events[0]
    return {
      write,
      last: (event, key) => Effect.sync(() => Option.fromUndefinedOr(last(event, key))),
      lastMany: (event, keys) => Effect.sync(() => keys.map((key) => last(event, key))),
      history: (event, range) =>
        Effect.sync(() => {
          const count = Math.min(Math.floor(range.limit), maxHistory)
          const events = histories.get(event)?.get(range.key)?.events ?? []
          const found: Array<Remembered> = []
          for (let i = events.length - 1; i >= 0 && found.length < count; i--) {
            const one = events[i]
            if (one !== undefined && isWithin(one, range)) found.push(one)
          }
          return found
        }),
      probe: Effect.sync(() => ({ status: "up", detail: `in memory: ${shelf.size()} keys` }))
    }
  })

export const layerWith = (options: MemoryCacheOptions): Layer.Layer<CacheStore> =>
  Layer.effect(CacheStore, make(options))

export const layer: Layer.Layer<CacheStore> = layerWith({})

/** Inserts it in order, which is nearly always at the end. Returns false when it is there already. */
const place = (events: Array<Kept>, one: Kept): boolean => {
  let at = events.length
  for (; at > 0; at--) {
    const held = events[at - 1]
    if (held === undefined) continue
    const order = compare(one, held)
    if (order > 0) break
    if (order === 0 && isSame(held.body, one.body)) return false
  }
  if (at === events.length) events.push(one)
  else events.splice(at, 0, one)
  return true
}

class Kept implements Remembered {
  readonly time: number
  readonly id: string
  readonly body: Body
  readonly bytes: number

  constructor(time: number, id: string, body: Body) {
    this.time = time
    this.id = id
    this.body = body
    this.bytes = sizeOf(body)
  }
}

/** By key; the history over all keys has none. There is one of these for each contract. */
type Slots = Map<string | undefined, Slot>

const of = (all: Map<string, Slots>, event: string): Slots => {
  let slots = all.get(event)
  if (slots === undefined) all.set(event, (slots = new Map()))
  return slots
}

/** One entry of the list of all slots, in the order of their last writes. */
class Slot {
  /** The last known event, or a history, oldest first. */
  readonly events: Array<Kept> = []
  expires = Number.POSITIVE_INFINITY
  bytes = 0
  before: Slot | undefined
  after: Slot | undefined
  readonly slots: Slots
  readonly key: string | undefined

  constructor(slots: Slots, key: string | undefined) {
    this.slots = slots
    this.key = key
  }
}

/**
 * All slots, bounded in number and bytes: a write moves its slot to the end, and the first is forgotten first. A linked
 * list, because moving an entry of a map to its end costs more than all the rest of a write.
 */
const makeShelf = (maxKeys: number, maxBytes: number) => {
  let first: Slot | undefined
  let last: Slot | undefined
  let size = 0
  let bytes = 0
  const unlink = (slot: Slot): void => {
    if (slot.before === undefined) first = slot.after
    else slot.before.after = slot.after
    if (slot.after === undefined) last = slot.before
    else slot.after.before = slot.before
    slot.before = slot.after = undefined
  }
  const link = (slot: Slot): void => {
    slot.before = last
    if (last === undefined) first = slot
    else last.after = slot
    last = slot
  }
  const remove = (slot: Slot): void => {
    unlink(slot)
    slot.slots.delete(slot.key)
    bytes -= slot.bytes
    size--
  }
  return {
    size: (): number => size,
    remove,
    add: (slots: Slots, key: string | undefined): Slot => {
      const slot = new Slot(slots, key)
      slots.set(key, slot)
      link(slot)
      size++
      return slot
    },
    /** Moves a slot that was written to the end; it has `now` bytes. */
    touch: (slot: Slot, now: number): void => {
      bytes += now - slot.bytes
      slot.bytes = now
      if (slot !== last) {
        unlink(slot)
        link(slot)
      }
      while (first !== undefined && (size > maxKeys || bytes > maxBytes)) remove(first)
    }
  }
}
