/**
 * A first-in, first-out queue in constant time: a ring that grows by doubling and shrinks again, so that a backlog that
 * was worked off holds no memory. It keeps no reference to items that were taken.
 */
export interface Deque<A> {
  readonly size: () => number
  readonly push: (item: A) => void
  readonly shift: () => A | undefined
  readonly clear: () => void
  readonly toArray: () => ReadonlyArray<A>
}

/** A power of two: positions wrap by a mask. */
const smallest = 16

export const make = <A>(): Deque<A> => {
  let ring: Array<A | undefined> = Array.from({ length: smallest })
  let head = 0
  let size = 0
  const at = (index: number): number => (head + index) & (ring.length - 1)
  const resize = (length: number): void => {
    const next: Array<A | undefined> = Array.from({ length })
    for (let i = 0; i < size; i++) next[i] = ring[at(i)]
    ring = next
    head = 0
  }
  return {
    size: () => size,
    push: (item) => {
      if (size === ring.length) resize(size * 2)
      ring[at(size++)] = item
    },
    shift: () => {
      if (size === 0) return undefined
      const item = ring[head]
      ring[head] = undefined
      head = at(1)
      size--
      // At a quarter, not at a half: a queue that goes up and down by one must not copy each time.
      if (ring.length > smallest && size <= ring.length / 4) resize(ring.length / 2)
      return item
    },
    clear: () => {
      ring = Array.from({ length: smallest })
      head = 0
      size = 0
    },
    // Every place from head up to size holds an item.
    toArray: () => Array.from({ length: size }, (_, index) => ring[at(index)] as A)
  }
}
