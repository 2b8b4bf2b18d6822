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

const published = {
  confirmed: Schema.Int,
  perSecond: Schema.Finite,
  /** From the call of the publisher to the confirm. */
  publish: Percentiles
}

export const Bench = report("bench", {
  namespace: Schema.String,
  /** Bytes of the data of each event. */
  size: Schema.Int,
  /** Of each part. */
  seconds: Schema.Finite,
  /** Each event is published when the one before was confirmed. */
  oneByOne: Schema.Struct(published),
  /** As many as the broker confirms. */
  pipelined: Schema.Struct(published),
  /** All of these out of the quorum queue of a subscriber, acknowledged one by one. */
  consume: Schema.Struct({ received: Schema.Int, missing: Schema.Int, perSecond: Schema.Finite }),
  /** Published and consumed at once, at half of the smaller of these rates. */
  half: Schema.Struct({
    rate: Schema.Finite,
    ...published,
    received: Schema.Int,
    missing: Schema.Int,
    /** From the call of the publisher to the consumer in this process. */
    endToEnd: Percentiles
  })
})

export const byCommand = { load: Load, bench: Bench } as const
