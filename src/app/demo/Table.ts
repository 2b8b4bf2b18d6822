/**
 * The live view of a demo that runs until it is stopped: a table that is redrawn in place on a
 * terminal, and lines now and then where there is none.
 */
import { Console, Effect, Schedule, SubscriptionRef } from "effect"
import { EventBus } from "../../bus/EventBus.ts"
import type { Ledger } from "./Ledger.ts"
import { columns } from "./Summary.ts"

const view = (ledger: Ledger) =>
  Effect.gen(function* () {
    const bus = yield* EventBus
    const lines = [columns("subscriber", "status", "handled", "retried", "postponed", "dead", "running", "held")]
    for (const subscription of yield* bus.subscriptions) {
      const { _tag } = yield* SubscriptionRef.get(subscription.status)
      const { deadLettered, handled, held, inFlight, postponed, retried } = yield* subscription.stats
      lines.push(columns(subscription.name, _tag, handled, retried, postponed, deadLettered, inFlight, held))
    }
    lines.push("", `${ledger.total()} published; Ctrl-C drains and stops`)
    return lines
  })

const clearToEnd = "\u001b[J"
const up = (lines: number): string => `\u001b[${lines}A`

/** Until it is interrupted. */
export const show = (ledger: Ledger) =>
  Effect.suspend(() => {
    if (!process.stdout.isTTY) {
      const line = Effect.gen(function* () {
        const bus = yield* EventBus
        let handled = 0
        let dead = 0
        for (const subscription of yield* bus.subscriptions) {
          const stats = yield* subscription.stats
          handled += stats.handled
          dead += stats.deadLettered
        }
        yield* Console.log(`${ledger.total()} published, ${handled} handled, ${dead} dead-lettered`)
      })
      return Effect.asVoid(Effect.repeat(line, Schedule.spaced("5 seconds")))
    }
    let drawn = 0
    const draw = Effect.map(view(ledger), (lines) => {
      process.stdout.write(`${drawn > 0 ? up(drawn) : ""}${clearToEnd}${lines.join("\n")}\n`)
      drawn = lines.length
    })
    return Effect.asVoid(Effect.repeat(draw, Schedule.spaced("500 millis")))
  })
