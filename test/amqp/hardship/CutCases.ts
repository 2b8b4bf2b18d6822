/** A start that is interrupted at each of its steps: nothing stays open, and nothing is opened afterwards. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber } from "effect"
import { once } from "node:events"
import { connect, createServer, type Socket } from "node:net"
import * as AmqpBroker from "../../../src/amqp/AmqpBroker.ts"
import { freshNamespace } from "../../support/live.ts"
import type { RabbitNode } from "../../support/RabbitNode.ts"
import { subscriber } from "../setup/Consumers.ts"
import { linksOf, open } from "../setup/OpenBroker.ts"
import { until } from "../setup/Until.ts"

/** A proxy to the broker that reports each chunk before it passes it on. */
const relayTo = (target: number) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const sockets = new Set<Socket>()
      const relay = { port: 0, onPiece: (): void => {}, open: (): number => sockets.size, close: (): void => {} }
      const server = createServer({ noDelay: true }, (client) => {
        const broker = connect({ port: target, host: "127.0.0.1", noDelay: true })
        for (const [from, to] of [
          [client, broker],
          [broker, client]
        ] as const) {
          sockets.add(from)
          from
            .on("error", () => to.destroy())
            .on("close", () => {
              sockets.delete(from)
              to.end()
            })
          from.on("data", (piece) => {
            relay.onPiece()
            to.write(piece)
          })
        }
      })
      await once(server.listen(0, "127.0.0.1"), "listening")
      const address = server.address()
      relay.port = typeof address === "object" && address !== null ? address.port : 0
      relay.close = () => {
        server.close()
        for (const socket of sockets) socket.destroy()
      }
      return relay
    }),
    ({ close }) => Effect.sync(close)
  )

export const cutCases = (node: () => RabbitNode): void => {
  describe("Cut", () => {
    it.live("S4, P12: a start that is interrupted at any step leaves no connection, channel or consumer", () =>
      Effect.gen(function* () {
        const namespace = freshNamespace()
        const relay = yield* relayTo(node().port)
        const servers = `amqp://guest:guest@127.0.0.1:${relay.port}`
        const { broker, close } = yield* open(node().url, { namespace })
        yield* broker.declare(subscriber("a", ["x"]))
        yield* close
        const before = yield* linksOf(node(), (links) => links === 0)
        let consuming = 0
        const life = Effect.gen(function* () {
          const broker = yield* AmqpBroker.make({ servers, namespace, source: "cut", canaryInterval: "1 hour" })
          yield* broker.declare(subscriber("a", ["x"]))
          yield* broker.consume({ subscriber: "a", prefetch: 10, onDelivery: () => {}, onLost: () => {} })
          consuming++
        })
        let cuts = 0
        // Every step of the handshake, and enough of the hundred answers after it.
        for (let at = 1; consuming === 0; at += at < 30 ? 1 : 4) {
          let pieces = 0
          const cut = yield* Deferred.make<void>()
          relay.onPiece = () => {
            if (++pieces === at) Deferred.doneUnsafe(cut, Exit.void)
          }
          const starting = yield* Effect.forkChild(Effect.scoped(life), { startImmediately: true })
          yield* Effect.raceFirst(Deferred.await(cut), Fiber.await(starting))
          yield* Fiber.interrupt(starting)
          yield* until(
            () => `${relay.open()} sockets after a cut at piece ${at}`,
            () => relay.open() === 0
          )
          cuts++
        }
        // The last start was not interrupted: every step before it was.
        assert.isAbove(cuts, 20)
        yield* linksOf(node(), (links) => links === before)
        const again = yield* open(node().url, { namespace })
        assert.strictEqual((yield* again.broker.depth("a")).consumers, 0)
      })
    )
  })
}
