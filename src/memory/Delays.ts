/** Delayed messages: a binary heap by due time, and by arrival among equals. */
interface Entry<A> {
  readonly due: number
  readonly order: number
  readonly item: A
}

export interface Delays<A> {
  readonly add: (due: number, item: A) => void
  /** When the first is due. */
  readonly next: () => number | undefined
  /** Takes all that are due by `now`, in order. */
  readonly takeDue: (now: number) => ReadonlyArray<A>
  readonly size: () => number
}

export const make = <A>(): Delays<A> => {
  const heap: Array<Entry<A>> = []
  let order = 0
  const before = (a: Entry<A>, b: Entry<A>): boolean => a.due < b.due || (a.due === b.due && a.order < b.order)
  const swap = (i: number, j: number): void => {
    const [a, b] = [heap[i], heap[j]]
    if (a === undefined || b === undefined) return
    heap[i] = b
    heap[j] = a
  }
  const less = (i: number, j: number): boolean => {
    const [a, b] = [heap[i], heap[j]]
    return a !== undefined && b !== undefined && before(a, b)
  }
  const pop = (): A | undefined => {
    const [first] = heap
    const last = heap.pop()
    if (first === undefined || last === undefined) return undefined
    if (heap.length > 0) {
      heap[0] = last
      for (let i = 0; ;) {
        const left = 2 * i + 1
        const smaller = less(left + 1, left) ? left + 1 : left
        if (!less(smaller, i)) break
        swap(i, smaller)
        i = smaller
      }
    }
    return first.item
  }
  return {
    add: (due, item) => {
      heap.push({ due, order: order++, item })
      for (let i = heap.length - 1; i > 0;) {
        const parent = (i - 1) >> 1
        if (!less(i, parent)) break
        swap(i, parent)
        i = parent
      }
    },
    next: () => heap[0]?.due,
    takeDue: (now) => {
      const due: Array<A> = []
      while (heap[0] !== undefined && heap[0].due <= now) {
        const item = pop()
        if (item !== undefined) due.push(item)
      }
      return due
    },
    size: () => heap.length
  }
}
