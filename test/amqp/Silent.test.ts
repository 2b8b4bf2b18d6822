/** Nodes that keep a connection open and do nothing for it: cut off from their cluster, or hung. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import type { AmqpOptions } from "../../src/amqp/AmqpOptions.ts"
import type { Service } from "./setup/OpenBroker.ts"
import { describeLive, freshNamespace } from "../support/live.ts"
import { ownRabbit } from "../support/OwnRabbit.ts"
import type { Proxy } from "../support/Proxy.ts"
import type { RabbitNode } from "../support/RabbitNode.ts"
import { consume, subscriber } from "./setup/Consumers.ts"
import { open, proxyTo } from "./setup/OpenBroker.ts"
import { event, outgoing, post, send, sendUntilConfirmed, type Sent } from "./setup/Sends.ts"
import { until, untilEffect } from "./setup/Until.ts"

const quorumQueues = "[Q || Q <- rabbit_amqqueue:list(), amqqueue:get_type(Q) =:= rabbit_quorum_queue]"

/** The channels that publishes wait on. */
const confirmChannels = "[P || P <- rabbit_channel:list(), rabbit_channel:info(P, [confirm]) =:= [{confirm, true}]]"

/** As on a node that was cut off from its cluster: methods are answered, and nothing is stored on a quorum queue. */
const cutOff = (node: RabbitNode) =>
  Effect.promise(() => node.eval(`[ok = sys:suspend(element(1, amqqueue:get_pid(Q))) || Q <- ${quorumQueues}], ok.`))

const connectionsOf = (broker: Service) => Effect.forEach(broker.probes.slice(0, 2), ({ check }) => check)

