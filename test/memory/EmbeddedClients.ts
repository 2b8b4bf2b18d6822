/** Clients of one embedded broker: sends with their outcomes, consumers that record deliveries, and turns of the event loop instead of time. */
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import {
  type Address,
  Broker,
  type Delivery,
  type Outgoing,
  type SendOutcome,
  inFlight
} from "../../src/bus/port/Broker.ts"
import type { BrokerError } from "../../src/bus/port/BrokerError.ts"
import * as MemoryBroker from "../../src/memory/MemoryBroker.ts"
import { MemoryServer, type MemoryServerOptions } from "../../src/memory/MemoryServer.ts"

export type Service = Broker["Service"]
export type Server = MemoryServer["Service"]

setFlagsFromString("--expose-gc")
/** Collects garbage: the function that the flag above adds to a new context. */
export const collect = runInNewContext("gc") as () => void

/** Runs everything that needs no time. */
export const turns: Effect.Effect<void> = Effect.promise(async () => {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
})

export const event = (name: string): Address => ({ _tag: "Event", name })
export const delayed = (name: string, seconds: number): Address => ({ _tag: "DelayedEvent", name, seconds })
export const copyTo = (name: string, seconds = 0): Address => ({ _tag: "Subscriber", name, seconds })
export const deadLetterOf = (subscriber: string): Address => ({ _tag: "DeadLetter", subscriber })
export const lettersOf = (name: string) => ({ _tag: "Subscriber", name }) as const
export const undeliverable = { _tag: "Undeliverable" } as const

export const outgoing = (to: Address, id: string, headers: Outgoing["headers"] = {}): Outgoing => ({
  to,
  key: undefined,
  body: Buffer.from(id),
  properties: { messageId: id, type: "t", timestamp: 1_700_000_000_123, appId: "test", contentType: "text/plain" },
  headers
})

/** The outcomes of one send: exactly one, unless something is wrong. */
export const sending = (
  broker: Service,
  to: Address,
  id: string,
  headers?: Outgoing["headers"]
): ReadonlyArray<SendOutcome> => {
  const outcomes: Array<SendOutcome> = []
  broker.send(inFlight(outgoing(to, id, headers), (outcome) => void outcomes.push(outcome)))
  return outcomes
}
export const tags = (outcomes: ReadonlyArray<SendOutcome>): string => outcomes.map(({ _tag }) => _tag).join(" ")

/** Sends them one after the other, and waits until they have arrived. */
export const sendAll = Effect.fnUntraced(function* (broker: Service, to: Address, ids: Iterable<number | string>) {
  for (const id of ids) sending(broker, to, String(id))
  yield* turns
})
export const numbers = (to: number, from = 1): ReadonlyArray<number> =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index)

export const text = (delivery: Delivery | undefined): string | undefined => delivery?.body.toString()

export const makeServer = (options: MemoryServerOptions = {}) => MemoryServer.makeWith(options)

/** A client that ends with the test, or when `close` is run. */
export const client = Effect.fnUntraced(function* (server: Server, namespace = "test", name = "client") {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const context = yield* Layer.buildWithScope(MemoryBroker.layerOf(server, { namespace, name }), scope)
  return { broker: Context.get(context, Broker), close: Scope.close(scope, Exit.void) }
})

/** A server, a client, and a subscriber "s" of the event "e". */
export const make = Effect.fnUntraced(function* (
  options: MemoryServerOptions & { readonly ordering?: "none" | "key" } = {}
) {
  const { ordering = "none", ...rest } = options
  const server = yield* makeServer(rest)
  const { broker, close } = yield* client(server)
  yield* broker.declare({ name: "s", ordering, patterns: ["e"] })
  return { server, broker, close }
})

/** A consumer that records its deliveries; with `ack` it acknowledges at once. */
export const consume = Effect.fnUntraced(function* (
  broker: Service,
  options: { readonly subscriber?: string; readonly prefetch?: number; readonly ack?: boolean } = {}
) {
  const { ack = false, prefetch = 100, subscriber = "s" } = options
  const scope = yield* Scope.fork(yield* Effect.scope)
  const got: Array<Delivery> = []
  const losses: Array<BrokerError> = []
  const consumer = yield* broker
    .consume({
      subscriber,
      prefetch,
      onDelivery: (delivery) => {
        got.push(delivery)
        if (ack) delivery.ack()
      },
      onLost: (error) => void losses.push(error)
    })
    .pipe(Scope.provide(scope))
  yield* turns
  return {
    got,
    losses,
    /** Bodies, in order. */
    ids: () => got.map(text).join(" "),
    /** Bodies with how often they came back. */
    counts: () => got.map((delivery) => `${text(delivery)}:${delivery.deliveryCount}`).join(" "),
    ack: (...ids: ReadonlyArray<number>) => {
      for (const delivery of got) if (ids.includes(Number(text(delivery)))) delivery.ack()
    },
    cancel: Effect.andThen(consumer.cancel, turns),
    close: Effect.andThen(Scope.close(scope, Exit.void), turns)
  }
})
