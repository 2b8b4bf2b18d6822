/**
 * Problems at the start, on a node of its own: each has its own reason, which names the value and the remedy, comes
 * within the deadline, and holds no secret (P14). Power loss comes last.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { once } from "node:events"
import { createServer, type Server, type Socket } from "node:net"
import { freePort } from "../support/Port.ts"
import { describeLive, freshNamespace } from "../support/live.ts"
import { awaitStartup, ownRabbit } from "../support/OwnRabbit.ts"
import { powerLossCase } from "./start/PowerLossCases.ts"
import { open, proxyTo, refusalOf, secret, statusIs } from "./setup/OpenBroker.ts"
import { outgoing, event, send, sendUntilConfirmed } from "./setup/Sends.ts"
import { until } from "./setup/Until.ts"
import { tlsCases } from "./start/TlsCases.ts"
import { topologyCases } from "./start/TopologyCases.ts"
import { waitingCase } from "./start/WaitingCases.ts"

/** A server that calls `talk` with each connection. */
const strange = (talk: (socket: Socket) => void) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const sockets = new Set<Socket>()
      const server = createServer((socket) => {
        sockets.add(socket)
        socket.on("error", () => {}).on("close", () => sockets.delete(socket))
        talk(socket.resume())
      })
      await once(server.listen(0, "127.0.0.1"), "listening")
      return { server, sockets, port: portOf(server) }
    }),
    ({ server, sockets }) =>
      Effect.sync(() => {
        for (const socket of sockets) socket.destroy()
        server.close()
      })
  )
const portOf = (server: Server): number => {
  const address = server.address()
  return typeof address === "object" && address !== null ? address.port : 0
}
const urlTo = (port: number, vhost = ""): string => `amqp://guest:${secret}@127.0.0.1:${port}${vhost}`

