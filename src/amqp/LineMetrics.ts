/**
 * The figures of a connection: whether it is up, how often it came back, and what came too late for it.
 */
import { Effect } from "effect"
import type { Definition } from "../observe/Definition.ts"
import * as Meter from "../observe/Meter.ts"
import * as Metrics from "../observe/Metrics.ts"

const told = (definition: Definition, own: Meter.Attributes, read: () => number) =>
  Effect.asVoid(
    Effect.acquireRelease(
      Effect.map(Effect.context<never>(), (context) => Meter.observe(definition, context, own, read)),
      (end) => Effect.sync(end)
    )
  )

/** Acknowledgements whose channel was gone. */
export const lateAcks = (count: () => number) => told(Metrics.lateAcks, {}, count)

/** Told until the scope ends. */
export const make = Effect.fnUntraced(function* (role: "publish" | "consume", state: () => string) {
  const context = yield* Effect.context<never>()
  const own = { "eventbus.connection": role }
  const reconnects = Meter.bind(Metrics.reconnects, context, own)
  // One that is blocked is up: it consumes, and waits to publish.
  yield* told(Metrics.connections, own, () => (state() === "Up" || state() === "Blocked" ? 1 : 0))
  let times = 0
  return {
    /** It is up, for the first time or again. */
    up: (): void => {
      if (times++ > 0) reconnects.update(1)
    }
  }
})
