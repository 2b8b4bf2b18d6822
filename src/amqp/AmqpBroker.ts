/**
 * The port `Broker` over RabbitMQ 3.10 to 4.x. Publishing and consuming have a connection each, since
 * a broker that blocks publishers freezes the whole connection; the consuming one is opened when it is
 * first needed.
 */
import type { Channel } from "amqplib"
import { Clock, Effect, Layer, Scope, Stream, SubscriptionRef } from "effect"
import { randomUUID } from "node:crypto"
import { Broker, type BrokerProbe, type BrokerStatus, type DeadLetterSource, type QueueKind } from "../bus/Broker.ts"
import { BrokerError, BrokerRefused, Closed } from "../bus/BrokerError.ts"
import * as AmqpError from "./AmqpError.ts"
import { type AmqpOptions, settle } from "./AmqpOptions.ts"
import * as Connection from "./Connection.ts"
import * as DelayCanary from "./DelayCanary.ts"
import * as DeadLetterQueue from "./DeadLetterQueue.ts"
import * as Ladder from "./DelayLadder.ts"
import * as LineMetrics from "./LineMetrics.ts"
import * as LineProbe from "./LineProbe.ts"
import * as Pipeline from "./Pipeline.ts"
import * as Receiver from "./Receiver.ts"
import * as Sender from "./Sender.ts"
import * as Topology from "./Topology.ts"

/** `meanwhile` is called while RabbitMQ is at work and this process waits: time for what else has to be loaded. */
export const layer = (options: AmqpOptions, meanwhile?: () => void): Layer.Layer<Broker, BrokerError> =>
  Layer.effect(Broker, make(options, meanwhile))

