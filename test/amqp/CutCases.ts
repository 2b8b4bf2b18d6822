/** A start that is ended at every step of it: nothing stays open, and nothing appears afterwards. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber } from "effect"
import { once } from "node:events"
import { connect, createServer, type Socket } from "node:net"
import * as AmqpBroker from "../../src/amqp/AmqpBroker.ts"
import { freshNamespace } from "../support/live.ts"
import type { RabbitNode } from "../support/RabbitNode.ts"
import { linksOf, open, subscriber, until } from "./Stage.ts"

/** A way to the broker that tells of every piece that passes, before it passes. */
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
    it.live(
      "S4, P12: a start that is ended at any step leaves no connection, no channel and no consumer",
      () =>
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
          // Every step of the handshake, and of the hundred answers after it enough.
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
          // The last one was not cut any more: every step before it was.
          assert.isAbove(cuts, 20)
          yield* linksOf(node(), (links) => links === before)
          const again = yield* open(node().url, { namespace })
          assert.strictEqual((yield* again.broker.depth("a")).consumers, 0)
        }),
      60_000
    )
  })
}
