/**
 * Passes the bytes of a publish channel to the socket. While the socket is full, each channel keeps its own bytes:
 * amqplib sends its frames (opening a channel, repairing topology) when a full socket is empty again, and an endless
 * stream of publishes would never let it become empty.
 */
import type { Duplex } from "node:stream"

export interface Outlet {
  /** Takes bytes in order; `whole` is whether a frame ends with them. Calls `written` when they are on the wire. */
  readonly take: (bytes: Buffer, whole: boolean, written: () => void) => void
  /** Drops the bytes that are kept. */
  readonly discard: () => void
}

interface Kept {
  readonly bytes: Buffer
  readonly whole: boolean
  readonly written: () => void
}

/** More than a turn writes while the other end keeps up. */
const maxWaitingBytes = 1024 * 1024

/** For each socket, functions that release the bytes of the channels that keep some. */
const releases = new WeakMap<Duplex, Set<() => void>>()

const releasesOf = (stream: Duplex): Set<() => void> => {
  const known = releases.get(stream)
  if (known !== undefined) return known
  const made = new Set<() => void>()
  releases.set(stream, made)
  // Runs after amqplib's own listener, whose frames are few. Each channel sends something, so none starves.
  stream.on("drain", () => {
    const all = [...made]
    made.clear()
    for (const release of all) release()
  })
  return made
}

/** Kept bytes are dropped once `isUsable` is false. */
export const make = (
  stream: Duplex,
  send: (bytes: Buffer, written: () => void) => void,
  isUsable: () => boolean
): Outlet => {
  const waiting = releasesOf(stream)
  let kept: Array<Kept> = []
  /** A frame has begun: its end must follow before anything of another channel. */
  let isOpen = false
  // Only a socket that reported that it is full will report that it is empty.
  const hasRoom = (): boolean => isOpen || stream.writableLength < maxWaitingBytes || !stream.writableNeedDrain
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
