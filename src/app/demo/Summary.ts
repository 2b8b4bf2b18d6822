/**
 * The summary of a bounded run: waits until every event is handled or dead-lettered, then lists for each subscriber
 * how its events were settled.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { EventBus } from "../../bus/EventBus.ts"
import type { SubscriberStats } from "../../bus/subscriber/Subscription.ts"
import type { Account, Ledger } from "./Ledger.ts"

export interface Row {
  readonly account: Account
  readonly expected: number
  readonly handled: number
  readonly deadLettered: number
  readonly stats: Pick<SubscriberStats, "held" | "retried" | "postponed">
}

export interface Summary {
  readonly text: string
  /** Whether published = handled + dead-lettered for every subscriber, and no publish failed. */
  readonly accounted: boolean
}

const patienceMillis = 60_000

const rows = (ledger: Ledger) =>
  Effect.gen(function* () {
    const bus = yield* EventBus
    const stats = new Map<string, SubscriberStats>()
    for (const subscriber of (yield* bus.tree).subscribers) stats.set(subscriber.name, subscriber)
    return ledger.accounts.flatMap((account): ReadonlyArray<Row> => {
      const found = stats.get(account.subscriber)
      if (found === undefined) return []
      // The bus counts every dead letter; the failure stream, which says which event it is, may miss some.
      const deadLettered = found.deadLettered - account.ignoredDeadLetters
      return [
        { account, expected: ledger.expected(account), handled: account.handled.size, deadLettered, stats: found }
      ]
    })
  })

/** How far a run came that was stopped: what the bus counted, without a claim that all is accounted for. */
export const soFar = (ledger: Ledger): Effect.Effect<string, never, EventBus> =>
  Effect.gen(function* () {
    const { subscribers } = yield* (yield* EventBus).tree
    return [
      "",
      `stopped after ${ledger.total()} published events of ${ledger.published.size} kinds`,
      "",
      columns("subscriber", "handled", "dead", "retried", "postponed", "in flight"),
      ...subscribers.map(({ deadLettered, handled, inFlight, name, postponed, retried }) =>
        columns(name, handled, deadLettered, retried, postponed, inFlight)
      ),
      "",
      "handlers that run are finished; what waits in a queue of RabbitMQ is handled after the next start"
    ].join("\n")
  })

const isSettled = (all: ReadonlyArray<Row>): boolean =>
  all.every(({ deadLettered, expected, handled, stats }) => handled + deadLettered >= expected && stats.held === 0)

/** Waits until nothing is left to do, or nothing has progressed for a minute. */
export const waitAndSummarise = (ledger: Ledger) =>
  Effect.gen(function* () {
    let all = yield* rows(ledger)
    let progress = -1
    let since = yield* Clock.currentTimeMillis
    // Twice in a row: the failure stream lags a moment behind the counts.
    for (let settled = 0; settled < 2;) {
      yield* Effect.sleep("50 millis")
      all = yield* rows(ledger)
      settled = isSettled(all) ? settled + 1 : 0
      const now = yield* Clock.currentTimeMillis
      const sum = all.reduce(
        (total, { account, deadLettered, handled, stats }) =>
          total + handled + deadLettered + stats.retried + account.foreign,
        0
      )
      if (sum !== progress) since = now
      else if (now - since > patienceMillis) break
      progress = sum
    }
    return summarise(ledger, all)
  })

/** The summary as a table. */
export const summarise = (ledger: Ledger, all: ReadonlyArray<Row>): Summary => {
  const lines = [
    "",
    `published ${ledger.total()} events of ${ledger.published.size} kinds`,
    "",
    ...[...ledger.published].toSorted().map(([event, count]) => columns(event, count)),
    "",
    columns("subscriber", "published", "handled", "dead", "retried", "postponed", "twice", "")
  ]
  let adds = all.length === ledger.accounts.length
  for (const { account, deadLettered, expected, handled, stats } of all) {
    const difference = expected - handled - deadLettered
    if (difference !== 0) adds = false
    const problem = difference === 0 ? "" : `  ${Math.abs(difference)} ${difference > 0 ? "missing" : "too many"}`
    const { duplicates, subscriber } = account
    lines.push(
      columns(subscriber, expected, handled, deadLettered, stats.retried, stats.postponed, duplicates) + problem
    )
  }
  const sum = (of: (row: Row) => number): number => all.reduce((total, row) => total + of(row), 0)
  lines.push(
    columns(
      "all",
      sum(({ expected }) => expected),
      sum(({ handled }) => handled),
      sum(({ deadLettered }) => deadLettered),
      sum(({ stats }) => stats.retried),
      sum(({ stats }) => stats.postponed),
      sum(({ account }) => account.duplicates)
    ),
    ""
  )
  const foreign = sum(({ account }) => account.foreign)
  const { failed } = ledger
  if (foreign > 0)
    lines.push(
      `${foreign} deliveries were left in the queues by earlier runs; they count only as retried and postponed`
    )
  if (ledger.delayed() > 0)
    lines.push(`${ledger.delayed()} events are due after the end of this run, and are not counted here`)
  if (failed.reason !== undefined)
    lines.push(
      `${failed.count} events were not published; the last failed with ${failed.reason._tag}: ${failed.reason.message}`
    )
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
