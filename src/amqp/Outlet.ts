/**
 * What publish channels hand to the socket of their connection. When much of it is not taken yet, each of
 * them keeps what is its own: amqplib's frames (a channel is opened, topology is repaired) wait until a
 * socket that was full is empty, which it never would be while publishes follow each other without end.
 */
import type { Duplex } from "node:stream"

export interface Outlet {
  /** Takes bytes in order; `whole` says that a frame ends with them. `written` is told when they are on the wire. */
  readonly take: (bytes: Buffer, whole: boolean, written: () => void) => void
  /** What was not handed on never will be. */
  readonly discard: () => void
}

interface Kept {
  readonly bytes: Buffer
  readonly whole: boolean
  readonly written: () => void
}

/** More than a turn writes, where the other end keeps up. */
const mostWaiting = 1024 * 1024

/** Those that keep something, by socket. */
const keepers = new WeakMap<Duplex, Set<() => void>>()

const keepersOf = (stream: Duplex): Set<() => void> => {
  const known = keepers.get(stream)
  if (known !== undefined) return known
  const made = new Set<() => void>()
  keepers.set(stream, made)
  // Behind amqplib's own listener, whose frames are few. Each sends something: none waits for another for good.
  stream.on("drain", () => {
    const all = [...made]
    made.clear()
    for (const release of all) release()
  })
  return made
}

/** Nothing that is kept is sent once `isUsable` is false. */
export const make = (
  stream: Duplex,
  send: (bytes: Buffer, written: () => void) => void,
  isUsable: () => boolean
): Outlet => {
  const waiting = keepersOf(stream)
  let kept: Array<Kept> = []
  /** The end of a frame is to follow, before anything of another channel. */
  let isOpen = false
  // Only one that said that it is full tells when it is empty.
  const hasRoom = (): boolean => isOpen || stream.writableLength < mostWaiting || !stream.writableNeedDrain
  const put = (bytes: Buffer, whole: boolean, written: () => void): void => {
    isOpen = !whole
    send(bytes, written)
  }
  const discard = (): void => {
    kept = []
    waiting.delete(release)
  }
  const release = (): void => {
    if (!isUsable()) return discard()
    let count = 0
    for (const { bytes, whole, written } of kept) {
      if (count > 0 && !hasRoom()) break
      put(bytes, whole, written)
      count++
    }
    kept = kept.slice(count)
    if (kept.length > 0) waiting.add(release)
  }
  return {
    take: (bytes, whole, written) => {
      if (kept.length === 0 && hasRoom()) return put(bytes, whole, written)
      kept.push({ bytes, whole, written })
      waiting.add(release)
    },
    discard
  }
}
