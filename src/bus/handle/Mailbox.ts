/**
 * Which delivery may run next. Without ordering: the oldest. By key: the oldest whose key is free (`Lanes`).
 */
import * as MutableList from "effect/MutableList"

export interface Mailbox<W> {
  /** Adds a delivery, as the last of its key. */
  readonly offer: (item: W, key: string | undefined) => void
  /** Returns the next delivery that may run. Its key is taken until `done` or `again`. */
  readonly take: () => W | undefined
  /** Returns the first delivery of this key, if the key is not taken. */
  readonly takeOf: (key: string | undefined) => W | undefined
  /** Frees the key. */
  readonly done: (key: string | undefined) => void
  /** Puts a taken delivery back as the first of its key, and frees the key. */
  readonly again: (item: W, key: string | undefined) => void
  /** Adds a delivery to its lane, behind the last one for which `before` does not hold. */
  readonly insert: (item: W, key: string, before: (other: W) => boolean) => void
  /** Removes a waiting delivery. Returns whether it was there. */
  readonly remove: (item: W, key: string) => boolean
  /** Removes the waiting deliveries of this key for which `which` holds. */
  readonly extract: (key: string, which: (item: W) => boolean) => ReadonlyArray<W>
  /** Whether a delivery of this key was taken, and the key is not free again. */
  readonly isTaken: (key: string) => boolean
  /** How many deliveries wait behind the taken one of this key. */
  readonly behind: (key: string | undefined) => number
  readonly lanes: () => number
  readonly size: () => number
  /** Removes the waiting deliveries for which `gone` holds. Taken keys stay taken. */
  readonly drop: (gone: (item: W) => boolean) => ReadonlyArray<W>
}

export class UnorderedMailbox<W> implements Mailbox<W> {
  private readonly ready = MutableList.make<W>()

  offer(item: W): void {
    MutableList.append(this.ready, item)
  }

  take(): W | undefined {
    const item = MutableList.take(this.ready)
    return item === MutableList.Empty ? undefined : item
  }

  takeOf(): W | undefined {
    return this.take()
  }

  done(): void {}

  again(item: W): void {
    MutableList.prepend(this.ready, item)
  }

  insert(item: W): void {
    this.offer(item)
  }

  remove(): boolean {
    return false
  }

  extract(): ReadonlyArray<W> {
    return []
  }

  isTaken(): boolean {
    return false
  }

  behind(): number {
    return 0
  }

  lanes(): number {
    return 0
  }

  size(): number {
    return this.ready.length
  }

  drop(gone: (item: W) => boolean): ReadonlyArray<W> {
    const all = MutableList.takeAll(this.ready)
    MutableList.appendAll(
      this.ready,
      all.filter((item) => !gone(item))
    )
    return all.filter(gone)
  }
}
