/**
 * What was published on one channel and is not confirmed, by its delivery tag: a ring whose places are cleared
 * and used again, since what is published here passes amqplib's own list by.
 */

/** How a publish was answered; "lost" when its channel is gone before it was. */
export type Answer = "ack" | "nack" | "lost"

export interface Confirms {
  /** Whom to tell of the next message. */
  readonly push: (answered: (answer: Answer) => void) => void
  /** The broker answered for this tag, or for all up to it. */
  readonly settle: (tag: number, upTo: boolean, answer: Answer) => void
  /** The same for all that are open. */
  readonly end: (answer: Answer) => void
}

const places = 1024
const empty = (length: number): Array<((answer: Answer) => void) | undefined> => Array.from({ length }, () => undefined)

export const make = (): Confirms => {
  let ring = empty(places)
  /** The lowest tag that is open, and the one that comes next. */
  let first = 1
  let next = 1

  const grow = (): void => {
    const larger = empty(ring.length * 2)
    for (let tag = first; tag < next; tag++) larger[tag % larger.length] = ring[tag % ring.length]
    ring = larger
  }
  const take = (tag: number, answer: Answer): void => {
    const at = tag % ring.length
    const answered = ring[at]
    ring[at] = undefined
    // Whoever is told may publish within the call.
    answered?.(answer)
  }
  const takeUpTo = (tag: number, answer: Answer): void => {
    while (first <= tag && first < next) take(first++, answer)
  }
  return {
    push: (answered) => {
      if (next - first === ring.length) grow()
      ring[next++ % ring.length] = answered
    },
    settle: (tag, upTo, answer) => {
      if (upTo) return takeUpTo(tag, answer)
      if (tag < first || tag >= next) return
      const isFirst = tag === first
      if (isFirst) first++
      take(tag, answer)
      // What was answered one by one, out of order.
      if (isFirst) while (first < next && ring[first % ring.length] === undefined) first++
    },
    end: (answer) => takeUpTo(next - 1, answer)
  }
}
