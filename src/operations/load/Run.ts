/** One measurement: events as they are given to the publisher, and the times until they are confirmed and received. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Broker, type Delivery, inFlight } from "../../bus/port/Broker.ts"
import type * as Monotonic from "../../observe/Monotonic.ts"
import { Latencies } from "./Latencies.ts"

export interface RunOptions {
  /** Events a second; undefined for as many as the broker confirms. */
  readonly rate: number | undefined
  readonly seconds: number
  /** Bytes of the data of each event. */
  readonly size: number
  /** The largest number of events. */
  readonly most?: number
  readonly progress?: ((done: number, found: number) => void) | undefined
}

/** How long the last events may take to come. */
export const patienceMillis = 5000

export const percentiles = (latencies: Latencies) => ({
  p50: latencies.percentile(0.5),
  p90: latencies.percentile(0.9),
  p99: latencies.percentile(0.99),
  p999: latencies.percentile(0.999),
  max: latencies.max
})

export class Run {
  readonly publish = new Latencies()
  readonly endToEnd = new Latencies()
  /** Stands before the broker and takes the time. */
  readonly broker: Broker["Service"]
  private readonly now: Monotonic.Monotonic
  private readonly request: RunOptions
  readonly data: { readonly pad: string }
  /** When each event was given to the publisher, until it is received. */
  private readonly begun = new Map<string, number>()

  constructor(broker: Broker["Service"], now: Monotonic.Monotonic, request: RunOptions) {
    this.now = now
    this.request = request
    // What JSON needs around it.
    this.data = { pad: "x".repeat(Math.max(0, request.size - `{"pad":""}`.length)) }
    this.broker = Broker.of({
      ...broker,
      send: (shipment) => {
        const { messageId } = shipment.message.properties
        const begun = this.now()
        // One that is sent again began with its first sending.
        if (!this.begun.has(messageId)) this.begun.set(messageId, begun)
        broker.send(
          inFlight(shipment.message, (outcome) => {
            if (outcome._tag === "Confirmed") this.confirmed(begun)
            shipment.answered(outcome)
          })
        )
      }
    })
  }

  readonly delivered = ({ ack, properties }: Delivery): void => {
    ack()
    const begun = this.begun.get(properties.messageId ?? "")
    if (begun === undefined) return
    this.begun.delete(properties.messageId ?? "")
    this.endToEnd.add(this.now() - begun)
  };

  /** As many as the broker confirms. */
  *unpaced(): Generator<{ readonly pad: string }> {
    const end = this.now() + this.request.seconds * 1000
    const { most = Number.POSITIVE_INFINITY } = this.request
    for (let sent = 0; sent < most && this.now() < end; sent++) yield this.data
  }

  /** At this rate. What could not be sent in time is sent as soon as it can be. */
  paced(rate: number): Stream.Stream<{ readonly pad: string }> {
    const start = this.now()
    const count = Math.max(1, Math.round(rate * this.request.seconds))
    return Stream.mapEffect(Stream.range(0, count - 1), (sent) => {
      const wait = start + (sent * 1000) / rate - this.now()
      return wait > 0 ? Effect.as(Effect.sleep(wait), this.data) : Effect.succeed(this.data)
    })
  }

  /** Completes when everything was received, or nothing has come for a while. */
  get arrived(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const end = this.now() + patienceMillis
      while (this.begun.size > 0 && this.now() < end) yield* Effect.sleep("20 millis")
    })
  }

  private confirmed(begun: number): void {
    this.publish.add(this.now() - begun)
    const { progress, rate, seconds } = this.request
    progress?.(this.publish.count, rate === undefined ? this.publish.count : Math.round(rate * seconds))
  }
}
