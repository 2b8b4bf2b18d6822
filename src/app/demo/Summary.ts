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
  readonly dead: number
  readonly stats: Pick<SubscriberStats, "held" | "retried" | "postponed">
}

export interface Outcome {
  readonly text: string
  /** Whether published = handled + dead-lettered for every subscriber, and everything was published. */
  readonly accounted: boolean
}

const patienceMillis = 60_000

const rows = (ledger: Ledger) =>
  Effect.gen(function* () {
    const bus = yield* EventBus
    const stats = new Map<string, SubscriberStats>()
    for (const subscription of yield* bus.subscriptions) stats.set(subscription.name, yield* subscription.stats)
    return ledger.accounts.flatMap((account): ReadonlyArray<Row> => {
      const found = stats.get(account.subscriber)
      if (found === undefined) return []
      // The bus counts every dead letter; its stream, by which one knows whose they are, may miss some.
      const dead = found.deadLettered - account.deadBeside
      return [{ account, expected: ledger.expected(account), handled: account.handled.size, dead, stats: found }]
    })
  })

const isSettled = (all: ReadonlyArray<Row>): boolean =>
  all.every(({ dead, expected, handled, stats }) => handled + dead >= expected && stats.held === 0)

/** Waits until nothing is left to do, at most a minute without progress. */
export const conclude = (ledger: Ledger) =>
  Effect.gen(function* () {
    let all = yield* rows(ledger)
    let progress = -1
    let since = yield* Clock.currentTimeMillis
    // Twice in a row: the stream of dead letters comes a moment after the count of them.
    for (let settled = 0; settled < 2;) {
      yield* Effect.sleep("50 millis")
      all = yield* rows(ledger)
      settled = isSettled(all) ? settled + 1 : 0
      const now = yield* Clock.currentTimeMillis
      const sum = all.reduce(
        (total, { account, dead, handled, stats }) => total + handled + dead + stats.retried + account.foreign,
        0
      )
      if (sum !== progress) since = now
      else if (now - since > patienceMillis) break
      progress = sum
    }
    return write(ledger, all)
  })

/** The account in words. */
export const write = (ledger: Ledger, all: ReadonlyArray<Row>): Outcome => {
  const lines = [
    "",
    `published ${ledger.total()} events of ${ledger.published.size} kinds`,
    "",
    ...[...ledger.published].toSorted().map(([event, count]) => columns(event, count)),
    "",
    columns("subscriber", "published", "handled", "dead", "retried", "postponed", "twice", "")
  ]
  let adds = all.length === ledger.accounts.length
  for (const { account, dead, expected, handled, stats } of all) {
    const difference = expected - handled - dead
    if (difference !== 0) adds = false
    const problem = difference === 0 ? "" : `  ${Math.abs(difference)} ${difference > 0 ? "missing" : "too many"}`
    const { duplicates, subscriber } = account
    lines.push(columns(subscriber, expected, handled, dead, stats.retried, stats.postponed, duplicates) + problem)
  }
  const sum = (of: (row: Row) => number): number => all.reduce((total, row) => total + of(row), 0)
  lines.push(
    columns(
      "all",
      sum(({ expected }) => expected),
      sum(({ handled }) => handled),
      sum(({ dead }) => dead),
      sum(({ stats }) => stats.retried),
      sum(({ stats }) => stats.postponed),
      sum(({ account }) => account.duplicates)
    ),
    ""
  )
  const foreign = sum(({ account }) => account.foreign)
  const failed = ledger.failed()
  if (foreign > 0)
    lines.push(`${foreign} deliveries were left in the queues by earlier runs: counted only as retried and postponed`)
  if (ledger.postponed() > 0)
    lines.push(`${ledger.postponed()} events are due later than this run waits, and are not counted here`)
  if (failed.reason !== undefined)
    lines.push(`${failed.count} events were not published; at last ${failed.reason._tag}: ${failed.reason.message}`)
  lines.push(
    adds
      ? "every event is accounted for: published = handled + dead-lettered, for each subscriber"
      : "NOT every event is accounted for: see the last column"
  )
  return { text: lines.join("\n"), accounted: adds && failed.count === 0 }
}

/** Columns of one width, the first one to the left. */
const columns = (first: string, ...rest: ReadonlyArray<string | number>): string =>
  `${first.padEnd(32)}${rest.map((value) => String(value).padStart(11)).join("")}`.trimEnd()
