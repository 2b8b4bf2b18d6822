/**
 * Generates the demo's traffic: events of all five domains at a steady rate, drawn from a seed. A few are sent as a
 * careless program would send them: under a known name, with data that does not fit the contract.
 *
 * Events are drawn one after the other before they are sent, so the same seed draws the same events.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { EventBus } from "../../bus/EventBus.ts"
import type { PublishError } from "../../bus/send/PublishError.ts"
import * as SeededRandom from "../../bus/support/SeededRandom.ts"
import { catalog } from "../../catalog/index.ts"
import * as Event from "../../event/Event.ts"
import type { Ledger } from "./Ledger.ts"
import * as PlannedFailure from "./PlannedFailure.ts"
import { sample } from "./Samples.ts"
import { publishRecorded, type ServiceTools } from "./ServiceTools.ts"
import { pick } from "./University.ts"

/** Contracts with the names of the catalog and other data. */
const malformed = new Map(
  catalog.events.map((event) => [
    event.name as string,
    Event.make(event.name, { version: event.version, data: Schema.Struct({ note: Schema.String }), cache: false })
  ])
)

const draw = (
  tools: ServiceTools,
  ledger: Ledger,
  random: SeededRandom.SeededRandom
): Effect.Effect<void, PublishError, EventBus> => {
  const event = pick(random, catalog.events)
  const failure = PlannedFailure.draw(random)
  const contract = failure === "malformed" ? malformed.get(event.name) : undefined
  if (contract !== undefined) {
    const note = "sent by a program that does not know the contract"
    return Effect.asVoid(publishRecorded(ledger, contract, { note }, { actor: undefined }))
  }
  const options = failure === undefined ? {} : { headers: { [PlannedFailure.header]: failure } }
  // The sample of a name is data of the contract of that name; the union of all names hides it.
  return tools.publish(event as Event.Event<typeof event.name, object>, sample(event, random), options)
}

/** Most events drawn at once, however far the generator fell behind. */
const maxBatch = 1000

/**
 * Publishes `count` events, or events without end, `rate` of them a second. With a count it stops at the first
 * failure; without one it goes on, because the broker may come back. The ledger records failures in either case.
 */
export const run = Effect.fnUntraced(function* (
  tools: ServiceTools,
  ledger: Ledger,
  options: { readonly count: number | undefined; readonly rate: number; readonly seed: number }
) {
  const random = SeededRandom.make(options.seed)
  const startedAt = yield* Clock.currentTimeMillis
  for (let sent = 0; options.count === undefined || sent < options.count;) {
    // As many as are due: a late wake-up is made up for.
    const due = Math.floor((((yield* Clock.currentTimeMillis) - startedAt) / 1000) * options.rate) + 1
    const until = Math.min(due, options.count ?? due, sent + maxBatch)
    const batch = Array.from({ length: until - sent }, () => draw(tools, ledger, random))
    const failedBefore = ledger.failed.count
    yield* Effect.forEach(
      batch,
      (publish) => Effect.catch(publish, (error) => Effect.sync(() => ledger.recordFailed(error.reason))),
      { concurrency: 64, discard: true }
    )
    sent = until
    if (options.count !== undefined && ledger.failed.count > failedBefore) return
    yield* Effect.sleep(Math.max(1, Math.min(1000 / options.rate, 50)))
  }
})
