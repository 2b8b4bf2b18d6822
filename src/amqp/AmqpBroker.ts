/** The port `Broker` over RabbitMQ 3.10 to 4.x. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Monotonic from "../observe/Monotonic.ts"
import { Broker, type DeadLetterSource, type QueueKind } from "../bus/port/Broker.ts"
import type { BrokerError } from "../bus/port/BrokerError.ts"
import { type AmqpOptions, type OperatorOptions, settle } from "./AmqpOptions.ts"
import * as Connections from "./connection/Connections.ts"
import type { Link } from "./connection/Link.ts"
import * as Looks from "./connection/Looks.ts"
import * as ScopedChannel from "./connection/ScopedChannel.ts"
import * as DeadLetterQueue from "./consuming/DeadLetterQueue.ts"
import * as EphemeralQueue from "./consuming/EphemeralQueue.ts"
import { LetterLosses } from "./consuming/LetterLosses.ts"
import type { LetterPlace } from "./consuming/LetterRenewal.ts"
import * as Receiver from "./consuming/Receiver.ts"
import * as AmqpProbes from "./health/AmqpProbes.ts"
import * as ConnectionMetrics from "./connection/ConnectionMetrics.ts"
import * as DelayCanary from "./health/DelayCanary.ts"
import * as Sender from "./publishing/Sender.ts"
import * as Declare from "./Declare.ts"
import * as Ladder from "./topology/DelayLadder.ts"
import * as Servers from "./Servers.ts"
import * as Topology from "./topology/Topology.ts"

/** `meanwhile` runs once during the start while this process waits for RabbitMQ: time to load other parts. */
export const layer = (options: OperatorOptions, meanwhile?: () => void): Layer.Layer<Broker, BrokerError> =>
  Layer.effect(Broker, make(options, meanwhile))

/** What two buses have in common whose subscribers share queues; undefined where the addresses cannot be read. */
export const placeOf = (servers: AmqpOptions["servers"], namespace: string): string | undefined =>
  Option.getOrUndefined(
    Option.map(Result.getSuccess(Servers.parse(servers)), (parsed) =>
      [namespace, ...parsed.map(({ address, vhost }) => `${address}/${vhost}`).toSorted()].join(" ")
    )
  )

export const make = Effect.fnUntraced(function* (options: OperatorOptions, meanwhile?: () => void) {
  const settings = yield* Effect.fromResult(settle(options))
  const { namespace } = settings
  const rights = Declare.rights(settings.topology)
  const levelRights = Declare.rights(settings.levels)
  const looking = Declare.rights("verify")
  const now = yield* Monotonic.make
  const counters: Receiver.AckCounters = { acked: 0, late: 0 }
  yield* ConnectionMetrics.lateAcks(() => counters.late)
  let canary: DelayCanary.DelayCanary | undefined

  const declareShared = (link: Link) => Declare.shared(link, rights, namespace, meanwhile)
  const sender = Sender.make({
    namespace,
    size: settings.publishChannels,
    callMillis: settings.callMillis,
    now,
    repair: () => connections.tending.on(declareShared),
    levels: (set, known) =>
      connections.tending.on((link) => Declare.levels(link, known ? looking : levelRights, namespace, set))
  })
  const ready = declaredOnce(declareShared, (link) => Declare.shared(link, looking, namespace))
  const connections: Connections.Connections = yield* Connections.make(
    settings,
    (link) =>
      sender.open(
        link,
        Effect.suspend(() => ready(link))
      ),
    Effect.fnUntraced(function* ({ link }, isUp) {
      canary = yield* DelayCanary.make({
        namespace,
        everyMillis: settings.canaryMillis,
        link,
        declare: (live) => Declare.canaries(live, rights, namespace),
        send: sender.send,
        isUp
      })
    }),
    { ...sender.traffic, declare: declareCanaries(rights, namespace) }
  )
  const { tending } = connections
  const losses = new LetterLosses(now, yield* Effect.scope)

  return Broker.of({
    namespace,
    features: { transport: "amqp", persistent: true, remote: true, server: AmqpProbes.onlyServer(settings) },
    status: connections.status,
    send: sender.send,
    passOf: (seconds) => sender.levels.within(seconds),
    ...consumersOf(connections, rights, namespace, counters),
    depth: (subscriber, kind) =>
      tending.on((link) =>
        Effect.map(Looks.at(link, queueOf(namespace, subscriber, kind)), ({ consumerCount, messageCount }) => ({
          ready: messageCount,
          consumers: consumerCount
        }))
      ),
    deadLetterDepth: (source) =>
      tending.on((link) =>
        Effect.map(Looks.at(link, deadLetterQueueOf(namespace, source)), ({ messageCount }) => messageCount)
      ),
    readDeadLetters: readerOf(connections, namespace, losses),
    probes: AmqpProbes.make({
      settings,
      rights,
      publishing: connections.publishingState,
      consuming: connections.consumingState,
      openChannels: sender.channels,
      lateAcks: () => counters.late,
      canary: () => canary,
      levels: sender.levels,
      losses
    })
  })
})

