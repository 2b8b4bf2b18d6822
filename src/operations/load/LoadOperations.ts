/**
 * Puts load on the user's own broker and measures it: events of one name through the publisher of the library, and back over a
 * queue of this process. In a namespace of its own, which is removed, unless another one is named.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Broker } from "../../bus/port/Broker.ts"
import type { BrokerError } from "../../bus/port/BrokerError.ts"
import type { PublishAllError } from "../../bus/send/PublishError.ts"
import * as Event from "../../event/Event.ts"
import { nameFault } from "../../event/Name.ts"
import * as Monotonic from "../../observe/Monotonic.ts"
import { publishingBus } from "../Bus.ts"
import type * as LoadReports from "../LoadReports.ts"
import { RequestInvalid } from "../OperationsError.ts"
import { percentiles, Run } from "./Run.ts"

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

/** A broker in this namespace, or in a new one that is removed with the scope, as are the queues of these subscribers. */
export type OpenNamespace = (
  namespace: string | undefined,
  subscribers?: ReadonlyArray<string>
) => Effect.Effect<Broker["Service"], BrokerError, Scope.Scope>

export interface LoadOperations {
  readonly load: (
    request: LoadRequest
  ) => Effect.Effect<typeof LoadReports.Load.Type, BrokerError | PublishAllError | RequestInvalid>
}

export const make = (open: OpenNamespace): LoadOperations => ({ load: (request) => Effect.scoped(load(open, request)) })

export const largest = { seconds: 3600, size: 512 * 1024, rate: 1_000_000 }
const prefetch = 1000

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
