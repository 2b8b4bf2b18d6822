/**
 * What the demo published and what became of it, so that every event can be accounted for: published =
 * handled + dead-lettered, per subscriber. An event handled twice counts once, and as a duplicate.
 */
import type * as Event from "../../event/Event.ts"

export interface Account {
  readonly service: string
  readonly subscriber: string
  readonly events: ReadonlySet<string>
  /** Ids handled. Kept only where a summary is wanted: a demo that runs for days must not grow. */
  readonly handled: Set<string>
  duplicates: number
}

export interface Ledger {
  readonly published: ReadonlyMap<string, number>
  readonly accounts: ReadonlyArray<Account>
  readonly open: (service: string, subscriber: string, events: ReadonlyArray<Event.Any>) => Account
  readonly publish: (event: string) => void
  readonly handle: (account: Account, id: string) => void
  /** How many events a subscriber should have got. */
  readonly expected: (account: Account) => number
  readonly total: () => number
}

export const make = (options: { readonly keepIds: boolean }): Ledger => {
  const published = new Map<string, number>()
  const accounts: Array<Account> = []
  return {
    published,
    accounts,
    open: (service, subscriber, events) => {
      const account = {
        service,
        subscriber,
        events: new Set(events.map(({ name }) => name)),
        handled: new Set<string>(),
        duplicates: 0
      }
      accounts.push(account)
      return account
    },
    publish: (event) => {
      published.set(event, (published.get(event) ?? 0) + 1)
    },
    handle: (account, id) => {
      if (!options.keepIds) return
      if (account.handled.has(id)) account.duplicates++
      account.handled.add(id)
    },
    expected: ({ events }) => {
      let sum = 0
      for (const [name, count] of published) if (events.has(name)) sum += count
      return sum
    },
    total: () => [...published.values()].reduce((sum, count) => sum + count, 0)
  }
}
