/**
 * `CacheStore` in the memory of the process: what Redis remembers, without Redis. The same order, the
 * same caps and times to live, on Effect's Clock; gone with its layer, and unknown to other processes.
 *
 * Bounded: beyond 10,000 keys or 64 MiB what was not written for the longest time is forgotten.
 */
import { Clock, Effect, Layer, Option } from "effect"
import { type CacheEntry, type CacheStore, defaultHistory, EventCache } from "../bus/EventCache.ts"

export interface MemoryCacheOptions {
  /** Last known events and histories, each counted once. Default 10,000. */
  readonly maxKeys?: number
  /** Bytes of all bodies. Default 64 MiB. */
  readonly maxBytes?: number
}

interface Slot {
  /** Last known event: its time and id. */
  readonly time: number
  readonly id: string
  readonly expires: number
  /** One body, or the history, oldest first. */
  readonly bodies: Array<Buffer>
  readonly bytes: number
}

/** How far a time may be ahead of the clock before it counts as now. */
const tolerance = 5_000
const maxHistory = 100_000

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
    const append = (name: string, entry: CacheEntry, cap: number): void => {
      const held = shelf.get(name)
      const bodies = held?.bodies ?? []
      bodies.push(entry.body)
      const gone = bodies.splice(0, Math.max(0, bodies.length - cap))
      const bytes = (held?.bytes ?? 0) + entry.body.length - gone.reduce((sum, body) => sum + body.length, 0)
      shelf.put(name, { time: 0, id: "", expires: Number.POSITIVE_INFINITY, bodies, bytes })
    }
    return {
      write: (entry) => {
        const { event, key, settings } = entry
        if (settings.last !== false) {
          const at = Number.isFinite(entry.time) ? Math.trunc(entry.time) : 0
          const time = at > now() + tolerance ? now() : at
          const name = nameOf("last", event, key)
          const held = alive(name)
          if (held === undefined || isNewer(time, entry.id, held)) {
            const expires = settings.ttl === undefined ? Number.POSITIVE_INFINITY : now() + settings.ttl
            if (expires > now())
              shelf.put(name, { time, id: entry.id, expires, bodies: [entry.body], bytes: entry.body.length })
          }
        }
        const cap = Math.min(Math.floor(settings.history ?? defaultHistory), maxHistory)
        if (!(cap >= 1)) return
        append(nameOf("history", event, undefined), entry, cap)
        if (settings.perKey === true) append(nameOf("history", event, key), entry, cap)
      },
      last: (event, key) => Effect.sync(() => Option.fromUndefinedOr(alive(nameOf("last", event, key))?.bodies[0])),
      history: (event, { key, limit }) =>
        Effect.sync(() => {
          const count = Math.floor(limit)
          if (!(count >= 1)) return []
          return (
            shelf
              .get(nameOf("history", event, key))
              ?.bodies.slice(-count)
              .reverse() ?? []
          )
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

/** Order of events: by time, then by the bytes of the id. */
const isNewer = (time: number, id: string, held: Slot): boolean =>
  time !== held.time ? time > held.time : Buffer.compare(Buffer.from(id), Buffer.from(held.id)) > 0

/** A map bounded by keys and bytes; writing moves a key to the end, and the beginning is forgotten first. */
const makeShelf = (maxKeys: number, maxBytes: number) => {
  const slots = new Map<string, Slot>()
  let bytes = 0
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
      slots.set(name, slot)
      bytes += slot.bytes
      for (const oldest of slots.keys()) {
        if (slots.size <= maxKeys && bytes <= maxBytes) break
        remove(oldest)
      }
    }
  }
}
