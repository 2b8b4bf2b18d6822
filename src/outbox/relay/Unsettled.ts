/**
 * The events of one partition that the relay has read and whose row does not say so yet: in flight to the broker, or with an
 * outcome that is not written. Events of their keys are not read meanwhile, so that each key keeps its order.
 */
import type { Submission } from "../../bus/publish/EncodedPublisher.ts"
import { sizeOf } from "../../event/Body.ts"
import type { PendingRow } from "../OutboxRow.ts"

/** What is to be written: the reason of a refusal, or undefined for what was published. */
export interface Settled {
  readonly row: PendingRow
  readonly refusal: string | undefined
}

/** More of them are not read past: memory is bounded, and a statement too. */
const most = { events: 1000, bytes: 16 * 1024 * 1024 } as const

export class Unsettled {
  private readonly rows = new Map<number, PendingRow>()
  private readonly publications = new Map<number, Submission>()
  private settled: Array<Settled> = []
  private bytes = 0

  read(row: PendingRow): void {
    this.rows.set(row.position, row)
    this.bytes += sizeOf(row.event.body)
  }

  /** It may have its outcome already. */
  submitted(row: PendingRow, publication: Submission): void {
    if (publication.state !== "done") this.publications.set(row.position, publication)
  }

  ended(settled: Settled): void {
    this.publications.delete(settled.row.position)
    this.settled.push(settled)
  }

  /** It comes again with the next read. */
  forget(row: PendingRow): void {
    this.publications.delete(row.position)
    this.remove(row)
  }

  /** Takes what is to be written. It counts as unsettled until `written`. */
  takeSettled(): ReadonlyArray<Settled> {
    const taken = this.settled
    this.settled = []
    return taken
  }

  giveBack(settled: ReadonlyArray<Settled>): void {
    this.settled = [...settled, ...this.settled]
  }

  written(settled: ReadonlyArray<Settled>): void {
    for (const { row } of settled) this.remove(row)
  }

  get inFlight(): number {
    return this.publications.size
  }

  get size(): number {
    return this.rows.size
  }

  get hasSettled(): boolean {
    return this.settled.length > 0
  }

  get isFull(): boolean {
    return this.rows.size >= most.events || this.bytes >= most.bytes
  }

  keys(): ReadonlyArray<string> {
    const keys = new Set<string>()
    for (const { key } of this.rows.values()) if (key !== null) keys.add(key)
    return [...keys]
  }

  /** Of those without a key. */
  positions(): ReadonlyArray<number> {
    return [...this.rows.values()].flatMap(({ key, position }) => (key === null ? [position] : []))
  }

  /** What was not sent yet never will be. */
  withdraw(): void {
    for (const [position, publication] of this.publications) {
      publication.withdraw()
      if (publication.state === "done") this.publications.delete(position)
    }
  }

  private remove(row: PendingRow): void {
    if (this.rows.delete(row.position)) this.bytes -= sizeOf(row.event.body)
  }
}
