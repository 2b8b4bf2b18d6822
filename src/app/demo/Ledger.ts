/**
 * What this run of the demo published and what became of it, so that every event can be accounted for:
 * published = handled + dead-lettered, per subscriber.
 *
 * An event is known by its name and id before it is sent, because it may be handled before its publish
 * is confirmed. What was not published by this run (an earlier one left it in a queue) is told apart,
 * and what is handled or dead-lettered again counts once.
 */
import type { PublishReason } from "../../bus/BusError.ts"
import type * as Event from "../../event/Event.ts"

export interface Account {
  readonly service: string
  readonly subscriber: string
  readonly events: ReadonlySet<string>
  readonly handled: Set<string>
  readonly dead: Set<string>
  /** Events of this run that were handled or dead-lettered once more. */
  duplicates: number
  /** Events that this run did not publish. */
  foreign: number
  /** Dead letters that are duplicates or foreign: the bus counts them, this run does not. */
  deadBeside: number
}

interface Named {
  readonly event: string
  readonly id: string
}

/** What could not be published, and what was in the way of the last of it. */
export type Failed =
  | { readonly count: 0; readonly reason?: undefined }
  | { readonly count: number; readonly reason: PublishReason }

export interface Ledger {
  readonly published: ReadonlyMap<string, number>
  readonly accounts: ReadonlyArray<Account>
  readonly open: (service: string, subscriber: string, events: ReadonlyArray<Event.Any>) => Account
  /** It will be sent. */
  readonly begin: (event: Named) => void
  /** The broker holds it. Counts once, however often it is said. */
  readonly publish: (event: Named) => void
  /** The broker holds it until long after this run. */
  readonly postpone: (event: Named) => void
  /** It was not published, as far as one knows. */
  readonly fail: (reason: PublishReason) => void
  readonly handle: (account: Account, event: Named) => void
  readonly bury: (subscriber: string, event: Named) => void
  /** How many events a subscriber should have got. */
  readonly expected: (account: Account) => number
  readonly total: () => number
  readonly postponed: () => number
  readonly failed: () => Failed
}

export const make = (options: {
  /** Only where a summary is wanted: a demo that runs for days must not grow. */
  readonly keepIds: boolean
}): Ledger => {
  const published = new Map<string, number>()
  const accounts: Array<Account> = []
  /** Whether an event that was begun counts as published. */
  const known = new Map<string, boolean>()
  const later = new Set<string>()
  let failed: Failed = { count: 0 }
  const nameOf = ({ event, id }: Named): string => `${event} ${id}`
  const count = (event: string): void => void published.set(event, (published.get(event) ?? 0) + 1)
  const publish = (event: Named): void => {
    const name = nameOf(event)
    if (known.get(name) === true) return
    if (options.keepIds) known.set(name, true)
    later.delete(name)
    count(event.event)
  }

  return {
    published,
    accounts,
    open: (service, subscriber, events) => {
      const account: Account = {
        service,
        subscriber,
        events: new Set(events.map(({ name }) => name)),
        handled: new Set(),
        dead: new Set(),
        duplicates: 0,
        foreign: 0,
        deadBeside: 0
      }
      accounts.push(account)
      return account
    },
    begin: (event) => {
      const name = nameOf(event)
      if (options.keepIds && !known.has(name)) known.set(name, false)
    },
    publish,
    postpone: (event) => {
      const name = nameOf(event)
      if (known.get(name) === false) later.add(name)
    },
    fail: (reason) => {
      failed = { count: failed.count + 1, reason }
    },
    handle: (account, event) => {
      if (!options.keepIds) return
      const name = nameOf(event)
      if (!known.has(name)) return void account.foreign++
      if (account.handled.has(name) || account.dead.has(name)) return void account.duplicates++
      account.handled.add(name)
      // Whatever was heard of its publish: it was.
      publish(event)
    },
    bury: (subscriber, event) => {
      const account = accounts.find((one) => one.subscriber === subscriber)
      if (account === undefined || !options.keepIds) return
      const name = nameOf(event)
      if (!known.has(name)) {
        account.foreign++
        account.deadBeside++
      } else if (account.handled.has(name) || account.dead.has(name)) {
        account.duplicates++
        account.deadBeside++
      } else {
        account.dead.add(name)
        publish(event)
      }
    },
    expected: ({ events }) => {
      let sum = 0
      for (const [name, number] of published) if (events.has(name)) sum += number
      return sum
    },
    total: () => [...published.values()].reduce((sum, number) => sum + number, 0),
    postponed: () => later.size,
    failed: () => failed
  }
}