/** What was declared once is looked at on the next connections: binding what exists may hang. */
const declaredOnce = (
  declare: (link: Link) => Effect.Effect<void, BrokerError>,
  look: (link: Link) => Effect.Effect<void, BrokerError>
) => {
  let isDeclared = false
  return (link: Link): Effect.Effect<void, BrokerError> =>
    isDeclared
      ? Effect.catchIf(
          look(link),
          ({ reason }) => reason._tag === "TopologyMissing",
          () => declare(link)
        )
      : Effect.map(declare(link), () => void (isDeclared = true))
}

/** Declares the queue of canaries once: binding what exists may hang, and end the connection. */
const declareCanaries = (rights: Declare.Rights, namespace: string) => {
  let isDeclared = false
  return (link: Link): Effect.Effect<void, BrokerError> =>
    Effect.suspend(() =>
      isDeclared ? Effect.void : Effect.map(Declare.canaries(link, rights, namespace), () => void (isDeclared = true))
    )
}

/** Each consumer has a tag of its own, so that RabbitMQ names it in its own listings. */
const consumersOf = (
  { beginConsuming, consumingOn, tending }: Connections.Connections,
  rights: Declare.Rights,
  namespace: string,
  counters: Receiver.AckCounters
): Pick<Broker["Service"], "declare" | "consume" | "consumeForeign" | "consumeEphemeral"> => {
  let consumers = 0
  const tag = (link: Link, name: string): string => Receiver.consumerTag(name, link.epoch, ++consumers)
  const common = { namespace, counters }
  /** Subscribers with order by key that were declared here. */
  const keyed = new Set<string>()
  return {
    declare: (spec) => {
      if (spec.ordering === "key") keyed.add(spec.name)
      return Effect.andThen(
        beginConsuming,
        tending.on((link) => Declare.subscriber(link, rights, namespace, spec))
      )
    },
    consume: ({ queue: kind, subscriber, ...rest }) =>
      consumingOn((link) => {
        const queue = queueOf(namespace, subscriber, kind)
        const isParked = kind === "parked"
        const isKeyed = keyed.has(subscriber)
        const kinds = { rejects: !isParked, isQuorum: true, isSingleActive: isKeyed && !isParked, isOrdered: isKeyed }
        return Receiver.consume(link, { ...rest, ...common, ...kinds, queue, tag: tag(link, subscriber) })
      }),
    consumeForeign: ({ exclusive, queue, ...rest }) =>
      Effect.andThen(
        beginConsuming,
        consumingOn((link) => {
          const kinds = { rejects: false, isQuorum: true, isSingleActive: false, isOrdered: exclusive }
          const options = { ...rest, ...common, ...kinds, exclusive, withRoute: true, queue, tag: tag(link, "foreign") }
          return Receiver.consume(link, options)
        })
      ),
    consumeEphemeral: ({ letters = [], patterns, ...rest }) =>
      consumingOn((link) =>
        Effect.flatMap(declareEphemeral(link, namespace, patterns, letters), (queue) => {
          const holdsLetters = letters.length > 0
          const kinds = { rejects: false, isQuorum: false, isSingleActive: false, isOrdered: false, holdsLetters }
          return Receiver.consume(link, { ...rest, ...common, ...kinds, queue, tag: tag(link, "ephemeral") })
        })
      )
  }
}

const readerOf = (
  { onLink, publishingLink: publishing }: Connections.Connections,
  namespace: string,
  losses: LetterLosses
): Broker["Service"]["readDeadLetters"] => {
  return (source) => {
    const place = letterPlaceOf(namespace, source)
    return onLink((link) => DeadLetterQueue.read({ link, namespace, place, publishing, losses }))
  }
}

const queueOf = (namespace: string, subscriber: string, kind: QueueKind | undefined): string =>
  kind === "parked" ? Topology.parkedQueue(namespace, subscriber) : Topology.subscriberQueue(namespace, subscriber)

const deadLetterQueueOf = (namespace: string, source: DeadLetterSource): string =>
  source._tag === "Undeliverable" ? Topology.undeliverable(namespace) : Topology.deadQueue(namespace, source.name)

const letterPlaceOf = (namespace: string, source: DeadLetterSource): LetterPlace => {
  const queue = deadLetterQueueOf(namespace, source)
  return source._tag === "Undeliverable"
    ? { queue, exchange: Topology.undeliverable(namespace), routingKey: undefined }
    : { queue, exchange: Topology.deadExchange(namespace), routingKey: source.name }
}

/** A queue that gets the events of these patterns, at once or when their delay is over. */
const declareEphemeral = (
  link: Link,
  namespace: string,
  patterns: ReadonlyArray<string>,
  letters: ReadonlyArray<DeadLetterSource>
) =>
  Effect.scoped(
    Effect.flatMap(ScopedChannel.open(link), (channel) =>
      EphemeralQueue.declare(channel, link.call, namespace, [
        ...patterns.flatMap((pattern) => [
          { exchange: Topology.events(namespace), pattern },
          { exchange: Ladder.deliverExchange(namespace), pattern: Ladder.anyDelay + Ladder.toEvent(pattern) }
        ]),
        ...letters.map((source) =>
          source._tag === "Undeliverable"
            ? { exchange: Topology.undeliverable(namespace), pattern: "" }
            : { exchange: Topology.deadExchange(namespace), pattern: source.name }
        )
      ])
    )
  )
