/**
 * The live view of a demo that runs until it is stopped: on a terminal a table that is redrawn in place, never wider
 * or taller than the terminal; elsewhere one line every five seconds.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { EventBus } from "../../bus/EventBus.ts"
import type { Ledger } from "./Ledger.ts"

/** Column widths, 80 in total. The first three columns are text. */
const widths = [13, 14, 11, 8, 8, 6, 6, 7, 6]
const row = (...cells: ReadonlyArray<string | number>): string =>
  widths
    .map((width, i) => (i < 3 ? String(cells[i] ?? "").padEnd(width) : String(cells[i] ?? "").padStart(width)))
    .join("")

const published = (ledger: Ledger): string => {
  const { count, reason } = ledger.failed
  return `${ledger.total()} published${reason === undefined ? "" : `, ${count} not published, last reason: ${reason._tag}`}`
}

const tableLines = (ledger: Ledger) =>
  Effect.gen(function* () {
    const bus = yield* EventBus
    const services = new Map(ledger.accounts.map(({ service, subscriber }) => [subscriber, service]))
    const lines = [row("service", "subscriber", "status", "handled", "retried", "later", "dead", "flight", "lag")]
    for (const subscriber of (yield* bus.tree).subscribers) {
      const { _tag, deadLettered, handled, inFlight, name, postponed, retried } = subscriber
      const { ready = 0 } = subscriber.lag
      const service = services.get(name) ?? ""
      const topic = name.slice(service.length + 1)
      lines.push(row(service, topic, _tag, handled, retried, postponed, deadLettered, inFlight, ready))
    }
    lines.push("", "Ctrl-C drains and stops", published(ledger))
    return lines
  })

const printLine = (ledger: Ledger) =>
  Effect.gen(function* () {
    const bus = yield* EventBus
    let handled = 0
    let dead = 0
    for (const subscriber of (yield* bus.tree).subscribers) {
      handled += subscriber.handled
      dead += subscriber.deadLettered
    }
    yield* Console.log(`${published(ledger)}; ${handled} handled, ${dead} dead-lettered`)
  })

const clearToEnd = "\u001b[J"
const up = (lines: number): string => `\u001b[${lines}A`

/** Shows the table until it is interrupted. */
export const show = (ledger: Ledger) =>
  Effect.suspend(() => {
    const { stdout } = process
    if (!stdout.isTTY) return Effect.asVoid(Effect.repeat(printLine(ledger), Schedule.spaced("5 seconds")))
    let drawn = 0
    const draw = Effect.map(tableLines(ledger), (all) => {
      // A line that wraps or a table that scrolls could not be overwritten.
      const lines = all.slice(0, stdout.rows - 1).map((text) => text.slice(0, stdout.columns))
      stdout.write(`${drawn > 0 ? up(drawn) : ""}${clearToEnd}${lines.join("\n")}\n`)
      drawn = lines.length
    })
    return Effect.asVoid(Effect.repeat(draw, Schedule.spaced("500 millis")))
  })
