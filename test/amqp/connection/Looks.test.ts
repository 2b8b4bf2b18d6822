/** Looks at queues share a channel, and what concerns one queue reaches no other. */
import { assert, it } from "@effect/vitest"
import { connect } from "amqplib"
import { Effect, Exit, Fiber } from "effect"
import { describeLive } from "../../support/live.ts"
import { ownRabbit } from "../../support/OwnRabbit.ts"
import { countChannels } from "../setup/ChannelCounts.ts"
import { open } from "../setup/OpenBroker.ts"

const names = ["a.one", "b.two", "c.three", "d.four", "e.five"]

describeLive(
  "looks at queues",
  () => {
    const node = ownRabbit()

    const stage = Effect.gen(function* () {
      const { broker } = yield* open(node().url)
      for (const name of names) yield* broker.declare({ name, ordering: "none", patterns: [`${name}.posted`] })
      const lookAll = Effect.forEach(names, (name) => Effect.exit(broker.depth(name)), { concurrency: "unbounded" })
      return { broker, lookAll }
    })

    it.live("cost one channel, however many they are", () =>
      Effect.gen(function* () {
        const { lookAll } = yield* stage
        const opened = countChannels()
        for (let round = 0; round < 5; round++)
          for (const exit of yield* lookAll) assert.deepStrictEqual(exit, Exit.succeed({ ready: 0, consumers: 0 }))
        assert.strictEqual(opened(), 1)
      })
    )

    it.live("P11: a queue that is missing is a failure of its own look, and the others are answered", () =>
      Effect.gen(function* () {
        const { broker, lookAll } = yield* stage
        for (let round = 0; round < 3; round++) {
          const looks = [
            lookAll,
            Effect.map(Effect.flip(broker.depth("no.such")), ({ reason }) => reason._tag),
            lookAll
          ]
          const [before, missing, after] = yield* Effect.all(looks, { concurrency: "unbounded" })
          assert.strictEqual(missing, "TopologyMissing")
          assert.isTrue([before, after].flat().every((exit) => Exit.isExit(exit) && Exit.isSuccess(exit)))
        }
      })
    )

    it.live("P11: a queue that hangs holds up no look at another one", () =>
      Effect.gen(function* () {
        const { broker, lookAll } = yield* stage
        // So that they share a channel from now on.
        yield* lookAll
        // A look at a quorum queue is answered without its leader; a classic one has to answer itself.
        const queue = `${broker.namespace}.sub.hanging`
        yield* Effect.promise(async () => {
          const connection = await connect(node().url)
          await (await connection.createChannel()).assertQueue(queue, { durable: true })
          await connection.close()
        })
        const process = (change: "suspend" | "resume") =>
          Effect.promise(() =>
            node().eval(
              `{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"${queue}">>)), sys:${change}(amqqueue:get_pid(Q)).`
            )
          )
        yield* Effect.acquireRelease(process("suspend"), () => process("resume"))
        const hangs = yield* Effect.forkChild(broker.depth("hanging"), { startImmediately: true })
        for (const exit of yield* lookAll) assert.deepStrictEqual(exit, Exit.succeed({ ready: 0, consumers: 0 }))
        assert.isUndefined(hangs.pollUnsafe(), "its own look still waits")
        yield* process("resume")
        assert.deepStrictEqual(yield* Fiber.join(hangs), { ready: 0, consumers: 0 })
      })
    )
  },
  ["rabbitNode"]
)
