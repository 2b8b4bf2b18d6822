/**
 * The order of the events of one `publishAll`. An event that a queue rejects after a later one of its key was sent cannot
 * take its place any more: it is not sent again, and fails. To know that costs nothing while answers come in order.
 */

/** More entries than this are looked through for those that are not needed any more. */
const manyKeys = 1024

export class CallOrder {
  /** The last event of each key that ended before an earlier one of the call, by its place in the outbox. */
  private readonly overtakers = new Map<string, number>()
  private most = manyKeys
  /** The call has failed: what a queue rejects from now on is not sent again. */
  hasFailed = false

  /** An event that was sent has ended. The first that is still open has the place `oldest`. */
  ended(key: string, sequence: number, oldest: number): void {
    if (this.overtakers.size >= this.most) this.prune(oldest)
    if (sequence > (this.overtakers.get(key) ?? -1)) this.overtakers.set(key, sequence)
  }

  /** Whether a later event of the key has ended. */
  isOvertaken(key: string, sequence: number): boolean {
    return (this.overtakers.get(key) ?? -1) > sequence
  }

  /** Nothing of the call is open. */
  clear(): void {
    if (this.overtakers.size > 0) this.overtakers.clear()
  }

  private prune(oldest: number): void {
    for (const [key, sequence] of this.overtakers) if (sequence < oldest) this.overtakers.delete(key)
    this.most = Math.max(manyKeys, 2 * this.overtakers.size)
  }
}
