/** Consumers that break, and acknowledgements that leave at once. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { RabbitNode } from "../../support/RabbitNode.ts"
import { consume, subscriber } from "../setup/Consumers.ts"
import { open, proxyTo, statusIs } from "../setup/OpenBroker.ts"
import { event, outgoing, send } from "../setup/Sends.ts"
import { until } from "../setup/Until.ts"

export const readerCases = (node: () => RabbitNode): void => {
  describe.concurrent("Receiver, on its own", () => {
    // A large body comes in pieces, which amqplib puts together.
    for (const [size, reader] of [
      [2, "from the bytes"],
      [400_000, "by amqplib"]
    ] as const) {
      it.live(`P11: a delivery that cannot be taken ends its consumer only, read ${reader}`, () =>
        Effect.gen(function* () {
          const { broker } = yield* open(node().url)
          yield* broker.declare(subscriber("bad", ["x"]))
          yield* broker.declare(subscriber("good", ["x"]))
          const good = yield* consume(broker, "good")
          const bad = yield* consume(broker, "bad", 100, () => {
            throw new Error("broken")
          })
          const one = () => send(broker, outgoing(event("x"), { body: Buffer.alloc(size, "1") }))
          yield* one()
          yield* until(
            () => "the loss",
            () => bad.losses.length > 0
          )
          yield* one()
          yield* good.reaches(2)
          assert.deepStrictEqual(good.losses, [])
          assert.strictEqual(bad.losses.length, 1)
          assert.strictEqual(bad.losses[0]?.reason._tag, "Refused")
          assert.match(
            bad.losses[0]?.message ?? "",
            /a delivery could not be read \(broken\).*look at the first message/
          )
          assert.isTrue(bad.deliveries[0]?.lost())
          // The connection is the same: what was delivered before can still be settled.
          assert.isFalse(good.deliveries[0]?.lost())
          yield* statusIs(broker, "Up")
          // Nothing is lost with it.
          yield* bad.close
          const again = yield* consume(broker, "bad")
          yield* again.reaches(2)
        })
      )
    }

    it.live("P3: what is flushed is on the wire before anything else can run", () =>
      Effect.gen(function* () {
        const proxy = yield* proxyTo(node().port)
        const { broker } = yield* open(`amqp://guest:guest@127.0.0.1:${proxy.port}`)
        yield* broker.declare(subscriber("a", ["x"]))
        const first = yield* consume(broker, "a")
        for (let n = 0; n < 3; n++) yield* send(broker, outgoing(event("x")))
        yield* first.reaches(3)
        const calls: Array<string> = []
        first.deliveries[1]?.ack()
        // Nothing waits in the socket: it has gone when the call returns, and no later turn is needed.
        assert.isTrue(first.flush(() => calls.push("sent")))
        assert.isTrue(first.flush(() => calls.push("sent")))
        first.deliveries[0]?.ack()
        assert.isTrue(first.flush(() => calls.push("sent")))
        yield* first.close
        assert.isTrue(first.flush(() => calls.push("sent")))
        assert.deepStrictEqual(calls, [])
        const second = yield* consume(broker, "a")
        yield* second.reaches(1)
        assert.deepStrictEqual(second.ids(), first.ids().slice(2))
      })
    )
  })
}