/** The nodes are two brokers that know nothing of each other, which is what a client sees of a node that was cut off. */
describeLive(
  "a node that is silent",
  () => {
    const first = ownRabbit()
    const second = ownRabbit()

    /** A broker with a consumer, whose lines are both to the first address, or the consuming one to the other. */
    const stage = Effect.fnUntraced(function* (
      one: Proxy,
      other: Proxy,
      { isApart = false, ...options }: Partial<AmqpOptions> & { readonly isApart?: boolean } = {}
    ) {
      const namespace = freshNamespace()
      const settings = { namespace, callTimeout: "2 seconds", connectTimeout: "20 seconds", ...options } as const
      // What the nodes of a cluster have in common.
      const elsewhere = yield* open(second().url, settings)
      yield* elsewhere.broker.declare(subscriber("s", ["x"]))
      yield* consume(elsewhere.broker, "s").pipe(Effect.scoped)
      yield* untilEffect(
        () => "no queue of canaries",
        Effect.promise(async () => (await second().ctl("list_queues", "name")).includes(`${namespace}.canary`))
      )
      yield* elsewhere.close
      yield* Effect.promise(() => other.refuse(true))
      const { broker } = yield* open(`amqp://127.0.0.1:${one.port},amqp://127.0.0.1:${other.port}`, settings)
      if (isApart)
        yield* Effect.promise(async () => {
          await other.refuse(false)
          await one.refuse(true)
        })
      yield* broker.declare(subscriber("s", ["x"]))
      const consumer = yield* consume(broker, "s")
      yield* Effect.promise(() => one.refuse(false))
      yield* send(broker, outgoing(event("x")))
      // Two brokers that know nothing of each other.
      if (!isApart) yield* consumer.reaches(1)
      yield* untilEffect(
        () => "no queue of canaries",
        Effect.promise(async () => (await first().ctl("list_queues", "name")).includes(`${namespace}.canary`))
      )
      yield* Effect.promise(() => other.refuse(false))
      return { broker, consumer }
    })

    /** Both lines are at this address, and it is said that they are. */
    const movesTo = (broker: Service, { port }: Proxy) => {
      let seen = ""
      return untilEffect(
        () => seen,
        Effect.map(connectionsOf(broker), (checks) => {
          seen = checks.map(({ detail, status }) => `${status} ${detail}`).join()
          return checks.every(({ detail, status }) => status === "up" && detail.includes(`127.0.0.1:${port},`))
        })
      )
    }

    it.live("P11: because it hangs is left by both lines, under way or at rest; its address is tried last", () =>
      Effect.gen(function* () {
        const one = yield* proxyTo(first().port)
        const other = yield* proxyTo(second().port)
        // Heartbeats play no part.
        const { broker, consumer } = yield* stage(one, other, { heartbeat: "1 hour" })
        one.swallow()
        yield* movesTo(broker, other)
        assert.lengthOf(consumer.losses, 1)
        yield* sendUntilConfirmed(broker, () => outgoing(event("x")))
        // It would answer again.
        one.resume()
        const accepted = one.accepted()
        other.reset()
        yield* movesTo(broker, other)
        assert.strictEqual(one.accepted(), accepted)
      })
    )

    it.live(
      "P1, P11: because it was cut off from its cluster is left by both lines, though it answers every method",
      () =>
        Effect.gen(function* () {
          const one = yield* proxyTo(first().port)
          const other = yield* proxyTo(second().port)
          const { broker, consumer } = yield* stage(one, other)
          yield* cutOff(first())
          const posts: Array<Sent> = [post(broker, outgoing(event("x")))]
          yield* movesTo(broker, other)
          assert.lengthOf(consumer.losses, 1)
          // Not by the connection for declarations that is open to the silent node: there nothing may answer.
          yield* broker.declare(subscriber("s", ["x"]))
          yield* until(
            () => `${one.connections()} connections to it`,
            () => one.connections() === 0
          )
          yield* until(
            () => "no outcome",
            () => posts.every(({ outcomes }) => outcomes.length === 1)
          )
          assert.strictEqual(posts[0]?.outcomes[0]?._tag, "Unknown")
          yield* sendUntilConfirmed(broker, () => outgoing(event("x")))
        })
    )

    it.live("P11: because it was cut off is left by the consuming line, too, where no publishing line asks it", () =>
      Effect.gen(function* () {
        const one = yield* proxyTo(first().port)
        const other = yield* proxyTo(second().port)
        yield* Effect.promise(() => first().restart())
        yield* Effect.promise(() => second().restart())
        const { broker, consumer } = yield* stage(one, other, { isApart: true })
        const before = (yield* connectionsOf(broker)).map(({ detail }) => detail)
        assert.include(before[0], `127.0.0.1:${one.port},`)
        assert.include(before[1], `127.0.0.1:${other.port},`)
        yield* cutOff(second())
        yield* movesTo(broker, one)
        assert.lengthOf(consumer.losses, 1)
        assert.include((yield* connectionsOf(broker))[0]?.detail ?? "", "epoch 1")
      })
    )

    it.live("P11: is not left when no other address does better: health is down", () =>
      Effect.gen(function* () {
        const one = yield* proxyTo(first().port)
        const other = yield* proxyTo(second().port)
        yield* Effect.promise(() => first().restart())
        yield* Effect.promise(() => second().restart())
        const { broker, consumer } = yield* stage(one, other)
        yield* cutOff(first())
        yield* cutOff(second())
        const asked = other.accepted()
        yield* untilEffect(
          () => "not down",
          Effect.map(
            connectionsOf(broker),
            ([publishing]) => publishing?.status === "down" && /has confirmed nothing/.test(publishing.detail)
          )
        )
        // Asked again and again.
        yield* until(
          () => `asked ${other.accepted() - asked} times`,
          () => other.accepted() >= asked + 3
        )
        assert.deepStrictEqual(consumer.losses, [])
        assert.include((yield* connectionsOf(broker)).map(({ detail }) => detail).join(), "epoch 1")
      })
    )

    it.live(
      "P1, P11: gets another publishing line when a channel stands still and the node stores what others send",
      () =>
        Effect.gen(function* () {
          yield* Effect.promise(() => first().restart())
          const one = yield* proxyTo(first().port)
          const { broker } = yield* open(`amqp://127.0.0.1:${one.port}`, { callTimeout: "2 seconds" })
          yield* broker.declare(subscriber("s", ["x"]))
          const consumer = yield* consume(broker, "s")
          yield* send(broker, outgoing(event("x")))
          yield* consumer.reaches(1)
          // As while it waits for the leader of a queue that cannot be reached.
          yield* Effect.promise(() => first().eval(`[ok = sys:suspend(P) || P <- ${confirmChannels}], ok.`))
          // Nothing else ends the wait: the channels stay as they are.
          const sent = post(broker, outgoing(event("x")))
          yield* until(
            () => "no outcome",
            () => sent.outcomes.length === 1
          )
          assert.strictEqual(sent.outcomes[0]?._tag, "Unknown")
          yield* sendUntilConfirmed(broker, () => outgoing(event("x")))
          assert.deepStrictEqual(consumer.losses, [])
          const [publishing, consuming] = (yield* connectionsOf(broker)).map(({ detail }) => detail)
          assert.include(publishing ?? "", "epoch 2")
          assert.include(consuming ?? "", "epoch 1")
        })
    )

    it.live("P11: and has the only address is dialled again", () =>
      Effect.gen(function* () {
        yield* Effect.promise(() => first().restart())
        const one = yield* proxyTo(first().port)
        const { broker } = yield* open(`amqp://127.0.0.1:${one.port}`, { callTimeout: "1 second" })
        yield* send(broker, outgoing(event("x")))
        const accepted = one.accepted()
        yield* cutOff(first())
        const posts = [post(broker, outgoing({ _tag: "DelayedEvent", name: "x", seconds: 1 }))]
        yield* until(
          () => "not dialled again",
          () => one.accepted() > accepted
        )
        yield* until(
          () => "no outcome",
          () => posts.every(({ outcomes }) => outcomes.length === 1)
        )
      })
    )
  },
  ["rabbitNode"]
)
