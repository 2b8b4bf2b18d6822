/**
 * The demo's generator: events of all five domains at a steady rate, drawn from a seed. A few are sent
 * as a careless program of somebody else would: under a known name, with data that does not fit.
 *
 * An event is drawn before it is sent and one after the other, so the same seed draws the same events.
 */
import { Clock, Effect, Schema } from "effect"
import type { PublishError } from "../../bus/BusError.ts"
import type { EventBus } from "../../bus/EventBus.ts"
import { catalog } from "../../catalog/index.ts"
import * as Event from "../../event/Event.ts"
import * as Fate from "./Fate.ts"
import type { Ledger } from "./Ledger.ts"
import { sample } from "./Samples.ts"
import { enter, type Stage } from "./Stage.ts"
import { pick, type Random, seeded } from "./University.ts"

/** The same names without the contracts' data. */
const careless = new Map(
  catalog.events.map((event) => [
    event.name as string,
    Event.make(event.name, { version: event.version, data: Schema.Struct({ note: Schema.String }), cache: false })
  ])
)

const draw = (stage: Stage, ledger: Ledger, random: Random): Effect.Effect<void, PublishError, EventBus> => {
  const event = pick(random, catalog.events)
  const fate = Fate.draw(random)
  const wrong = fate === "malformed" ? careless.get(event.name) : undefined
  if (wrong !== undefined) {
    const note = "sent by a program that does not know the contract"
    return Effect.asVoid(enter(ledger, wrong, { note }, { actor: undefined }))
  }
  const options = fate === undefined ? {} : { headers: { [Fate.header]: fate } }
  // The sample of a name is data of the contract of that name; the union of all names hides it.
  return stage.say(event as Event.Event<typeof event.name, object>, sample(event, random), options)
}

/** So many at a time, however far it fell behind. */
const most = 1000

/**
 * Publishes `count` events, or for ever, `rate` of them a second. With a count it ends at the first that
 * fails; for ever means to go on when the broker is back. Either way the ledger knows.
 */
export const run = Effect.fnUntraced(function* (
  stage: Stage,
  ledger: Ledger,
  options: { readonly count: number | undefined; readonly rate: number; readonly seed: number }
) {
  const random = seeded(options.seed)
  const began = yield* Clock.currentTimeMillis
  for (let sent = 0; options.count === undefined || sent < options.count;) {
    // As many as are due: a late wake-up is made up for.
    const due = Math.floor((((yield* Clock.currentTimeMillis) - began) / 1000) * options.rate) + 1
    const until = Math.min(due, options.count ?? due, sent + most)
    const batch = Array.from({ length: until - sent }, () => draw(stage, ledger, random))
    const failed = ledger.failed().count
    yield* Effect.forEach(batch, (one) => Effect.catch(one, (error) => Effect.sync(() => ledger.fail(error.reason))), {
      concurrency: 64,
      discard: true
    })
    sent = until
    if (options.count !== undefined && ledger.failed().count > failed) return
    yield* Effect.sleep(Math.max(1, Math.min(1000 / options.rate, 50)))
  }
})
