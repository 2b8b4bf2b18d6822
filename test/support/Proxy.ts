/**
 * A TCP proxy for fault tests: a network between a client and its broker that can hang, break and be
 * gone, while both ends are well.
 */
import { once } from "node:events"
import { connect, createServer, type Server, type Socket } from "node:net"
import { freePort } from "./Port.ts"

/** "up" is what the client sends, "down" what the server sends. */
export type Direction = "up" | "down" | "both"

export interface Proxy {
  readonly port: number
  /** Open connections. */
  readonly connections: () => number
  /** Holds back what is sent in this direction, on open connections and on later ones. Nothing is lost. */
  readonly stall: (direction: Direction) => void
  /** Ends every stall. */
  readonly resume: () => void
  /** Breaks every open connection: RST to both ends, what was on the way is lost. */
  readonly reset: () => void
  /** New connections get ECONNREFUSED, open ones stay; `false` listens again, on the same port. */
  readonly refuse: (on: boolean) => Promise<void>
  readonly close: () => Promise<void>
  readonly [Symbol.asyncDispose]: () => Promise<void>
}

/** Forwards a free port of the loopback interface to the given one. */
export const startProxy = async (targetPort: number): Promise<Proxy> => {
  const port = await freePort()
  const links = new Set<Link>()
  const stalled = { up: false, down: false }
  const accept = (client: Socket): void => {
    const link = makeLink(
      client,
      connect({ port: targetPort, host: "127.0.0.1", allowHalfOpen: true, noDelay: true }),
      stalled
    )
    links.add(link)
    link.onceClosed(() => links.delete(link))
  }
  const listen = async (): Promise<Server> => {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, accept)
    await once(server.listen(port, "127.0.0.1"), "listening")
    return server
  }
  const each = (f: (link: Link) => void): void => [...links].forEach(f)
  // A server object closes for good only with its last connection, so each listening phase has a new one.
  let server: Server | undefined = await listen()
  const refuse = async (on: boolean): Promise<void> => {
    if (on) {
      server?.close()
      server = undefined
    } else {
      server ??= await listen()
    }
  }
  const close = async (): Promise<void> => {
    await refuse(true)
    each((link) => link.reset())
  }
  return {
    port,
    connections: () => links.size,
    stall: (direction) => {
      stalled.up ||= direction !== "down"
      stalled.down ||= direction !== "up"
      each((link) => link.flow())
    },
    resume: () => {
      stalled.up = stalled.down = false
      each((link) => link.flow())
    },
    reset: () => each((link) => link.reset()),
    refuse,
    close,
    [Symbol.asyncDispose]: close
  }
}

/** One client and its connection to the server. */
interface Link {
  /** Lets the bytes run, or not, as `stalled` says now. */
  readonly flow: () => void
  readonly reset: () => void
  readonly onceClosed: (f: () => void) => void
}

const makeLink = (client: Socket, server: Socket, stalled: Readonly<Record<"up" | "down", boolean>>): Link => {
  const up = makePipe(client, server, () => stalled.up)
  const down = makePipe(server, client, () => stalled.down)
  const flow = (): void => {
    up()
    down()
  }
  flow()
  const reset = (): void => {
    client.resetAndDestroy()
    // Of a connection that is still being made there is nothing to reset.
    if (server.connecting) server.destroy()
    else server.resetAndDestroy()
  }
  return { flow, reset, onceClosed: (f) => client.once("close", f) }
}

/**
 * Forwards one direction; the result starts or stops it. A stalled socket is not read at all: the
 * sender sees its window fill up, and its FIN waits behind the data, as with a network that hangs.
 */
const makePipe = (from: Socket, to: Socket, isStalled: () => boolean): (() => void) => {
  const flow = (): void => void (isStalled() || to.writableNeedDrain ? from.pause() : from.resume())
  from.on("data", (chunk) => {
    if (!to.write(chunk)) from.pause()
  })
  from.on("end", () => to.end())
  from.on("error", () => to.resetAndDestroy())
  to.on("drain", flow)
  return flow
}
