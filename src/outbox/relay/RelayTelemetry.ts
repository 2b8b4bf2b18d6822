/** What is counted and logged of a relay. */
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import type { EncodedEvent } from "../../bus/publish/EncodedPublisher.ts"
import type { PublishReason } from "../../bus/send/PublishReason.ts"
import type * as Log from "../../observe/Log.ts"
import * as Meter from "../../observe/Meter.ts"
import * as OutboxMetrics from "../../observe/OutboxMetrics.ts"
import * as Trace from "../../observe/Trace.ts"

export interface RelayTelemetry {
  readonly published: (event: EncodedEvent, routed: boolean) => void
  readonly setAside: (event: EncodedEvent, reason: PublishReason) => void
}

export const make = (context: Context.Context<never>, clock: Clock.Clock, log: Log.Log): RelayTelemetry => {
  const outcome = Meter.seriesBy(OutboxMetrics.relayed, context, {}, "eventbus.outcome")
  const delay = Meter.series(OutboxMetrics.delay, context)
  const [confirmed, unrouted] = [outcome("confirmed"), outcome("unrouted")]
  // Exported as 0 from the start: Prometheus sees no increase in a series that first appears as 1.
  for (const reason of ["Invalid", "Denied", "Unroutable"]) outcome(reason)
  return {
    published: ({ time }, routed) => {
      ;(routed ? confirmed : unrouted).update(1)
      // The clocks of two machines.
      delay.update(Math.max(0, clock.currentTimeMillisUnsafe() - time) / 1000)
    },
    setAside: ({ headers, id, name }, reason) => {
      outcome(reason._tag).update(1)
      log.error("an event of the outbox was set aside", {
        event: name,
        id,
        reason: reason._tag,
        detail: reason.message,
        remedy: "mend the cause, then run `eventbus outbox retry`; later events of its key go on",
        span: Trace.extract(headers)
      })
    }
  }
}