export const make = Effect.fnUntraced(function* (options: AmqpOptions, meanwhile: () => void = () => {}) {
  const settings = settle(options)
  if (settings instanceof BrokerError) return yield* settings
  const { namespace } = settings
  const scope = yield* Effect.scope
  const clock = yield* Clock.Clock
  const acks: Receiver.AckCounters = { acked: 0, late: 0 }
  yield* LineMetrics.lateAcks(() => acks.late)
  let consumers = 0
  let closed = false

  /** One answer of the broker, within the call deadline. */
  const callAs =
    (username: string): Receiver.Reception["call"] =>
    (operation, entity, run) =>
      Effect.tryPromise({ try: run, catch: (error) => AmqpError.refused(error, operation, entity, username) }).pipe(
        Effect.timeoutOrElse({
          duration: settings.callMillis,
          orElse: () =>
            Effect.fail(
              new BrokerError({
                reason: new BrokerRefused({
                  operation,
                  detail: `no answer within ${settings.callMillis} ms: look at the load of RabbitMQ, or raise callTimeout`
                })
              })
            )
        })
      )

  /** Declares, or looks for, one thing after the other; all are on the wire at once, and then `asked` is called. */
  const declareAll = (link: Connection.Link, declarations: ReadonlyArray<Topology.Declaration>, asked = () => {}) =>
    Effect.gen(function* () {
      const call = callAs(link.username)
      const channel = Pipeline.open(yield* Receiver.openChannel(link, call))
      const wanted =
        settings.topology === "verify" ? declarations.filter(({ verify }) => verify !== undefined) : declarations
      const action = (declaration: Topology.Declaration): Promise<unknown> =>
        settings.topology === "verify"
          ? (declaration.verify ?? declaration.assert)(channel)
          : declaration.assert(channel)
      let answered = 0
      const answers = wanted.map((declaration) => {
        const answer = action(declaration)
        // The first to fail closes the channel and fails the others: it alone is told.
        answer.then(
          () => {
            // Whoever has the first answer has sent them all.
            if (answered++ === 0) asked()
          },
          () => {}
        )
        return { declaration, answer }
      })
      // They come in order, and many in one turn.
      for (const [index, { answer, declaration }] of answers.entries())
        if (index >= answered) yield* call("declaring", declaration.entity, () => answer)
    }).pipe(Effect.scoped)

  const declareShared = (link: Connection.Link) => declareAll(link, Topology.shared(namespace), meanwhile)
  const sender = Sender.make({
    namespace,
    size: settings.publishChannels,
    callMillis: settings.callMillis,
    now: () => clock.currentTimeMillisUnsafe(),
    repair: declareShared
  })
  // Closed beside each other: two lines that hang cost the time of one.
  const connections = yield* Scope.fork(scope, "parallel")
  const publishing = yield* Connection.make(settings, "publish", (link) => sender.open(link, declareShared(link))).pipe(
    Scope.provide(yield* Scope.fork(connections))
  )
  let consumingState: Connection.Connection | undefined
  let canary: DelayCanary.DelayCanary | undefined
  // Once: whoever needs it first opens it, and it lives as long as the broker.
  const consuming = yield* Effect.cached(
    Effect.flatMap(Scope.fork(connections), (own) =>
      Effect.gen(function* () {
        const connection = yield* Connection.make(settings, "consume", () => Effect.void)
        consumingState = connection
        yield* Effect.forkScoped(wakes(connection, publishing))
        yield* Effect.forkScoped(wakes(publishing, connection))
        canary = yield* DelayCanary.make({
          namespace,
          everyMillis: settings.canaryMillis,
          link: connection.link,
          call: ({ username }) => callAs(username),
          declare: (link) => declareAll(link, Topology.canaries(namespace)),
          send: sender.send,
          isUp: () => SubscriptionRef.getUnsafe(publishing.state)._tag === "Up"
        })
        return connection
      }).pipe(Scope.provide(own))
    )
  )
  const consumingLink = Effect.flatMap(consuming, (connection) =>
    closed ? Effect.fail(new BrokerError({ reason: new Closed() })) : connection.link
  )

  /** On the live link, and once more on the next when it is lost under way: for what may be done twice. */
  const onLink = <A, R>(use: (link: Connection.Link) => Effect.Effect<A, BrokerError, R>) =>
    Effect.flatMap(consumingLink, (link) =>
      Effect.catchIf(
        use(link),
        () => Connection.isLost(link),
        () => Effect.flatMap(consumingLink, use)
      )
    )

  const status = yield* SubscriptionRef.make<BrokerStatus>({
    _tag: "Connecting",
    since: clock.currentTimeMillisUnsafe(),
    error: undefined
  })
  yield* SubscriptionRef.changes(publishing.state).pipe(
    Stream.runForEach((state) => (closed ? Effect.void : SubscriptionRef.set(status, statusOf(state)))),
    Effect.forkScoped
  )
  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      closed = true
      return SubscriptionRef.set(status, { _tag: "Closed", since: clock.currentTimeMillisUnsafe() })
    })
  )
  if (!settings.waitForBroker) yield* publishing.started
  // The gate reads this: it must not open later than the layer.
  yield* SubscriptionRef.set(status, statusOf(SubscriptionRef.getUnsafe(publishing.state)))

  const onChannel = <A>(use: (channel: Channel, call: Receiver.Reception["call"]) => Effect.Effect<A, BrokerError>) =>
    onLink((link) => {
      const call = callAs(link.username)
      return Effect.scoped(Effect.flatMap(Receiver.openChannel(link, call), (channel) => use(channel, call)))
    })

  const consumedQueue = (subscriber: string, queue: QueueKind | undefined): string =>
    queue === "parked" ? Topology.parkedQueue(namespace, subscriber) : Topology.subscriberQueue(namespace, subscriber)
  const queueOf = (source: DeadLetterSource): string =>
    source._tag === "Undeliverable" ? Topology.undeliverable(namespace) : Topology.deadQueue(namespace, source.name)

  return Broker.of({
    namespace,
    features: { transport: "amqp", persistent: true, remote: true, server: LineProbe.onlyServer(settings) },
    status,
    send: sender.send,
    declare: (spec) =>
      onLink((link) =>
        declareAll(link, Topology.subscriber(namespace, spec)).pipe(
          // The shared objects were deleted meanwhile: once more from the ground.
          Effect.catchIf(
            (error) => error.reason._tag === "TopologyMissing" && settings.topology === "assert",
            () => Effect.andThen(declareShared(link), declareAll(link, Topology.subscriber(namespace, spec)))
          )
        )
      ),
    consume: ({ queue, subscriber, ...rest }) =>
      Effect.flatMap(consumingLink, (link) =>
        Receiver.consume(link, {
          ...rest,
          namespace,
          queue: consumedQueue(subscriber, queue),
          tag: Receiver.consumerTag(subscriber, link.epoch, ++consumers),
          counters: acks,
          call: callAs(link.username)
        })
      ),
    consumeEphemeral: ({ patterns, ...rest }) =>
      Effect.gen(function* () {
        const link = yield* consumingLink
        const call = callAs(link.username)
        const queue = `${namespace}.tmp.${randomUUID()}`
        yield* Effect.scoped(
          Effect.gen(function* () {
            const channel = yield* Receiver.openChannel(link, call)
            yield* call("declaring", `queue ${queue}`, () => channel.assertQueue(queue, Receiver.ownQueue))
            for (const pattern of patterns) {
              yield* call("binding", `queue ${queue}`, () =>
                channel.bindQueue(queue, Topology.events(namespace), pattern)
              )
              yield* call("binding", `queue ${queue}`, () =>
                channel.bindQueue(queue, Ladder.deliverExchange(namespace), Ladder.anyDelay + Ladder.toEvent(pattern))
              )
            }
          })
        )
        const tag = Receiver.consumerTag("ephemeral", link.epoch, ++consumers)
        return yield* Receiver.consume(link, { ...rest, namespace, queue, tag, counters: acks, call })
      }),
    depth: (subscriber, kind) => {
      const queue = consumedQueue(subscriber, kind)
      return onChannel((channel, call) =>
        Effect.map(
          call("looking at", `queue ${queue}`, () => channel.checkQueue(queue)),
          ({ consumerCount, messageCount }) => ({ ready: messageCount, consumers: consumerCount })
        )
      )
    },
    deadLetterDepth: (source) => {
      const queue = queueOf(source)
      return onChannel((channel, call) =>
        Effect.map(
          call("looking at", `queue ${queue}`, () => channel.checkQueue(queue)),
          ({ messageCount }) => messageCount
        )
      )
    },
    readDeadLetters: (source) =>
      onLink((link) => DeadLetterQueue.read(link, { namespace, queue: queueOf(source), call: callAs(link.username) })),
    probes: [
      { name: "publish connection", check: SubscriptionRef.get(publishing.state).pipe(Effect.map(LineProbe.check)) },
      {
        name: "consume connection",
        check: Effect.suspend(() =>
          consumingState === undefined
            ? Effect.succeed({ status: "up" as const, detail: "not used" })
            : Effect.map(SubscriptionRef.get(consumingState.state), LineProbe.check)
        )
      },
      {
        name: "publish channels",
        check: Effect.sync(() => ({
          status: sender.channels() === settings.publishChannels ? ("up" as const) : ("degraded" as const),
          detail: `${sender.channels()} of ${settings.publishChannels} open, ${acks.late} late acknowledgements`
        }))
      },
      {
        name: "topology",
        check: Effect.succeed({
          status: "up" as const,
          detail:
            settings.topology === "verify"
              ? 'looked at: everything is there, its arguments are not known (topology "verify")'
              : "declared with its arguments"
        })
      },
      {
        name: "delay ladder",
        check: Effect.suspend(() => canary?.check ?? Effect.succeed({ status: "up" as const, detail: "not used" }))
      }
    ] satisfies ReadonlyArray<BrokerProbe>
  })
})

/** A broker that is back for one connection is so for the other: they do not wait out two backoffs. */
const wakes = (one: Connection.Connection, other: Connection.Connection): Effect.Effect<void> =>
  Stream.runForEach(SubscriptionRef.changes(one.state), ({ _tag }) => (_tag === "Up" ? other.wake : Effect.void))

const statusOf = (state: Connection.State): BrokerStatus => {
  switch (state._tag) {
    case "Up":
      return { _tag: "Up", since: state.since }
    case "Blocked":
      return { _tag: "Blocked", since: state.since, detail: state.detail }
    case "Connecting":
    case "Closed":
      return state
  }
}
