/**
 * What the tests of parking set up: processes that can be killed, copies whose confirm never arrives, and a
 * subscriber that fails on demand.
 */
import { Context, Effect, Exit, Layer, Schedule, Scope } from "effect"
import { Broker, inFlight, type InFlightMessage } from "../../../src/bus/port/Broker.ts"
import { ClaimStore } from "../../../src/bus/port/ClaimStore.ts"
import { unknown } from "../../../src/bus/port/SendOutcome.ts"
import * as MemoryBroker from "../../../src/memory/MemoryBroker.ts"
import * as MemoryCache from "../../../src/memory/MemoryCache.ts"
import type { MemoryServer } from "../../../src/memory/MemoryServer.ts"
import type { Entry } from "../../../src/ports/conformance/setup/HandlerLedger.ts"
import { keyed, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { processOver, start } from "../../../src/ports/conformance/setup/BusProcess.ts"
import * as Stage from "../Stage.ts"

/** What a test replaces of a broker. */
type Override = (broker: Broker["Service"]) => Partial<Broker["Service"]>

/** A process that can be killed: its connection to the broker is cut before anything else of it ends. */
export const killableProcess = Effect.fnUntraced(function* (
  server: MemoryServer["Service"],
  override: Override = () => ({}),
  claims?: ClaimStore["Service"]
) {
  const connection = yield* Scope.make()
  const context = yield* Layer.buildWithScope(MemoryBroker.layerOf(server, { namespace: "test" }), connection)
  const broker = Context.get(context, Broker)
  const ports = Layer.merge(Layer.succeed(Broker, { ...broker, ...override(broker) }), MemoryCache.layer)
  const layer = processOver(ports)
  const process = yield* Stage.runningOut(
    start(claims === undefined ? layer : Layer.provide(layer, Layer.succeed(ClaimStore, claims)))
  )
  return { ...process, kill: Scope.close(connection, Exit.void) }
})

/** Takes every delivery of a queue and dies with them, this many times. */
export const dieWithAll = Effect.fnUntraced(function* (broker: Broker["Service"], subscriber: string, times: number) {
  for (const _ of upTo(times)) {
    const scope = yield* Scope.make()
    yield* broker
      .consume({ subscriber, prefetch: 100, onDelivery: () => {}, onLost: () => {} })
      .pipe(Scope.provide(scope))
    yield* Stage.turns
    yield* Scope.close(scope, Exit.void)
  }
})

/** From copy number `first` of these on, the confirms of parked copies do not arrive until the connection is cut. */
export const losingConfirmsFrom = (first: number, which: (copy: InFlightMessage) => boolean = () => true) => {
  let copies = 0
  let isCut = false
  const unconfirmed: Array<InFlightMessage> = []
  const override: Override = (broker) => ({
    send: (copy) => {
      if (copy.message.to._tag !== "Parked" || !which(copy) || ++copies < first || isCut) return broker.send(copy)
      unconfirmed.push(copy)
      broker.send(inFlight(copy.message, () => {}))
    }
  })
  return {
    override,
    copies: () => copies,
    cut: Effect.sync(() => {
      isCut = true
      for (const copy of unconfirmed.splice(0)) copy.answered(unknown)
    })
  }
}

export const isRising = (numbers: ReadonlyArray<number>): boolean =>
  numbers.every((n, at) => at === 0 || n > (numbers[at - 1] ?? n))

export const pairs = (count: number, k = "a", from = 0) => upTo(count).map((n) => ({ n: from + n, k }))

/** The options of a parking subscriber that fails the attempts for which `fails` is true. */
export const failingSubscriber = (
  fails: (n: number, attempt: number) => boolean,
  retryAfter: "20 minutes" | "5 minutes" = "20 minutes"
) => {
  const book = Stage.makeBook()
  const Changed = keyed()
  const options = {
    events: [Changed],
    ordering: "key",
    onBlocked: "park",
    prefetch: 8,
    retry: Schedule.spaced(retryAfter),
    handler: (event: Entry["event"], info: Entry["info"]) =>
      Effect.andThen(book.note(event, info), fails(event.data.n, info.attempt) ? Effect.fail("not now") : Effect.void)
  } as const
  return { book, Changed, options, tried: () => book.entries.map(({ attempt, n }) => [n, attempt]) }
}
