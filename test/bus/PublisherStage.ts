/** A publisher over a scripted broker: what it sends, what it caches, and what it answers. */
import { Duration, Effect } from "effect"
import * as Log from "../../src/observe/Log.ts"
import * as Trace from "../../src/observe/Trace.ts"
import * as Door from "../../src/bus/Door.ts"
import { type CacheEntry, EventCache } from "../../src/bus/EventCache.ts"
import * as Outbox from "../../src/bus/Outbox.ts"
import * as Publisher from "../../src/bus/Publisher.ts"
import { TestClock } from "effect/testing"
import * as Scripted from "./ScriptedBroker.ts"

export const make = Effect.fnUntraced(function* (
  options: { readonly bounds?: Door.Bounds; readonly authorise?: "contracts" | "declared-only" } = {}
) {
  const scripted = yield* Scripted.make()
  scripted.script = () => Scripted.confirmed
  const door = Door.make(options.bounds ?? { count: 1_000, bytes: 32 * 1024 * 1024 })
  const outbox = yield* Outbox.make(scripted.broker, door, () => {})
  const cached: Array<CacheEntry> = []
  const cache = EventCache.fromStore({
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
    timeout: Duration.seconds(15),
    authorise: options.authorise ?? "contracts"
  })
  yield* TestClock.adjust(0)
  return { ...publisher, scripted, door, cached }
})
