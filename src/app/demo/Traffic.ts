/**
 * The demo's generator: events of all five domains at a steady rate, drawn from a seed. A few are sent
 * as a careless program of somebody else would: under a known name, with data that does not fit.
 */
import { Clock, Effect, Schema } from "effect"
import { EventBus } from "../../bus/EventBus.ts"
import type { PublishError } from "../../bus/BusError.ts"
import { catalog } from "../../catalog/index.ts"
import * as Event from "../../event/Event.ts"
import * as Fate from "./Fate.ts"
import type { Ledger } from "./Ledger.ts"
import { sample } from "./Samples.ts"
import type { Stage } from "./Stage.ts"
import { pick } from "./University.ts"

/** The same names without the contracts' data. */
const careless = new Map(
  catalog.events.map((event) => [
    event.name as string,
    Event.make(event.name, { version: event.version, data: Schema.Struct({ note: Schema.String }), cache: false })
  ])
)

const sayOne = ({ random, say }: Stage, ledger: Ledger): Effect.Effect<void, PublishError, EventBus> =>
  Effect.suspend(() => {
    const event = pick(random, catalog.events)
    const fate = Fate.draw(random)
    const wrong = fate === "malformed" ? careless.get(event.name) : undefined
    if (wrong !== undefined) {
      return Effect.gen(function* () {
        const bus = yield* EventBus
        yield* bus.publish(wrong, { note: "sent by a program that does not know the contract" })
        ledger.publish(event.name)
      })
    }
    const options = fate === undefined ? {} : { headers: { [Fate.header]: fate } }
    // The sample of a name is data of the contract of that name; the union of all names hides it.
    return say(event as Event.Event<typeof event.name, object>, sample(event, random), options)
  })

/** Publishes `count` events, or for ever, `rate` of them a second. */
export const run = Effect.fnUntraced(function* (
  stage: Stage,
  ledger: Ledger,
  options: { readonly count: number | undefined; readonly rate: number }
) {
  const began = yield* Clock.currentTimeMillis
  for (let sent = 0; options.count === undefined || sent < options.count;) {
    // As many as are due: a late wake-up is made up for.
    const due = Math.floor((((yield* Clock.currentTimeMillis) - began) / 1000) * options.rate) + 1
    const until = Math.min(due, options.count ?? due)
    yield* Effect.forEach(Array.from({ length: until - sent }), () => sayOne(stage, ledger), {
      concurrency: 64,
      discard: true
    })
    sent = until
    yield* Effect.sleep(Math.max(1, Math.min(1000 / options.rate, 50)))
  }
})
