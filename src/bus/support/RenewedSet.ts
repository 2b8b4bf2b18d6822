/**
 * A set that very many members pass through while it holds few at a time, in insertion order.
 *
 * A plain `Set` is slow here, and not through its own work but the garbage collector's: V8 links each table that a
 * set has outgrown to the next one. Once such a table is in the old generation, dead as it is, it keeps alive all
 * that passed afterwards until a full collection. A new set from time to time ends the chain.
 */
export interface RenewedSet<A> extends Iterable<A> {
  readonly size: number
  readonly add: (member: A) => void
  /** Returns whether it was there. */
  readonly delete: (member: A) => boolean
  readonly has: (member: A) => boolean
  readonly clear: () => void
}

const least = 256

/** Called at each arrival with the size of the table: returns whether the caller has to replace the table now. */
export const makeOutgrown = (): ((size: number) => boolean) => {
  let arrivals = 0
  return (size) => {
    if (++arrivals <= least || arrivals <= size) return false
    arrivals = 0
    return true
  }
}

/** Iteration visits the members that were there when it began, without those that have left meanwhile. */
export const make = <A>(): RenewedSet<A> => {
  let members = new Set<A>()
  const outgrown = makeOutgrown()
  return {
    get size() {
      return members.size
    },
    add: (member) => {
      if (outgrown(members.size)) members = new Set(members)
      members.add(member)
    },
    delete: (member) => members.delete(member),
    has: (member) => members.has(member),
    clear: () => members.clear(),
    *[Symbol.iterator]() {
      for (const member of Array.from(members)) if (members.has(member)) yield member
    }
  }
}
