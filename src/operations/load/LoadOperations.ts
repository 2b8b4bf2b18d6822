/**
 * Puts load on the user's own broker and measures it: events of one name through the publisher of the library, and back over a
 * queue of this process. In a namespace of its own, which is removed, unless another one is named.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Broker, type Delivery, inFlight } from "../../bus/port/Broker.ts"
import type { BrokerError } from "../../bus/port/BrokerError.ts"
import type { PublishAllError } from "../../bus/send/PublishError.ts"
import * as Event from "../../event/Event.ts"
import { nameFault } from "../../event/Name.ts"
import * as Monotonic from "../../observe/Monotonic.ts"
import { publishingBus } from "../Bus.ts"
import { Latencies } from "./Latencies.ts"
import type * as LoadReports from "../LoadReports.ts"
import { RequestInvalid } from "../OperationsError.ts"

export interface LoadRequest {
  readonly event: string
  /** Events a second; undefined for as many as the broker confirms. */
  readonly rate: number | undefined
  readonly seconds: number
  /** Bytes of the data of each event. */
  readonly size: number
  /** The namespace of a service, whose objects are used. Undefined for a namespace of its own. */
  readonly namespace: string | undefined
  /** Goes on although subscribers would get the load. */
  readonly apply: boolean
  readonly progress?: ((done: number, found: number) => void) | undefined
}

/** A broker in this namespace, or in a new one that is removed with the scope. */
export type OpenNamespace = (
  namespace: string | undefined
) => Effect.Effect<Broker["Service"], BrokerError, Scope.Scope>

export interface LoadOperations {
  readonly load: (
    request: LoadRequest
  ) => Effect.Effect<typeof LoadReports.Load.Type, BrokerError | PublishAllError | RequestInvalid>
}

export const make = (open: OpenNamespace): LoadOperations => ({ load: (request) => Effect.scoped(load(open, request)) })

const largest = { seconds: 3600, size: 512 * 1024, rate: 1_000_000 }
const prefetch = 1000
/** How long the last events may take to come. */
const patienceMillis = 5000

const load = Effect.fnUntraced(function* (open: OpenNamespace, request: LoadRequest) {
  const { apply, event, namespace, rate, size } = request
  const fault = faultOf(request)
  if (fault !== undefined) return yield* new RequestInvalid({ problem: fault })
  // Whether anybody is bound to it could only be found out by sending one.
  if (namespace !== undefined && !apply)
    return yield* new RequestInvalid({
      problem: `subscribers of ${namespace} that are bound to ${event} would get all of it, as events that they cannot read, and dead-letter it: name an event that nobody has, and say --yes`
    })
  const contract = Event.define(event, { version: 1, data: Schema.Struct({ pad: Schema.String }), cache: false })
  const broker = yield* open(namespace)
  const now = yield* Monotonic.make
  const run = new Run(broker, now, request)
  yield* broker.consumeEphemeral({ patterns: [event], prefetch, onDelivery: run.delivered, onLost: () => {} })
  const bus = yield* publishingBus(run.broker, undefined, "eventbus-load")
  const began = now()
  const confirmed = yield* bus.publishAll(contract, rate === undefined ? run.unpaced() : run.paced(rate))
  const elapsed = (now() - began) / 1000
  yield* run.arrived
  return {
    kind: "load" as const,
    version: 1 as const,
    event,
    namespace: broker.namespace,
    size,
    rate: rate ?? null,
    seconds: Math.round(elapsed * 1000) / 1000,
    confirmed,
    received: run.endToEnd.count,
    missing: confirmed - run.endToEnd.count,
    perSecond: Math.round(confirmed / Math.max(elapsed, 0.001)),
    publish: percentiles(run.publish),
    endToEnd: percentiles(run.endToEnd)
  }
})

const faultOf = ({ event, rate, seconds, size }: LoadRequest): string | undefined => {
  const name = nameFault(event)
  if (name !== undefined) return `event "${event}": ${name}`
  if (event.startsWith("bus.")) return `event "${event}": names that start with "bus." are reserved for the runtime`
  if (!(seconds > 0 && seconds <= largest.seconds))
    return `--seconds: expected more than 0 and at most ${largest.seconds}`
  if (!(Number.isInteger(size) && size >= 0 && size <= largest.size))
    return `--size: expected 0 to ${largest.size} bytes`
  return rate === undefined || (rate > 0 && rate <= largest.rate)
    ? undefined
    : `--rate: expected more than 0 and at most ${largest.rate} events a second`
}

const percentiles = (latencies: Latencies) => ({
  p50: latencies.percentile(0.5),
  p90: latencies.percentile(0.9),
  p99: latencies.percentile(0.99),
  p999: latencies.percentile(0.999),
  max: latencies.max
})

class Run {
  readonly publish = new Latencies()
  readonly endToEnd = new Latencies()
  /** Stands before the broker and takes the time. */
  readonly broker: Broker["Service"]
  private readonly now: Monotonic.Monotonic
  private readonly request: LoadRequest
  private readonly data: { readonly pad: string }
  /** When each event was given to the publisher, until it is received. */
  private readonly begun = new Map<string, number>()

  constructor(broker: Broker["Service"], now: Monotonic.Monotonic, request: LoadRequest) {
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
    while (this.now() < end) yield this.data
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
