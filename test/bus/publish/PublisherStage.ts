/** A publisher over a scripted broker: what it sends, what it caches and what it returns. */
import { Duration, Effect } from "effect"
import * as Log from "../../../src/observe/Log.ts"
import * as Trace from "../../../src/observe/Trace.ts"
import * as InFlightLimit from "../../../src/bus/send/InFlightLimit.ts"
import { type CacheEntry, CacheStore } from "../../../src/bus/port/CacheStore.ts"
import * as Outbox from "../../../src/bus/send/Outbox.ts"
import * as Publisher from "../../../src/bus/publish/Publisher.ts"
import { KnownEvents } from "../../../src/bus/support/KnownEvents.ts"
import { TestClock } from "effect/testing"
import * as Scripted from "../ScriptedBroker.ts"

export const make = Effect.fnUntraced(function* (
  options: { readonly bounds?: InFlightLimit.Bounds; readonly authorise?: "contracts" | "declared-only" } = {}
) {
  const scripted = yield* Scripted.make()
  scripted.script = () => Scripted.confirmed
  const limit = InFlightLimit.make(options.bounds ?? { count: 1_000, bytes: 32 * 1024 * 1024 })
  const outbox = yield* Outbox.make(scripted.broker, limit, () => {})
  const cached: Array<CacheEntry> = []
  const cache = CacheStore.of({
    write: (entry) => void cached.push(entry),
    last: () => Effect.succeedNone,
    lastMany: (_event, keys) => Effect.succeed(keys.map(() => undefined)),
    history: () => Effect.succeed([]),
    probe: Effect.succeed({ status: "up", detail: "" })
  })
  const publisher = yield* Publisher.make(cache, outbox, {
    log: yield* Log.make,
    trace: Trace.make(yield* Effect.context<never>(), { system: "memory", namespace: "eduflow" }),
    source: "test",
    known: new KnownEvents(),
    timeout: Duration.seconds(15),
    authorise: options.authorise ?? "contracts"
  })
  yield* TestClock.adjust(0)
  return { ...publisher, scripted, limit, cached }
})
