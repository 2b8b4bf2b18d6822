/**
 * A queue that takes at both ends in constant time: a ring that grows. Deliveries that come back go to
 * the front, in their old order.
 */
export interface Deque<A> {
  readonly size: () => number
  readonly push: (item: A) => void
  readonly pushFront: (item: A) => void
  readonly shift: () => A | undefined
  readonly toArray: () => ReadonlyArray<A>
}

export const make = <A>(): Deque<A> => {
  let ring: Array<A | undefined> = Array.from({ length: 16 })
  let head = 0
  let size = 0
  const grow = (): void => {
    const items = toArray()
    ring = [...items, ...Array.from<undefined>({ length: Math.max(items.length, 16) })]
    head = 0
  }
  const toArray = (): Array<A | undefined> =>
    Array.from({ length: size }, (_, i) => ring[(head + i) % ring.length])
  return {
    size: () => size,
    push: (item) => {
      if (size === ring.length) grow()
      ring[(head + size++) % ring.length] = item
    },
    pushFront: (item) => {
      if (size === ring.length) grow()
      head = (head - 1 + ring.length) % ring.length
      ring[head] = item
      size++
    },
    shift: () => {
      if (size === 0) return undefined
      const item = ring[head]
      ring[head] = undefined
      head = (head + 1) % ring.length
      size--
      return item
    },
    // What lies between head and size was put there.
    toArray: () => toArray() as ReadonlyArray<A>
  }
}
