/** Processes on an embedded broker whose recurring events are written down, under the clock of the test. */
import { Clock, Context, Effect, Exit, Layer, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as Copies from "../../../src/bus/delivery/Copies.ts"
import { RefusedCopies } from "../../../src/bus/delivery/RefusedCopies.ts"
import { Broker } from "../../../src/bus/port/Broker.ts"
import * as Recurrences from "../../../src/bus/recurring/Recurrences.ts"
import type { RecurringOptions } from "../../../src/bus/recurring/RecurringOptions.ts"
import * as InFlightLimit from "../../../src/bus/send/InFlightLimit.ts"
import * as Outbox from "../../../src/bus/send/Outbox.ts"
import { SubscriberNames } from "../../../src/bus/subscriber/SubscriberNames.ts"
import * as EventIds from "../../../src/bus/support/EventIds.ts"
import { Event } from "../../../src/index.ts"
import * as MemoryBroker from "../../../src/memory/MemoryBroker.ts"
import { MemoryServer } from "../../../src/memory/MemoryServer.ts"
import * as Log from "../../../src/observe/Log.ts"
import { turns } from "../Stage.ts"

export const Ticked = Event.make("test.ticked", { version: 1, data: Schema.Struct({ at: Schema.String }) })

export type Options = Partial<RecurringOptions<typeof Ticked>>

interface Published {
  readonly id: string
  readonly data: { readonly at: string }
}

/** The recurring events of one process, which publishes into `published`. */
const recurrencesOver = Effect.fnUntraced(function* (broker: Broker["Service"], published: (event: Published) => void) {
  const clock = yield* Clock.Clock
  const log = yield* Log.make
  const ids = EventIds.make()
  const outbox = yield* Outbox.make(broker, InFlightLimit.make({ count: 250, bytes: 2 ** 20 }), () => {})
  const recurrences = Recurrences.make({
    broker,
    copiesOf: yield* Copies.make(broker, outbox, log, new RefusedCopies(clock)),
    publish: (_event, data, options) =>
      Effect.sync(() => {
        const id = options?.id ?? ""
        // Only `Ticked` is published here.
        published({ id, data: data as Published["data"] })
        return { id, routed: true }
      }),
    newId: () => ids.next(clock.currentTimeMillisUnsafe()),
    names: new SubscriberNames(),
    log
  })
  return {
    start: (name: string, options: Options) =>
      recurrences.start(name, {
        event: Ticked,
        cron: "0 * * * *",
        data: (tick: Date) => ({ at: tick.toISOString() }),
        ...options
      }),
    probe: Effect.suspend(() => recurrences.probes()[0]?.check ?? Effect.undefined)
  }
})

/** Processes that have a recurring event, and what they publish. */
export const stage = Effect.gen(function* () {
  yield* TestClock.setTime(Date.parse("2026-06-01T00:00:30Z"))
  const server = yield* MemoryServer.make
  const ticks: Array<{ readonly at: string; readonly id: string; readonly late: number }> = []
  const clock = yield* Clock.Clock
  const begin = Effect.fnUntraced(function* (options: Options = {}, name = "tick") {
    const scope = yield* Scope.make()
    yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
    const broker = Context.get(
      yield* Layer.buildWithScope(MemoryBroker.layerOf(server, { namespace: "test" }), scope),
      Broker
    )
    const { probe, start } = yield* recurrencesOver(broker, ({ data, id }) => {
      ticks.push({ at: data.at, id, late: clock.currentTimeMillisUnsafe() - Date.parse(data.at) })
    }).pipe(Scope.provide(scope))
    yield* start(name, options).pipe(Scope.provide(scope))
    yield* turns
    return { probe, start, end: Effect.andThen(Scope.close(scope, Exit.void), turns) }
  })
  const watcher = Context.get(yield* Layer.build(MemoryBroker.layerOf(server, { namespace: "test" })), Broker)
  return { begin, watcher, server, ticks, times: () => ticks.map(({ at }) => at) }
})

/** A time of the day on which a test begins. */
export const at = (text: string): string => new Date(`2026-06-01T${text}:00Z`).toISOString()
