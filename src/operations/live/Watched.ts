/** What a watch has shown of each key: an event that is older than the last one, or came already, is not shown again. */
import { compare } from "../../bus/port/CacheOrder.ts"
import type { Seen } from "./SeenEvent.ts"

/** Keys that are remembered; those shown longest ago are forgotten first. */
const maxKeys = 10_000

export class Watched {
  private readonly newest = new Map<string, { readonly time: number; readonly id: string }>()

  isNewer({ at, id, key }: Seen): boolean {
    const placed = { time: at === null ? 0 : Date.parse(at), id }
    const name = key ?? ""
    const before = this.newest.get(name)
    if (before !== undefined && compare(placed, before) <= 0) return false
    this.newest.delete(name)
    this.newest.set(name, placed)
    if (this.newest.size > maxKeys) for (const oldest of this.newest.keys()) return this.newest.delete(oldest)
    return true
  }
}
