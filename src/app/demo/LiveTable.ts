/**
 * The live view of a demo that runs: on a terminal a table that is redrawn in place, never wider
 * or taller than the terminal; elsewhere one line every five seconds.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { EventBus } from "../../bus/EventBus.ts"
import type { Ledger } from "./Ledger.ts"

/** Column widths, 80 in total. The first three columns are text. */
const widths = [13, 14, 11, 8, 8, 6, 6, 7, 6]
const row = (...cells: ReadonlyArray<string | number>): string =>
  widths
    .map((width, i) => (i < 3 ? String(cells[i] ?? "").padEnd(width) : String(cells[i] ?? "").padStart(width)))
    .join("")

const published = (ledger: Ledger, goal: number | undefined): string => {
  const { count, reason } = ledger.failed
  const share = goal === undefined ? "" : ` of at least ${goal}`
  return `${ledger.total()}${share} published${reason === undefined ? "" : `, ${count} not published, last reason: ${reason._tag}`}`
}

/** What the columns of the table count. */
const legend = [
  "handled: done   retried: failed, and tried again   later: put off by its handler",
  "dead: given up, kept with its diagnosis   flight: runs now   lag: in the queue"
]

const shortLegend =
  "handled: done by a subscriber; dead-lettered: given up, kept with its diagnosis; Ctrl-C drains and stops"

const tableLines = (ledger: Ledger, goal: number | undefined) =>
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
    lines.push("", ...legend, "", `${published(ledger, goal)}; Ctrl-C drains and stops`)
    return lines
  })

const printLine = (ledger: Ledger, goal: number | undefined) =>
  Effect.gen(function* () {
    const bus = yield* EventBus
    let handled = 0
    let dead = 0
    for (const subscriber of (yield* bus.tree).subscribers) {
      handled += subscriber.handled
      dead += subscriber.deadLettered
    }
    yield* Console.log(`${published(ledger, goal)}; ${handled} handled, ${dead} dead-lettered`)
  })

/** Of a terminal that does not know its size. */
const usual = { rows: 24, columns: 80 }
const clearToEnd = "\u001b[J"
const up = (lines: number): string => `\u001b[${lines}A`

/** Shows the table while something runs. On a terminal it is gone at the end. */
export const during = <A, E, R>(ledger: Ledger, goal: number | undefined, run: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const { stdout } = process
    if (!stdout.isTTY)
      return Effect.raceFirst(
        run,
        Effect.andThen(
          Console.log(shortLegend),
          Effect.forever(Effect.andThen(printLine(ledger, goal), Effect.sleep("5 seconds")))
        )
      )
    let drawn = 0
    const draw = Effect.map(tableLines(ledger, goal), (all) => {
      // A line that wraps or a table that scrolls could not be overwritten.
      const lines = all
        .slice(0, (stdout.rows || usual.rows) - 1)
        .map((text) => text.slice(0, stdout.columns || usual.columns))
      stdout.write(`${drawn > 0 ? up(drawn) : ""}${clearToEnd}${lines.join("\n")}\n`)
      drawn = lines.length
    })
    const clear = Effect.sync(() => void (drawn > 0 && stdout.write(`${up(drawn)}${clearToEnd}`)))
    return Effect.ensuring(
      Effect.raceFirst(run, Effect.forever(Effect.andThen(draw, Effect.sleep("500 millis")))),
      clear
    )
  })
