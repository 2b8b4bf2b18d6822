/**
 * The newest pending write of each event and key, so that a read does not go through the whole buffer. It is built
 * when the first read asks, since a process that only publishes needs none of it.
 */
import { compare } from "../../bus/port/CacheOrder.ts"
import type { PendingWrite } from "./PendingWrite.ts"

export class NewestWrites {
  private readonly all: () => ReadonlyArray<PendingWrite>
  /** By event and key. Undefined stands for a key whose newest has left the buffer: it is searched when asked for. */
  private index: Map<string, Map<string, PendingWrite | undefined>> | undefined

  constructor(all: () => ReadonlyArray<PendingWrite>) {
    this.all = all
  }

  add(write: PendingWrite): void {
    if (this.index !== undefined) put(this.index, write)
  }

  remove(write: PendingWrite): void {
    const { event, key } = write.entry
    const keys = this.index?.get(event)
    if (keys?.get(key) === write) keys.set(key, undefined)
  }

  clear(): void {
    this.index = undefined
  }

  get(event: string, key: string): PendingWrite | undefined {
    this.index ??= this.build()
    const keys = this.index.get(event)
    const held = keys?.get(key)
    if (held !== undefined || keys?.has(key) !== true) return held
    const found = this.search(event, key)
    if (found === undefined) keys.delete(key)
    else keys.set(key, found)
    return found
  }

  private build(): Map<string, Map<string, PendingWrite | undefined>> {
    const index = new Map<string, Map<string, PendingWrite | undefined>>()
    for (const write of this.all()) put(index, write)
    return index
  }

  private search(event: string, key: string): PendingWrite | undefined {
    return this.all().reduce<PendingWrite | undefined>(
      (found, next) =>
        next.entry.key === key &&
        next.entry.event === event &&
        next.entry.settings.last !== false &&
        (found === undefined || compare(next, found) > 0)
          ? next
          : found,
      undefined
    )
  }
}

const put = (index: Map<string, Map<string, PendingWrite | undefined>>, write: PendingWrite): void => {
  const { event, key, settings } = write.entry
  if (settings.last === false) return
  const keys = index.get(event)
  if (keys === undefined) return void index.set(event, new Map([[key, write]]))
  const held = keys.get(key)
  // A key that has to be searched stays so.
  if (held === undefined ? !keys.has(key) : compare(write, held) > 0) keys.set(key, write)
}
