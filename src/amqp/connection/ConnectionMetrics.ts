/** Metrics of a connection: whether it is up, how often it was made again, acknowledgements that came too late for it. */
import * as Effect from "effect/Effect"
import type { Definition } from "../../observe/MetricDefinition.ts"
import * as Meter from "../../observe/Meter.ts"
import * as Metrics from "../../observe/Metrics.ts"

export interface ConnectionMetrics {
  /** Counts the connection as up, for the first time or again. */
  readonly up: () => void
  /** Counts an update of its secret, or a failure to get one. */
  readonly renewed: (isRenewed: boolean) => void
}

/** Reads a metric from `read` until the scope ends. */
const observe = (definition: Definition, attributes: Meter.Attributes, read: () => number) =>
  Effect.asVoid(
    Effect.acquireRelease(
      Effect.map(Effect.context<never>(), (context) => Meter.observe(definition, context, attributes, read)),
      (end) => Effect.sync(end)
    )
  )

/** Acknowledgements whose channel was gone. */
export const lateAcks = (count: () => number) => observe(Metrics.lateAcks, {}, count)

export const make = Effect.fnUntraced(function* (role: "publish" | "consume", state: () => string) {
  const context = yield* Effect.context<never>()
  const attributes = { "eventbus.connection": role }
  const reconnects = Meter.series(Metrics.reconnects, context, attributes)
  // A blocked connection is up: it consumes, and publishes wait.
  yield* observe(Metrics.connections, attributes, () => (state() === "Up" || state() === "Blocked" ? 1 : 0))
  const outcome = (name: string) =>
    Meter.series(Metrics.credentialRenewals, context, { ...attributes, "eventbus.outcome": name })
  const renewed = outcome("renewed")
  const failed = outcome("failed")
  let times = 0
  return {
    renewed: (isRenewed) => (isRenewed ? renewed : failed).update(1),
    up: () => {
      if (times++ > 0) reconnects.update(1)
    }
  } satisfies ConnectionMetrics
})
