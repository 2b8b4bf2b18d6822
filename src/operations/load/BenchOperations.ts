/**
 * Measures the user's own broker as a service uses it: events into the quorum queue of a subscriber and out of it again, one
 * after the other, as fast as it goes, and at half of that. Everything is in a namespace of its own, which is removed.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Broker } from "../../bus/port/Broker.ts"
import type { BrokerError } from "../../bus/port/BrokerError.ts"
import type { PublishAllError, PublishError } from "../../bus/send/PublishError.ts"
import * as Event from "../../event/Event.ts"
import * as Monotonic from "../../observe/Monotonic.ts"
import { publishingBus } from "../Bus.ts"
import type * as LoadReports from "../LoadReports.ts"
import { RequestInvalid } from "../OperationsError.ts"
import type { OpenNamespace } from "./LoadOperations.ts"
import { patienceMillis, percentiles, Run, type RunOptions } from "./Run.ts"

export interface BenchRequest {
  /** How long each part takes. */
  readonly seconds: number
  /** Bytes of the data of each event. */
  readonly size: number
  /** Called when a part begins. */
  readonly onPart?: ((done: number, found: number) => void) | undefined
}

export type BenchError = BrokerError | PublishAllError | PublishError | RequestInvalid

export interface BenchOperations {
  readonly bench: (request: BenchRequest) => Effect.Effect<typeof LoadReports.Bench.Type, BenchError>
}

export const make = (open: OpenNamespace): BenchOperations => ({
  bench: (request) => Effect.scoped(bench(open, request))
})

const subscriber = "bench"
const Happened = Event.define("bench.happened", {
  version: 1,
  data: Schema.Struct({ pad: Schema.String }),
  cache: false
})

const largest = { seconds: 60, size: 512 * 1024 }
/** What the queue holds at most while nobody consumes: somebody else's broker has other work. */
const backlog = { events: 100_000, bytes: 64 * 1024 * 1024 }
const prefetch = 250
const parts = 4

const bench = Effect.fnUntraced(function* (open: OpenNamespace, request: BenchRequest) {
  const { onPart, seconds, size } = request
  const fault = faultOf(request)
  if (fault !== undefined) return yield* new RequestInvalid({ problem: fault })
  const broker = yield* open(undefined, [subscriber])
  yield* broker.declare({ name: subscriber, ordering: "none", patterns: [Happened.name] })
  const now = yield* Monotonic.make
  const phase = (options: Partial<RunOptions>) =>
    Effect.gen(function* () {
      const run = new Run(broker, now, { rate: undefined, seconds, size, ...options })
      return { run, bus: yield* publishingBus(run.broker, undefined, "eventbus-bench") }
    })

  onPart?.(0, parts)
  const single = yield* phase({})
  const began = now()
  for (const data of single.run.unpaced()) yield* single.bus.publish(Happened, data)
  const oneByOne = published(single.run, now() - began)

  onPart?.(1, parts)
  const most = Math.max(1, Math.min(backlog.events, Math.floor(backlog.bytes / Math.max(size, 1))))
  const many = yield* phase({ most })
  const beganAll = now()
  yield* many.bus.publishAll(Happened, many.run.unpaced())
  const pipelined = published(many.run, now() - beganAll)

  onPart?.(2, parts)
  const consume = yield* emptied(broker, now, oneByOne.confirmed + pipelined.confirmed)

  onPart?.(3, parts)
  const rate = Math.max(1, Math.floor(Math.min(pipelined.perSecond, consume.perSecond) / 2))
  const half = yield* phase({ rate })
  yield* broker.consume({ subscriber, prefetch, onDelivery: half.run.delivered, onLost: () => {} })
  const beganHalf = now()
  yield* half.bus.publishAll(Happened, half.run.paced(rate))
  const halved = published(half.run, now() - beganHalf)
  yield* half.run.arrived
  const { endToEnd } = half.run
  return {
    kind: "bench" as const,
    version: 1 as const,
    namespace: broker.namespace,
    size,
    seconds,
    oneByOne,
    pipelined,
    consume,
    half: {
      rate,
      ...halved,
      received: endToEnd.count,
      missing: halved.confirmed - endToEnd.count,
      endToEnd: percentiles(endToEnd)
    }
  }
})

const faultOf = ({ seconds, size }: BenchRequest): string | undefined => {
  if (!(seconds > 0 && seconds <= largest.seconds))
    return `--seconds: expected more than 0 and at most ${largest.seconds}`
  return Number.isInteger(size) && size >= 0 && size <= largest.size
    ? undefined
    : `--size: expected 0 to ${largest.size} bytes`
}

const perSecond = (count: number, millis: number): number => Math.round((count * 1000) / Math.max(millis, 1))

const published = ({ publish }: Run, millis: number) => ({
  confirmed: publish.count,
  perSecond: perSecond(publish.count, millis),
  publish: percentiles(publish)
})

/** Consumes what is in the queue, until nothing has come for a while. */
const emptied = Effect.fnUntraced(function* (broker: Broker["Service"], now: Monotonic.Monotonic, count: number) {
  let received = 0
  const began = now()
  let last = began
  yield* broker.consume({
    subscriber,
    prefetch,
    onDelivery: ({ ack }) => {
      ack()
      received++
      last = now()
    },
    onLost: () => {}
  })
  while (received < count && now() < last + patienceMillis) yield* Effect.sleep("20 millis")
  return { received, missing: Math.max(0, count - received), perSecond: perSecond(received, last - began) }
}, Effect.scoped)
