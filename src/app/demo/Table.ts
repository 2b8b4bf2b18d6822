/**
 * The live view of a demo that runs until it is stopped: a table that is redrawn in place on a
 * terminal, never wider or higher than that is, and lines now and then where there is none.
 */
import { Console, Effect, Schedule, SubscriptionRef } from "effect"
import { EventBus } from "../../bus/EventBus.ts"
import type { Ledger } from "./Ledger.ts"

/** Together they fit into 80 columns; the first three are words. */
const widths = [13, 14, 11, 8, 8, 6, 6, 7, 6]
const row = (...cells: ReadonlyArray<string | number>): string =>
  widths
    .map((width, i) => (i < 3 ? String(cells[i] ?? "").padEnd(width) : String(cells[i] ?? "").padStart(width)))
    .join("")

const published = (ledger: Ledger): string => {
  const { count, reason } = ledger.failed()
  return `${ledger.total()} published${reason === undefined ? "" : `, ${count} not published, at last: ${reason._tag}`}`
}

const view = (ledger: Ledger) =>
  Effect.gen(function* () {
    const bus = yield* EventBus
    const services = new Map(ledger.accounts.map(({ service, subscriber }) => [subscriber, service]))
    const lines = [row("service", "subscriber", "status", "handled", "retried", "later", "dead", "flight", "lag")]
    for (const { name, stats, status, tree } of yield* bus.subscriptions) {
      const { _tag } = yield* SubscriptionRef.get(status)
      const { deadLettered, handled, inFlight, postponed, retried } = yield* stats
      const { ready = 0 } = (yield* tree).lag
      const service = services.get(name) ?? ""
      const topic = name.slice(service.length + 1)
      lines.push(row(service, topic, _tag, handled, retried, postponed, deadLettered, inFlight, ready))
    }
    lines.push("", "Ctrl-C drains and stops", published(ledger))
    return lines
  })

const line = (ledger: Ledger) =>
  Effect.gen(function* () {
    const bus = yield* EventBus
    let handled = 0
    let dead = 0
    for (const { stats } of yield* bus.subscriptions) {
      const now = yield* stats
      handled += now.handled
      dead += now.deadLettered
    }
    yield* Console.log(`${published(ledger)}; ${handled} handled, ${dead} dead-lettered`)
  })

const clearToEnd = "\u001b[J"
const up = (lines: number): string => `\u001b[${lines}A`

/** Until it is interrupted. */
export const show = (ledger: Ledger) =>
  Effect.suspend(() => {
    const { stdout } = process
    if (!stdout.isTTY) return Effect.asVoid(Effect.repeat(line(ledger), Schedule.spaced("5 seconds")))
    let drawn = 0
    const draw = Effect.map(view(ledger), (all) => {
      // A line that wraps, or a table that scrolls, could not be drawn over.
      const lines = all.slice(0, stdout.rows - 1).map((text) => text.slice(0, stdout.columns))
      stdout.write(`${drawn > 0 ? up(drawn) : ""}${clearToEnd}${lines.join("\n")}\n`)
      drawn = lines.length
    })
    return Effect.asVoid(Effect.repeat(draw, Schedule.spaced("500 millis")))
  })
