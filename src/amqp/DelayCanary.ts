/**
 * Whether the ladder brings home what waits on it. Its last hop is shared: one subscriber's queue that
 * refuses (a length limit of an operator, no majority) can hold up the retries of all, and no depth
 * shows it. So every 15 seconds one small message waits one second on the ladder and comes to a queue
 * that is ours alone; one that is absent 10 seconds later is told.
 *
 * One at a time is under way. It is sent by the publishing connection and received by the consuming
 * one, and whatever becomes of these two, other probes tell it.
 */
import { Clock, Effect, Exit, Random, Scope } from "effect"
import { randomUUID } from "node:crypto"
import type { BrokerProbe, SendOutcome } from "../bus/Broker.ts"
import type { BrokerError } from "../bus/BrokerError.ts"
import * as Meter from "../observe/Meter.ts"
import * as Metrics from "../observe/Metrics.ts"
import type { Link } from "./Connection.ts"
import * as Ladder from "./DelayLadder.ts"
import * as Receiver from "./Receiver.ts"
import type { Sender } from "./Sender.ts"
import * as Topology from "./Topology.ts"

export interface DelayCanary {
  readonly check: BrokerProbe["check"]
  /** Seconds that the last one was late. */
  readonly lateness: () => number | undefined
}

/** Where canaries come home to, for as long as a connection lives. */
interface Nest {
  readonly link: Link
  readonly name: string
  readonly scope: Scope.Closeable
  gone: boolean
}

interface Flight {
  readonly id: string
  readonly sentAt: number
  /** Undefined until the broker has it. */
  storedAt: number | undefined
}

/** What it waits on the ladder. */
const waitMillis = 1000

