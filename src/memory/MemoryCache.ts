/**
 * `CacheStore` in the memory of the process: what Redis remembers, without Redis. The same order, the
 * same caps and times to live, on Effect's Clock; gone with its layer, and unknown to other processes.
 *
 * Bounded: beyond 10,000 keys or 64 MiB what was not written for the longest time is forgotten.
 */
import { Clock, Effect, Layer, Option } from "effect"
import {
  type CacheEntry,
  type CacheStore,
  compare,
  historyCap,
  isWithin,
  maxHistory,
  orderOf,
  type Remembered
} from "../bus/CacheStore.ts"
import { EventCache } from "../bus/EventCache.ts"
import * as Population from "../bus/Population.ts"

export interface MemoryCacheOptions {
  /** Last known events and histories, each counted once. Default 10,000. */
  readonly maxKeys?: number
  /** Bytes of all bodies. Default 64 MiB. */
  readonly maxBytes?: number
}

interface Slot {
  /** The last known event, or a history, oldest first. */
  readonly events: Array<Remembered>
  readonly expires: number
  readonly bytes: number
}

export const make = (options: MemoryCacheOptions = {}): Effect.Effect<CacheStore> =>
  Effect.map(Clock.Clock, (clock) => {
    const now = (): number => clock.currentTimeMillisUnsafe()
    const shelf = makeShelf(options.maxKeys ?? 10_000, options.maxBytes ?? 64 * 1024 * 1024)
    const alive = (name: string): Slot | undefined => {
      const slot = shelf.get(name)
      if (slot === undefined || slot.expires > now()) return slot
      shelf.remove(name)
      return undefined
    }
    const replace = (name: string, one: Remembered, ttl: number): void => {
      const held = alive(name)?.events[0]
      if (held !== undefined && compare(one, held) <= 0) return
      const expires = now() + ttl
      if (expires > now()) shelf.put(name, { events: [one], expires, bytes: one.body.length })
    }
    const insert = (name: string, one: Remembered, cap: number): void => {
      const held = shelf.get(name)
      const events = held?.events ?? []
      if (!place(events, one)) return
      const gone = events.splice(0, Math.max(0, events.length - cap))
      const bytes = (held?.bytes ?? 0) + one.body.length - gone.reduce((sum, { body }) => sum + body.length, 0)
      shelf.put(name, { events, expires: Number.POSITIVE_INFINITY, bytes })
    }
    const write = ({ body, event, id, key, settings, time }: CacheEntry): void => {
      const one = { time: orderOf(time, now()), id, body }
      if (settings.last !== false) replace(nameOf("last", event, key), one, settings.ttl ?? Number.POSITIVE_INFINITY)
      const cap = historyCap(settings)
      if (cap === 0) return
      insert(nameOf("history", event, undefined), one, cap)
      if (settings.perKey === true) insert(nameOf("history", event, key), one, cap)
    }
    const last = (event: string, key: string): Remembered | undefined => alive(nameOf("last", event, key))?.events[0]
    return {
      write,
      last: (event, key) => Effect.sync(() => Option.fromUndefinedOr(last(event, key))),
      lastMany: (event, keys) => Effect.sync(() => keys.map((key) => last(event, key))),
      history: (event, range) =>
        Effect.sync(() => {
          const count = Math.min(Math.floor(range.limit), maxHistory)
          const events = shelf.get(nameOf("history", event, range.key))?.events ?? []
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

export const layerWith = (options: MemoryCacheOptions): Layer.Layer<EventCache> =>
  Layer.effect(EventCache, Effect.map(make(options), EventCache.fromStore))

export const layer: Layer.Layer<EventCache> = layerWith({})

// The length keeps an event's name and a key apart, whatever is in them.
const nameOf = (kind: "last" | "history", event: string, key: string | undefined): string =>
  key === undefined ? `${kind}:${event}` : `${kind}:${event.length}:${event}${key}`

/** Where it belongs in the order, which is nearly always the end; false when it is there already. */
const place = (events: Array<Remembered>, one: Remembered): boolean => {
  let at = events.length
  for (; at > 0; at--) {
    const held = events[at - 1]
    if (held === undefined) continue
    const order = compare(one, held)
    if (order > 0) break
    if (order === 0 && held.body.equals(one.body)) return false
  }
  events.splice(at, 0, one)
  return true
}

/** A map bounded by keys and bytes; writing moves a key to the end, and the beginning is forgotten first. */
const makeShelf = (maxKeys: number, maxBytes: number) => {
  let slots = new Map<string, Slot>()
  let bytes = 0
  const outgrown = Population.makeOutgrown()
  const remove = (name: string): void => {
    const slot = slots.get(name)
    if (slot === undefined) return
    bytes -= slot.bytes
    slots.delete(name)
  }
  return {
    get: (name: string): Slot | undefined => slots.get(name),
    size: (): number => slots.size,
    remove,
    put: (name: string, slot: Slot): void => {
      remove(name)
      // A key that moves to the end again and again fills the table, too.
      if (outgrown(slots.size)) slots = new Map(slots)
      slots.set(name, slot)
      bytes += slot.bytes
      if (slots.size <= maxKeys && bytes <= maxBytes) return
      for (const oldest of slots.keys()) {
        if (slots.size <= maxKeys && bytes <= maxBytes) break
        remove(oldest)
      }
    }
  }
}
