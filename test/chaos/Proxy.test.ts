/** The network faults of the proxy: slices, a throttle, a FIN, and connections that vanish silently. */
import { once } from "node:events"
import { connect, createServer, type Socket } from "node:net"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { type Proxy, startProxy } from "../support/Proxy.ts"

interface Connection extends AsyncDisposable {
  readonly client: Socket
  readonly server: Socket
}

describe("a faulty network", () => {
  const target = createServer({ allowHalfOpen: true, noDelay: true })
  let proxy: Proxy
  beforeEach(async () => {
    await once(target.listen(0, "127.0.0.1"), "listening")
    const address = target.address()
    assert.isObject(address)
    // A server on a port has an address with one.
    proxy = await startProxy((address as { readonly port: number }).port)
  })
  afterEach(async () => {
    await proxy.close()
    await new Promise((done) => target.close(done))
  })

  const open = async (): Promise<Connection> => {
    const accepted: Promise<Array<Socket>> = once(target, "connection")
    const client = connect({ port: proxy.port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true })
    await once(client, "connect")
    const [server] = await accepted
    assert.isDefined(server)
    for (const socket of [client, server!]) socket.on("error", () => {})
    return {
      client,
      server: server!,
      [Symbol.asyncDispose]: async () => {
        client.destroy()
        server!.destroy()
      }
    }
  }
  const text = Buffer.from(Array.from({ length: 10_000 }, (_, i) => i % 251))
  const receive = (socket: Socket, bytes: number): Promise<{ readonly body: Buffer; readonly chunks: number }> =>
    new Promise((resolve) => {
      const parts: Array<Buffer> = []
      socket.on("data", (part) => {
        parts.push(part)
        const body = Buffer.concat(parts)
        if (body.length >= bytes) resolve({ body, chunks: parts.length })
      })
    })

  it("slices the bytes and loses none", async () => {
    await using line = await open()
    proxy.slice(3)
    const received = receive(line.server, text.length)
    line.client.write(text)
    const { body, chunks } = await received
    assert.isTrue(body.equals(text))
    assert.isAbove(chunks, 100)
  })

  it("throttles in order, and a FIN waits its turn", async () => {
    await using line = await open()
    proxy.throttle(40_000)
    const received = receive(line.server, 2 * text.length)
    const ended = once(line.server, "end")
    const start = performance.now()
    line.client.write(text)
    line.client.end(text)
    const { body } = await received
    assert.isTrue(body.equals(Buffer.concat([text, text])))
    // 20,000 bytes of 40,000 a second, but for the first and the last portion.
    assert.isAbove(performance.now() - start, 400)
    await ended
  })

  it("a FIN reaches both ends behind what was sent", async () => {
    await using line = await open()
    const received = receive(line.server, 4)
    line.client.write("last")
    assert.strictEqual((await received).body.toString(), "last")
    line.client.resume()
    proxy.finish()
    await Promise.all([once(line.server, "end"), once(line.client, "end")])
    assert.strictEqual(proxy.accepted(), 1)
  })

  it("a swallowed connection stays silent; new connections work afterwards", async () => {
    await using dead = await open()
    let events = 0
    for (const event of ["data", "end", "error"]) dead.server.on(event, () => events++)
    proxy.swallow()
    dead.client.write("lost")
    dead.client.resetAndDestroy()
    await once(dead.client, "close")
    proxy.resume()
    await using alive = await open()
    const received = receive(alive.server, 4)
    alive.client.write("here")
    assert.strictEqual((await received).body.toString(), "here")
    assert.strictEqual(events, 0)
  })
})
