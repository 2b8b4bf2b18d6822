/** A publish channel that a queue still refuses although it has room again. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { settle } from "../../../src/amqp/AmqpOptions.ts"
import * as Connection from "../../../src/amqp/connection/Connection.ts"
import * as Sender from "../../../src/amqp/publishing/Sender.ts"
import { type Outgoing, type SendOutcome, inFlight } from "../../../src/bus/port/Broker.ts"
import type { RabbitNode } from "../../support/RabbitNode.ts"
import { alone } from "../setup/AloneConnection.ts"
import { consume, subscriber } from "../setup/Consumers.ts"
import { open, rawChannel } from "../setup/OpenBroker.ts"
import { event, outgoing } from "../setup/Sends.ts"
import { untilEffect } from "../setup/Until.ts"

export const renewalCase = (node: () => RabbitNode): void => {
  it.live(
    "PUB10, P6, P11: a limit is removed: RabbitMQ 3.10 refuses the channel for ever, and the channel is replaced without losing the order",
    () =>
      Effect.gen(function* () {
        const { broker } = yield* open(node().url)
        const { namespace } = broker
        yield* broker.declare(subscriber("a", ["x"]))
        const url = new URL(node().url)
        const settings = yield* Effect.fromResult(settle({ servers: url.href, namespace, source: "renewed" }))
        const sender = Sender.make({
          namespace,
          size: 1,
          callMillis: 10_000,
          now: () => 0,
          renewMillis: 300,
          repair: () => Effect.void,
          levels: () => Effect.void
        })
        const connection = yield* Connection.make(settings, "publish", sender.open, yield* alone)
        yield* connection.started
        const later = outgoing(event("x"), { key: "k" })
        const posted = (message: Outgoing) =>
          Effect.callback<SendOutcome>((resume) =>
            sender.send(inFlight(message, (outcome) => resume(Effect.succeed(outcome))))
          )
        const queue = `${namespace}.sub.a`
        yield* Effect.promise(() =>
          node().ctl("set_policy", "--apply-to", "queues", queue, `^${queue}$`, '{"max-length":1}')
        )
        let before = 0
        yield* untilEffect(
          () => "it is full",
          Effect.map(posted(outgoing(event("x"))), ({ _tag }) => {
            if (_tag === "Confirmed") before++
            return _tag === "Rejected"
          })
        )
        yield* Effect.promise(() => node().ctl("clear_policy", queue))
        yield* untilEffect(
          () => "there is room",
          Effect.map(posted(later), ({ _tag }) => _tag === "Confirmed")
        )
        // While it is replaced again and again the order is kept.
        const raw = yield* rawChannel(node().url)
        yield* Effect.promise(async () => {
          await raw.assertQueue(`${namespace}.full`, {
            exclusive: true,
            arguments: { "x-max-length": 1, "x-overflow": "reject-publish" }
          })
          await raw.bindQueue(`${namespace}.full`, `${namespace}.events`, "full")
        })
        const ids: Array<string> = []
        const open_: Array<Promise<string>> = []
        for (let n = 0; n < 600; n++) {
          const message = outgoing(event("x"), { key: "k" })
          ids.push(message.properties.messageId)
          open_.push(new Promise((resolve) => sender.send(inFlight(message, ({ _tag }) => resolve(_tag)))))
          sender.send(inFlight(outgoing(event("full"), { key: "k" }), () => {}))
          if (n % 3 === 0) yield* Effect.sleep(2)
        }
        assert.deepStrictEqual(new Set(yield* Effect.promise(() => Promise.all(open_))), new Set(["Confirmed"]))
        const consumer = yield* consume(broker, "a", 250, ({ ack }) => ack())
        yield* consumer.reaches(before + 1 + ids.length)
        assert.deepStrictEqual(consumer.ids().slice(before + 1), ids)
      })
  )
}
