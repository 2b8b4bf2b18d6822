/**
 * Looking at dead letters takes nothing away, on a node whose operator has set a policy with a delivery limit: RabbitMQ
 * takes the smaller of a policy's limit and a queue's own.
 */
import { assert, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { DeadLetters } from "../../../src/bus/deadletter/DeadLetters.ts"
import * as DeadLettersLive from "../../../src/bus/deadletter/DeadLettersLive.ts"
import { Broker } from "../../../src/bus/port/Broker.ts"
import * as SignedBroker from "../../../src/bus/send/SignedBroker.ts"
import { describeLive, freshNamespace } from "../../support/live.ts"
import { awaitStartup, ownRabbit } from "../../support/OwnRabbit.ts"
import { subscriber } from "../setup/Consumers.ts"
import { isFrom43 } from "../setup/NodeSettings.ts"
import { open, rawChannel, type Service } from "../setup/OpenBroker.ts"
import { deadLetterOf, outgoing, sendUntilConfirmed } from "../setup/Sends.ts"
import { untilEffect } from "../setup/Until.ts"

const lettersOf = (broker: Service) =>
  Effect.provide(DeadLetters, DeadLettersLive.layer.pipe(Layer.provide(Layer.succeed(Broker, broker))))

describeLive(
  "looking at dead letters",
  () => {
    const node = ownRabbit({}, awaitStartup)

    /** A broker whose queues have a policy with this delivery limit. */
    const limited = Effect.fnUntraced(function* (limit: number, url = node().url) {
      const namespace = freshNamespace()
      const definition = JSON.stringify({ "delivery-limit": limit })
      yield* Effect.promise(() =>
        node().ctl("set_policy", namespace, `^${namespace}\\.`, definition, "--apply-to", "queues")
      )
      const { broker } = yield* open(url, { namespace })
      return { namespace, broker, letters: yield* lettersOf(broker) }
    })
    const fill = Effect.fnUntraced(function* (broker: Service, count: number) {
      yield* broker.declare(subscriber("a", ["x"]))
      const ids: Array<string> = []
      for (let n = 0; n < count; n++)
        yield* sendUntilConfirmed(broker, () => {
          const letter = outgoing(deadLetterOf("a"))
          ids[n] = letter.properties.messageId
          return letter
        })
      return ids
    })

    for (const limit of [1, 3])
      it.live(`P8: takes nothing and keeps their order with a delivery limit of ${limit}`, () =>
        Effect.gen(function* () {
          const { broker, letters } = yield* limited(limit)
          const ids = yield* fill(broker, 150)
          for (let look = 0; look < 8; look++) {
            const whole = yield* letters.list("a", { limit: 1000 })
            assert.deepStrictEqual(
              whole.map(({ eventId }) => eventId),
              ids
            )
            assert.strictEqual((yield* letters.list("a", { limit: 2 })).length, 2)
            const pages = yield* letters.list("a", { limit: 60, after: `0:${ids[59]}` })
            assert.deepStrictEqual(
              pages.map(({ eventId }) => eventId),
              ids.slice(60, 120)
            )
            assert.strictEqual((yield* letters.replay("a", { dryRun: true })).replayed, 150)
            assert.strictEqual((yield* letters.discard("a", { ids: ["none"] })).discarded, 0)
          }
          assert.strictEqual(yield* letters.count("a"), 150)
        })
      )

    it.live("P8: takes nothing away where readers die now and then: what came back counted is stored anew", () =>
      Effect.gen(function* () {
        const { broker, letters, namespace } = yield* limited(3)
        const ids = yield* fill(broker, 5)
        for (let death = 0; death < 6; death++) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const channel = yield* rawChannel(node().url)
              for (const _ of ids) yield* Effect.promise(() => channel.get(`${namespace}.dead.a`))
            })
          )
          yield* untilEffect(
            () => `the letters come back after death ${death}`,
            Effect.map(letters.count("a"), (count) => count === 5)
          )
          const found = (yield* letters.list("a")).map(({ eventId }) => eventId)
          assert.deepStrictEqual(found.toSorted(), ids.toSorted())
        }
      })
    )

    it.live("P8, P15: takes nothing where letters are signed, and each stays signed", () =>
      Effect.gen(function* () {
        const { broker } = yield* limited(3)
        const signing = SignedBroker.layer({ secret: "s".repeat(32), mode: "require" })
        const layer = signing.pipe(Layer.provide(Layer.succeed(Broker, broker)))
        const signed = yield* Effect.map(Layer.build(layer), (context) => Context.get(context, Broker))
        yield* fill(signed, 5)
        for (let look = 0; look < 8; look++) {
          const found = yield* Effect.scoped(
            Effect.gen(function* () {
              const reader = yield* signed.readDeadLetters({ _tag: "Subscriber", name: "a" })
              const all: Array<boolean | undefined> = []
              for (let n = 0; n < reader.count; n++) {
                const delivery = yield* reader.next
                all.push(delivery?.signed)
                if (delivery !== undefined) reader.keep(delivery)
              }
              return all
            })
          )
          assert.deepStrictEqual(found, [true, true, true, true, true])
        }
      })
    )

    it.live("P8: a letter that the broker made keeps its reason and time, an undeliverable copy its recipient", () =>
      Effect.gen(function* () {
        const { broker, letters, namespace } = yield* limited(3)
        yield* broker.declare(subscriber("a", ["x"]))
        const channel = yield* rawChannel(node().url)
        channel.publish(`${namespace}.events`, "x", Buffer.from("{}"), { expiration: "1", persistent: true })
        channel.publish(`${namespace}.delay.deliver`, `${"0.".repeat(20)}to.gone`, Buffer.from("{}"), {})
        yield* untilEffect(
          () => "the letters",
          Effect.map(
            Effect.all([letters.count("a"), letters.count(DeadLetters.undeliverable)]),
            ([a, b]) => a === 1 && b === 1
          )
        )
        const [first] = yield* letters.list("a")
        assert.strictEqual(first?.reason, "Expired")
        assert.isDefined(first?.lastFailure)
        for (let look = 0; look < 8; look++) {
          const [letter] = yield* letters.list("a")
          assert.deepInclude(letter, { reason: "Expired", lastFailure: first?.lastFailure, publishedAt: undefined })
          const recipient = yield* Effect.scoped(
            Effect.gen(function* () {
              const reader = yield* broker.readDeadLetters({ _tag: "Undeliverable" })
              const delivery = yield* reader.next
              if (delivery !== undefined) reader.keep(delivery)
              return delivery?.recipient
            })
          )
          assert.strictEqual(recipient, "gone")
        }
      })
    )

    it.live("P8: without the right to store letters anew a look fails instead of using them up", () =>
      Effect.gen(function* () {
        const { broker, letters, namespace } = yield* limited(3)
        yield* fill(broker, 5)
        const url = yield* Effect.promise(() =>
          node().addUser(namespace, "p", { write: `^${namespace}\\.(events|delay.*|undeliverable|sub.*)$` })
        )
        const reading = yield* open(url, { namespace, topology: "verify" })
        const looker = yield* lettersOf(reading.broker)
        if (yield* Effect.promise(() => isFrom43(node()))) {
          // Nothing has to be stored anew.
          for (let look = 0; look < 12; look++) assert.strictEqual((yield* looker.list("a")).length, 5)
        } else {
          // The second one finds out: it has taken the letters when they are refused.
          for (let look = 0; look < 2; look++) assert.strictEqual((yield* looker.list("a")).length, 5)
          for (let look = 0; look < 10; look++)
            assert.strictEqual((yield* Effect.flip(looker.list("a"))).reason._tag, "Permission")
        }
        assert.strictEqual((yield* letters.list("a")).length, 5)
      })
    )

    it.live("N2: a policy that drops letters at their first return is named by health, where a return counts", () =>
      Effect.gen(function* () {
        const { broker, letters } = yield* limited(0)
        yield* fill(broker, 3)
        assert.strictEqual((yield* letters.list("a")).length, 3)
        const probe = broker.probes.find(({ name }) => name === "looks at dead letters")
        assert.isDefined(probe)
        if (probe === undefined) return
        if (yield* Effect.promise(() => isFrom43(node()))) {
          assert.strictEqual((yield* letters.list("a")).length, 3)
          return assert.strictEqual((yield* probe.check).status, "up")
        }
        yield* untilEffect(
          () => "the loss in health",
          Effect.map(probe.check, ({ status }) => status === "degraded")
        )
        assert.match(
          (yield* probe.check).detail,
          /^3 of \S+\.dead\.a did not come back: a policy sets a delivery-limit/
        )
      })
    )

    it.live("P8: a reader whose consumer the broker cancelled fails, and what it has is lost", () =>
      Effect.gen(function* () {
        const { broker, namespace } = yield* limited(3)
        yield* fill(broker, 3)
        const reader = yield* broker.readDeadLetters({ _tag: "Subscriber", name: "a" })
        const first = yield* reader.next
        assert.strictEqual(first?.lost(), false)
        const channel = yield* rawChannel(node().url)
        yield* Effect.promise(() => channel.deleteQueue(`${namespace}.dead.a`))
        yield* untilEffect(
          () => "the loss of the delivery",
          Effect.sync(() => first?.lost() === true)
        )
        assert.strictEqual((yield* Effect.flip(reader.next)).reason._tag, "Refused")
      })
    )
  },
  ["rabbitNode"]
)
