/**
 * A set through which very many pass and in which few are at a time, in the order of their coming.
 *
 * A `Set` alone is slow here, not by its own work but by the garbage collector's: V8 links each table that
 * a set has outgrown to the next. Once one of them is in the old generation, dead as it is, it keeps all
 * that passed afterwards, until a full collection. A new set now and then ends the chain.
 */
export interface Population<A> extends Iterable<A> {
  readonly size: number
  readonly add: (member: A) => void
  /** False when it was not there. */
  readonly delete: (member: A) => boolean
  readonly has: (member: A) => boolean
  readonly clear: () => void
}

const least = 256

/** Says at each arrival whether the table has to be made anew, by how many are in it; that is then done. */
export const makeOutgrown = (): ((size: number) => boolean) => {
  let arrivals = 0
  return (size) => {
    if (++arrivals <= least || arrivals <= size) return false
    arrivals = 0
    return true
  }
}

/** Who goes through it sees those who are there when it begins, without those who have left meanwhile. */
export const make = <A>(): Population<A> => {
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