export const make = Effect.fnUntraced(function* (options: {
  readonly namespace: string
  readonly everyMillis: number
  readonly link: Effect.Effect<Link, BrokerError>
  readonly call: (link: Link) => Receiver.Reception["call"]
  /** Declares, or looks for, what is there for all canaries. */
  readonly declare: (link: Link) => Effect.Effect<void, BrokerError>
  readonly send: Sender["send"]
  /** Whether messages can be sent now. */
  readonly isUp: () => boolean
}) {
  const { everyMillis, namespace } = options
  const absentMillis = (everyMillis * 2) / 3
  const lostMillis = everyMillis * 4
  const clock = yield* Clock.Clock
  const now = (): number => clock.currentTimeMillisUnsafe()
  const metric = Meter.bind(Metrics.delayLateness, yield* Effect.context<never>())
  let nest: Nest | undefined
  let flight: Flight | undefined
  let late: number | undefined
  /** Why it does not work; until one comes home. */
  let fault: string | undefined
  /** Why it is not tried at all. */
  let untried: string | undefined = "not tried yet"

  const isAbsent = (): boolean => flight?.storedAt !== undefined && now() - flight.storedAt > absentMillis
  const secondsLate = (sentAt: number): number => Math.max(0, now() - sentAt - waitMillis) / 1000
  const absence = (sentAt: number): string =>
    `a message for 1 second is away since ${new Date(sentAt).toISOString()}: retries and delayed events do not come home. Look for a subscriber's queue that refuses them: a max-length policy (rabbitmqctl list_policies; raise it, RabbitMQ may not notice that it is cleared), or no majority`

  /** What was absent stays so until another one comes: a lost connection takes the evidence along. */
  const forget = (): void => {
    if (flight !== undefined && isAbsent()) fault = absence(flight.sentAt)
    flight = undefined
  }

  const arrived = (id: unknown): void => {
    if (flight === undefined || flight.id !== id) return
    metric.update((late = secondsLate(flight.sentAt)))
    flight = undefined
    fault = undefined
  }

  const settled = (own: Flight, outcome: SendOutcome): void => {
    if (flight !== own) return
    if (outcome._tag === "Confirmed" && outcome.routed) {
      own.storedAt = now()
      return
    }
    flight = undefined
    if (outcome._tag === "Confirmed") fault = `queue ${Ladder.levelName(namespace, 0)} is missing or not bound`
    else if (outcome._tag === "Rejected") fault = `queue ${Ladder.levelName(namespace, 0)} refuses messages`
    else if (outcome._tag === "NotSent" && outcome.error.reason._tag !== "Connection") fault = outcome.error.message
  }

  const build = Effect.fnUntraced(function* (link: Link) {
    const call = options.call(link)
    const scope = yield* Scope.make()
    // No name of a subscriber begins so.
    const built: Nest = { link, scope, name: `${Topology.canaryPrefix}.${randomUUID()}`, gone: false }
    const lose = (): void => void (built.gone = true)
    yield* Effect.gen(function* () {
      yield* options.declare(link)
      const channel = yield* Receiver.openChannel(link, call)
      channel.once("close", lose)
      const queue = `${namespace}.tmp.${randomUUID()}`
      const entity = `queue ${queue}`
      yield* call("declaring", entity, () => channel.assertQueue(queue, Receiver.ownQueue))
      const pattern = Ladder.anyDelay + Ladder.toSubscriber(built.name)
      yield* call("binding", entity, () => channel.bindQueue(queue, Ladder.deliverExchange(namespace), pattern))
      yield* call("consuming", entity, () =>
        channel.consume(queue, (message) => (message === null ? lose() : arrived(message.properties.messageId)), {
          noAck: true
        })
      )
    }).pipe(
      Scope.provide(scope),
      // Else its channel is closed by its connection, which ends whenever this does.
      Effect.tapError(() => Scope.close(scope, Exit.void))
    )
    return built
  })

  const launch = (from: Nest): void => {
    const own: Flight = { id: `canary-${randomUUID()}`, sentAt: now(), storedAt: undefined }
    flight = own
    options.send(
      {
        to: { _tag: "Subscriber", name: from.name, seconds: waitMillis / 1000 },
        key: undefined,
        body: Buffer.alloc(0),
        headers: {},
        properties: {
          messageId: own.id,
          type: "bus.canary",
          timestamp: own.sentAt,
          appId: "",
          contentType: "application/octet-stream"
        }
      },
      (outcome) => settled(own, outcome)
    )
  }

  const round = Effect.gen(function* () {
    if (!options.isUp()) return
    const link = yield* options.link
    if (nest === undefined || nest.gone || nest.link !== link) {
      forget()
      if (nest !== undefined) yield* Scope.close(nest.scope, Exit.void)
      nest = undefined
      nest = yield* build(link)
      untried = undefined
    }
    if (flight !== undefined) {
      // Grows while it is away, so that an alert on the figure sees it too.
      if (isAbsent()) metric.update(secondsLate(flight.sentAt))
      if (now() - flight.sentAt < lostMillis) return
      forget()
    }
    launch(nest)
  }).pipe(
    Effect.catch((error) =>
      Effect.sync(() => {
        const { _tag } = error.reason
        if (_tag === "Permission" || _tag === "TopologyMissing") untried = `not tried: ${error.message}`
        else if (!error.isRetryable && _tag !== "Closed") fault = error.message
      })
    )
  )

  const random = yield* Random.next
  yield* Effect.sleep(everyMillis * (0.5 + random / 2)).pipe(
    Effect.andThen(Effect.forever(Effect.andThen(round, Effect.sleep(everyMillis)))),
    Effect.forkScoped
  )

  return {
    lateness: () => late,
    check: Effect.sync(() => {
      if (flight !== undefined && isAbsent()) return { status: "degraded" as const, detail: absence(flight.sentAt) }
      if (fault !== undefined) return { status: "degraded" as const, detail: fault }
      const detail = late === undefined ? (untried ?? "on its way") : `the last message came ${late.toFixed(2)} s late`
      return { status: "up" as const, detail }
    })
  } satisfies DelayCanary
})
