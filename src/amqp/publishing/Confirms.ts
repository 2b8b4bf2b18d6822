/**
 * What was published on one channel and is not confirmed, by its delivery tag: a ring whose places are cleared
 * and used again. It replaces amqplib's own list, because publishes here bypass amqplib.
 */
import type { InFlightMessage, SendOutcome } from "../../bus/port/Broker.ts"

const places = 1024
type Ring = Array<InFlightMessage | undefined>
const empty = (length: number): Ring => Array.from({ length }, () => undefined)

export class Confirms {
  private ring = empty(places)
  /** The lowest tag that is open. */
  private first = 1
  /** The tag of the next message. */
  private next = 1

  /** The message that was published next. */
  push(message: InFlightMessage): void {
    if (this.next - this.first === this.ring.length) this.grow()
    this.ring[this.next++ % this.ring.length] = message
  }

  /** The broker answered for this tag, or for all up to it. */
  settle(tag: number, upTo: boolean, outcome: SendOutcome): void {
    if (upTo) return this.takeUpTo(tag, outcome)
    if (tag < this.first || tag >= this.next) return
    const isFirst = tag === this.first
    if (isFirst) this.first++
    this.take(tag, outcome)
    // Tags that were answered one by one, out of order.
    if (isFirst) while (this.first < this.next && this.ring[this.first % this.ring.length] === undefined) this.first++
  }

  /** The same outcome for all that are open. */
  end(outcome: SendOutcome): void {
    this.takeUpTo(this.next - 1, outcome)
  }

  /** The last of those that are open for which this holds. */
  last(holds: (message: InFlightMessage) => boolean): InFlightMessage | undefined {
    for (let tag = this.next - 1; tag >= this.first; tag--) {
      const message = this.ring[tag % this.ring.length]
      if (message !== undefined && holds(message)) return message
    }
    return undefined
  }

  private take(tag: number, outcome: SendOutcome): void {
    const at = tag % this.ring.length
    const message = this.ring[at]
    this.ring[at] = undefined
    // Last: it may publish within the call.
    message?.answered(outcome)
  }

  private takeUpTo(tag: number, outcome: SendOutcome): void {
    while (this.first <= tag && this.first < this.next) this.take(this.first++, outcome)
  }

  private grow(): void {
    const larger = empty(this.ring.length * 2)
    for (let tag = this.first; tag < this.next; tag++) larger[tag % larger.length] = this.ring[tag % this.ring.length]
    this.ring = larger
  }
}