describeLive(
  "a RabbitMQ that refuses",
  () => {
    const node = ownRabbit({}, awaitStartup)

    describe.concurrent("Start", () => {
      it.live("N10: without a server the reason is Connection, with the address and the code of the system", () =>
        Effect.gen(function* () {
          const port = yield* Effect.promise(freePort)
          const refused = yield* refusalOf(urlTo(port), { connectTimeout: "5 seconds" })
          assert.deepInclude(refused.reason, {
            _tag: "Connection",
            address: `127.0.0.1:${port}`,
            detail: "ECONNREFUSED"
          })
          const unknown = yield* refusalOf(`amqp://user:${secret}@nobody.invalid`, {
            connectTimeout: "1 second",
            allowPlaintext: true
          })
          assert.deepInclude(unknown.reason, { _tag: "Connection", address: "nobody.invalid:5672" })
          assert.match(unknown.message, /ENOTFOUND|EAI_AGAIN|ETIMEDOUT/)
        })
      )

      it.live(
        "PUB4: a server that is frozen, dribbles, is silent, closes or is something else: Connection, in time, and no socket stays open",
        () =>
          Effect.gen(function* () {
            const proxy = yield* proxyTo(node().port)
            proxy.stall("down")
            const dribbling = yield* strange((socket) => {
              const timer = setInterval(() => socket.write("\x01"), 20)
              socket.on("close", () => clearInterval(timer))
            })
            const silent = yield* strange((socket) => void socket.resume())
            const closing = yield* strange((socket) => void socket.end())
            const web = yield* strange((socket) => void socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"))
            const table = [
              [proxy.port, "ETIMEDOUT"],
              [dribbling.port, "ETIMEDOUT"],
              [silent.port, "ETIMEDOUT"],
              [closing.port, "TLS"],
              [web.port, "handshake|TLS"]
            ] as const
            yield* Effect.forEach(
              table,
              ([port, detail]) =>
                Effect.map(
                  refusalOf(urlTo(port), {
                    // The others are dialled again until the deadline; one attempt must end, however busy the machine is.
                    connectTimeout: detail === "ETIMEDOUT" ? "3 seconds" : "6 seconds"
                  }),
                  ({ message, reason }) => {
                    assert.strictEqual(reason._tag, "Connection")
                    assert.include(message, `127.0.0.1:${port}`)
                    assert.match(message, new RegExp(detail))
                    // It is there, and says nothing.
                    const isStalled = message.includes("accepted the connection but did not answer the handshake")
                    assert.strictEqual(isStalled, detail === "ETIMEDOUT", message)
                    assert.strictEqual(message.includes("not reachable"), !isStalled, message)
                  }
                ),
              { concurrency: "unbounded" }
            )
            proxy.resume()
            for (const { sockets } of [dribbling, silent, closing, web])
              yield* until(
                () => "no socket",
                () => sockets.size === 0
              )
            yield* until(
              () => "no connection",
              () => proxy.connections() === 0
            )
          })
      )

      it.live("PUB16, PUB17: a wrong user, password or vhost fails at once, with the names", () =>
        Effect.gen(function* () {
          const password = yield* refusalOf(urlTo(node().port))
          assert.deepInclude(password.reason, {
            _tag: "Authentication",
            username: "guest",
            address: `127.0.0.1:${node().port}`
          })
          const user = yield* refusalOf({
            hosts: [`localhost:${node().port}`],
            username: "nobody",
            password: Redacted.make(secret)
          })
          assert.deepInclude(user.reason, { _tag: "Authentication", username: "nobody" })
          const vhost = yield* refusalOf(`${node().url}/missing`)
          assert.deepInclude(vhost.reason, { _tag: "Vhost", vhost: "missing", username: "guest" })
          assert.include(vhost.message, "add_vhost")
          yield* Effect.promise(() => node().ctl("add_user", "outsider", secret))
          const outsider = yield* refusalOf(`amqp://outsider:${secret}@127.0.0.1:${node().port}`)
          assert.deepInclude(outsider.reason, { _tag: "Vhost", vhost: "/", username: "outsider" })
        })
      )

      it.live("a vhost may have any name", () =>
        Effect.gen(function* () {
          const url = yield* Effect.promise(() => node().addVhost("a%20b/100% +ü"))
          const { broker } = yield* open(url)
          assert.strictEqual((yield* send(broker, outgoing(event("x"))))._tag, "Confirmed")
        })
      )

      it.live("N24: dead and frozen servers are skipped when there are several", () =>
        Effect.gen(function* () {
          const dead = yield* Effect.promise(freePort)
          const proxy = yield* proxyTo(node().port)
          proxy.stall("down")
          const urls = [urlTo(dead), urlTo(proxy.port), node().url].join(",")
          // The order is random: often enough for each to come first.
          const namespace = freshNamespace()
          yield* Effect.forEach(
            [1, 2, 3, 4, 5, 6],
            () => Effect.scoped(open(urls, { namespace, connectTimeout: "24 seconds" })),
            { concurrency: "unbounded" }
          )
          const none = yield* refusalOf(`${urlTo(dead)},${urlTo(proxy.port)}`, { connectTimeout: "1 second" })
          assert.strictEqual(none.reason._tag, "Connection")
        })
      )

      it.live("O6, N24: credentials are read at each connect, and may fail or never come", () =>
        Effect.gen(function* () {
          const proxy = yield* proxyTo(node().port)
          let password = "first"
          let asked = 0
          yield* Effect.promise(() => node().addUser("rotating", password))
          const credentials = Effect.sync(() => {
            asked++
            return { username: "rotating", password: Redacted.make(password) }
          })
          const { broker } = yield* open(`amqp://127.0.0.1:${proxy.port}`, { credentials })
          assert.strictEqual(asked, 1)
          password = "second"
          yield* Effect.promise(() => node().ctl("change_password", "rotating", password))
          proxy.reset()
          yield* until(
            () => "they are asked again",
            () => asked > 1
          )
          yield* statusIs(broker, "Up")
          assert.strictEqual((yield* sendUntilConfirmed(broker, () => outgoing(event("x"))))._tag, "Confirmed")
          const thrown = yield* refusalOf(node().url, {
            credentials: Effect.die(new Error(secret))
          })
          assert.include(thrown.message, "credentials")
          const never = yield* refusalOf(node().url, { connectTimeout: "500 millis", credentials: Effect.never })
          assert.strictEqual(never.reason._tag, "Connection")
        })
      )

      waitingCase(node)
    })
    topologyCases(node)
    tlsCases(node)
    // Last: it kills the node.
    powerLossCase(node)
  },
  ["rabbitNode"]
)
