/**
 * Whether messages come back from the delay ladder. Its last step is shared: one subscriber's queue that refuses
 * messages (a length limit of an operator, no majority) can hold up the retries of all subscribers, and no depth
 * shows it. So every 15 seconds one small message waits a second on the ladder and comes to a queue of this
 * process. If it is absent 10 seconds later, health reports it.
 *
 * Canaries are sent on the publishing connection and received on the one for everything around events. A loss of
 * either is no fault of the ladder.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import { randomUUID } from "node:crypto"
import * as Monotonic from "../../observe/Monotonic.ts"
import { type BrokerProbe, inFlight } from "../../bus/port/Broker.ts"
import type { BrokerError } from "../../bus/port/BrokerError.ts"
import * as Meter from "../../observe/Meter.ts"
import * as Metrics from "../../observe/Metrics.ts"
import type { Link } from "../connection/Link.ts"
import * as ScopedChannel from "../connection/ScopedChannel.ts"
import * as EphemeralQueue from "../consuming/EphemeralQueue.ts"
import type { Sender } from "../publishing/Sender.ts"
import * as Ladder from "../topology/DelayLadder.ts"
import * as Topology from "../topology/Topology.ts"
import { CanaryFlights, waitMillis } from "./CanaryFlights.ts"

export interface DelayCanary {
  readonly check: BrokerProbe["check"]
}

export interface CanaryOptions {
  readonly namespace: string
  readonly everyMillis: number
  /** A link that stays for as long as the scope. */
  readonly link: Effect.Effect<Link, BrokerError, Scope.Scope>
  /** Declares, or checks, what all canaries share. */
  readonly declare: (link: Link) => Effect.Effect<void, BrokerError>
  readonly send: Sender["send"]
  /** Whether messages can be sent now. */
  readonly isUp: () => boolean
}

/** Where canaries come home to, on one connection. */
interface Home {
  readonly name: string
  readonly scope: Scope.Closeable
  isGone: boolean
}

export const make = Effect.fnUntraced(function* (options: CanaryOptions) {
  const { everyMillis, isUp, namespace } = options
  const clock = yield* Clock.Clock
  const now = Monotonic.of(clock)
  const wall = (): number => clock.currentTimeMillisUnsafe()
  const lateness = Meter.series(Metrics.delayLateness, yield* Effect.context<never>())
  const flights = new CanaryFlights({ namespace, everyMillis, now, wall, lateness })
  let home: Home | undefined

  const round = Effect.gen(function* () {
    if (!isUp()) return
    if (home === undefined || home.isGone) {
      flights.abandon()
      if (home !== undefined) yield* Scope.close(home.scope, Exit.void)
      home = undefined
      home = yield* openHome(options, flights)
    }
    if (!flights.isUnderWay()) launch(options.send, home, flights)
  }).pipe(Effect.catch((error) => Effect.sync(() => flights.failed(error))))

  const random = yield* Random.next
  yield* Effect.sleep(everyMillis * (0.5 + random / 2)).pipe(
    Effect.andThen(Effect.forever(Effect.andThen(round, Effect.sleep(everyMillis)))),
    Effect.forkScoped
  )
  return { check: Effect.sync(() => flights.check()) } satisfies DelayCanary
})

const openHome = Effect.fnUntraced(function* (
  { declare, link: connected, namespace }: CanaryOptions,
  flights: CanaryFlights
) {
  const scope = yield* Scope.make()
  // No name of a subscriber begins with this prefix.
  const home: Home = { scope, name: `${Topology.canaryPrefix}.${randomUUID()}`, isGone: false }
  const lose = (): void => void (home.isGone = true)
  yield* Effect.gen(function* () {
    const link = yield* connected
    yield* declare(link)
    const channel = yield* ScopedChannel.open(link)
    channel.once("close", lose)
    const pattern = Ladder.anyDelay + Ladder.toSubscriber(home.name)
    const queue = yield* EphemeralQueue.declare(channel, link.call, namespace, [
      { exchange: Ladder.deliverExchange(namespace), pattern }
    ])
    yield* link.call("consuming", `queue ${queue}`, () =>
      channel.consume(queue, (message) => (message === null ? lose() : flights.arrived(message.properties.messageId)), {
        noAck: true
      })
    )
  }).pipe(
    Scope.provide(scope),
    // Without an error the channel is closed with its connection, which ends whenever the canary does.
    Effect.tapError(() => Scope.close(scope, Exit.void))
  )
  return home
})

const launch = (send: Sender["send"], { name }: Home, flights: CanaryFlights): void => {
  const flight = flights.begin()
  const message = {
    to: { _tag: "Subscriber", name, seconds: waitMillis / 1000 },
    key: undefined,
    body: Buffer.alloc(0),
    headers: {},
    properties: {
      messageId: flight.id,
      type: "bus.canary",
      timestamp: flight.sentAt,
      appId: "",
      contentType: "application/octet-stream"
    }
  } as const
  send(inFlight(message, (outcome) => flights.settled(flight, outcome)))
}
