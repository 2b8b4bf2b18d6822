/**
 * Records what this run of the demo published and how each subscriber settled it, so that every event can be
 * accounted for: published = handled + dead-lettered, for each subscriber.
 *
 * An event is entered before it is sent, because it may be handled before its publish is confirmed. Events that this
 * run did not publish (an earlier one left them in a queue) are counted separately, and an event that is settled twice
 * counts once.
 */
import type { PublishReason } from "../../bus/send/PublishReason.ts"
import type * as Event from "../../event/Event.ts"

/** What one subscriber did with the events of this run. */
export interface Account {
  readonly service: string
  readonly subscriber: string
  readonly events: ReadonlySet<string>
  readonly handled: Set<string>
  readonly deadLettered: Set<string>
  /** How often an event of this run was settled once more. */
  duplicates: number
  /** How many deliveries were of events that this run did not publish. */
  foreign: number
  /** Dead letters that are duplicates or foreign: the bus counts them, this ledger does not. */
  ignoredDeadLetters: number
}

/** An event by its name and id. */
interface Entry {
  readonly event: string
  readonly id: string
}

/** How many events could not be published, and why the last of them could not. */
export type Failed =
  | { readonly count: 0; readonly reason?: undefined }
  | { readonly count: number; readonly reason: PublishReason }

export class Ledger {
  /** Number of published events by name. */
  readonly published = new Map<string, number>()
  readonly accounts: Array<Account> = []
  failed: Failed = { count: 0 }
  private readonly keepIds: boolean
  /** Whether an event that was entered counts as published. */
  private readonly known = new Map<string, boolean>()
  private readonly due = new Set<string>()

  /** `keepIds` only where a summary is wanted: a demo that runs for days must not grow. */
  constructor(options: { readonly keepIds: boolean }) {
    this.keepIds = options.keepIds
  }

  openAccount(service: string, subscriber: string, events: ReadonlyArray<Event.Any>): Account {
    const account: Account = {
      service,
      subscriber,
      events: new Set(events.map(({ name }) => name)),
      handled: new Set(),
      deadLettered: new Set(),
      duplicates: 0,
      foreign: 0,
      ignoredDeadLetters: 0
    }
    this.accounts.push(account)
    return account
  }

  /** Enters an event that is about to be sent. */
  enter(entry: Entry): void {
    const name = nameOf(entry)
    if (this.keepIds && !this.known.has(name)) this.known.set(name, false)
  }

  /** The broker stored the event. Repeated calls count once. */
  recordPublished(entry: Entry): void {
    const name = nameOf(entry)
    if (this.known.get(name) === true) return
    if (this.keepIds) this.known.set(name, true)
    this.due.delete(name)
    this.published.set(entry.event, (this.published.get(entry.event) ?? 0) + 1)
  }

  /** The broker stored the event, and delivers it long after this run. */
  recordDelayed(entry: Entry): void {
    const name = nameOf(entry)
    if (this.known.get(name) === false) this.due.add(name)
  }

  /** The publish failed; whether the event was stored may be unknown. */
  recordFailed(reason: PublishReason): void {
    this.failed = { count: this.failed.count + 1, reason }
  }

  recordHandled(account: Account, entry: Entry): void {
    if (!this.keepIds) return
    const name = nameOf(entry)
    if (!this.known.has(name)) account.foreign++
    else if (isSettled(account, name)) account.duplicates++
    else {
      account.handled.add(name)
      // Whatever its publish reported: it was stored.
      this.recordPublished(entry)
    }
  }

  recordDeadLettered(subscriber: string, entry: Entry): void {
    const account = this.accounts.find((candidate) => candidate.subscriber === subscriber)
    if (account === undefined || !this.keepIds) return
    const name = nameOf(entry)
    if (!this.known.has(name)) {
      account.foreign++
      account.ignoredDeadLetters++
    } else if (isSettled(account, name)) {
      account.duplicates++
      account.ignoredDeadLetters++
    } else {
      account.deadLettered.add(name)
      this.recordPublished(entry)
    }
  }

  /** How many events the subscriber of an account must settle. */
  expected({ events }: Account): number {
    let sum = 0
    for (const [name, count] of this.published) if (events.has(name)) sum += count
    return sum
  }

  total(): number {
    return [...this.published.values()].reduce((sum, count) => sum + count, 0)
  }

  /** How many events are due long after this run. */
  delayed(): number {
    return this.due.size
  }
}

const nameOf = ({ event, id }: Entry): string => `${event} ${id}`

const isSettled = (account: Account, name: string): boolean =>
  account.handled.has(name) || account.deadLettered.has(name)
