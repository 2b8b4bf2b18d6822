/**
 * The account at the end of a bounded run: waits until every event is handled or dead-lettered, then
 * says for each subscriber what it got and what became of it.
 */
import { Clock, Effect } from "effect"
import { EventBus } from "../../bus/EventBus.ts"
import type { SubscriberStats } from "../../bus/Subscription.ts"
import type { Account, Ledger } from "./Ledger.ts"

export interface Row {
  readonly account: Account
  readonly expected: number
  readonly handled: number
  readonly stats: SubscriberStats
}

export interface Outcome {
  readonly text: string
  /** Whether published = handled + dead-lettered for every subscriber. */
  readonly accounted: boolean
}

const patienceMillis = 60_000

export const rows = (ledger: Ledger) =>
  Effect.gen(function* () {
    const bus = yield* EventBus
    const stats = new Map<string, SubscriberStats>()
    for (const subscription of yield* bus.subscriptions) stats.set(subscription.name, yield* subscription.stats)
    return ledger.accounts.flatMap((account): ReadonlyArray<Row> => {
      const found = stats.get(account.subscriber)
      return found === undefined
        ? []
        : [{ account, expected: ledger.expected(account), handled: account.handled.size, stats: found }]
    })
  })

const settled = (all: ReadonlyArray<Row>): boolean =>
  all.every(({ expected, handled, stats }) => handled + stats.deadLettered >= expected && stats.held === 0)

/** Waits until nothing is left to do, at most a minute without progress. */
export const conclude = (ledger: Ledger) =>
  Effect.gen(function* () {
    let all = yield* rows(ledger)
    let progress = 0
    let since = yield* Clock.currentTimeMillis
    while (!settled(all)) {
      yield* Effect.sleep("50 millis")
      all = yield* rows(ledger)
      const now = yield* Clock.currentTimeMillis
      const sum = all.reduce((total, { handled, stats }) => total + handled + stats.deadLettered + stats.retried, 0)
      if (sum !== progress) since = now
      else if (now - since > patienceMillis) break
      progress = sum
    }
    return write(ledger, all)
  })

const write = (ledger: Ledger, all: ReadonlyArray<Row>): Outcome => {
  const lines = [
    "",
    `published ${ledger.total()} events of ${ledger.published.size} kinds`,
    "",
    columns("subscriber", "published", "handled", "dead", "retried", "postponed", "twice", "")
  ]
  let accounted = all.length === ledger.accounts.length
  for (const { account, expected, handled, stats } of all) {
    const difference = expected - handled - stats.deadLettered
    if (difference !== 0) accounted = false
    lines.push(
      columns(
        account.subscriber,
        expected,
        handled,
        stats.deadLettered,
        stats.retried,
        stats.postponed,
        account.duplicates,
        difference === 0 ? "" : `${Math.abs(difference)} ${difference > 0 ? "missing" : "too many"}`
      )
    )
  }
  const sum = (of: (row: Row) => number): number => all.reduce((total, row) => total + of(row), 0)
  lines.push(
    columns(
      "all",
      sum(({ expected }) => expected),
      sum(({ handled }) => handled),
      sum(({ stats }) => stats.deadLettered),
      sum(({ stats }) => stats.retried),
      sum(({ stats }) => stats.postponed),
      sum(({ account }) => account.duplicates),
      ""
    ),
    "",
    accounted
      ? "every event is accounted for: published = handled + dead-lettered, for each subscriber"
      : "NOT every event is accounted for: see the last column"
  )
  return { text: lines.join("\n"), accounted }
}

/** Columns of one width, the first one to the left. */
export const columns = (first: string, ...rest: ReadonlyArray<string | number>): string =>
  `${first.padEnd(28)}${rest.map((value) => String(value).padStart(11)).join("")}`.trimEnd()
