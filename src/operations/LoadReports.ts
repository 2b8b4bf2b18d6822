/** What the load generator answers. */
import * as Schema from "effect/Schema"
import { report } from "./ReportForm.ts"

/** Milliseconds. */
const Percentiles = Schema.Struct({
  p50: Schema.Finite,
  p90: Schema.Finite,
  p99: Schema.Finite,
  p999: Schema.Finite,
  max: Schema.Finite
})

export const Load = report("load", {
  event: Schema.String,
  namespace: Schema.String,
  /** Bytes of the data of each event. */
  size: Schema.Int,
  /** Events a second that were asked for; null for as many as the broker confirms. */
  rate: Schema.NullOr(Schema.Finite),
  seconds: Schema.Finite,
  confirmed: Schema.Int,
  received: Schema.Int,
  /** Confirmed and not received within five seconds after the last confirm. */
  missing: Schema.Int,
  /** Confirmed events a second. */
  perSecond: Schema.Finite,
  /** From the call of the publisher to the confirm. */
  publish: Percentiles,
  /** From the call of the publisher to the consumer in this process. */
  endToEnd: Percentiles
})

export const byCommand = { load: Load } as const
