/**
 * A TCP proxy for fault tests: a network between a client and its broker that can hang, break and disappear while
 * both ends are healthy.
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
  /** How many connections were ever opened. */
  readonly accepted: () => number
  /** Holds back bytes in this direction, on open connections and later ones. Nothing is lost. */
  readonly stall: (direction: Direction) => void
  /** Forwards in writes of this many bytes, on open connections and later ones. */
  readonly slice: (bytes: number) => void
  /** Forwards this many bytes a second in each direction, on open connections and later ones. */
  readonly throttle: (bytesPerSecond: number) => void
  /**
   * Half-open: bytes are accepted and lost, FIN and RST too, on open connections and later ones. `resume` ends it for
   * new connections; those that were open stay dead silently.
   */
  readonly swallow: () => void
  /** Ends every stall, slicing, throttling and swallowing. */
  readonly resume: () => void
  /** Breaks every open connection: RST to both ends, bytes on the way are lost. */
  readonly reset: () => void
  /** Breaks every open connection for the server alone: its clients hear nothing any more. */
  readonly lose: () => void
  /** Ends every open connection in good order: FIN to both ends, behind the bytes on the way. */
  readonly finish: () => void
  /** New connections lead to this port of the loopback interface; open ones stay where they are. */
  readonly leadTo: (port: number) => void
  /** New connections get ECONNREFUSED, open ones stay; `false` listens again, on the same port. */
  readonly refuse: (on: boolean) => Promise<void>
  readonly close: () => Promise<void>
  readonly [Symbol.asyncDispose]: () => Promise<void>
}

/** How bytes are treated now. */
interface Weather {
  readonly stalled: { up: boolean; down: boolean }
  slice: number
  bytesPerSecond: number
  swallowing: boolean
}

const fair = (): Weather => ({
  stalled: { up: false, down: false },
  slice: Number.POSITIVE_INFINITY,
  bytesPerSecond: Number.POSITIVE_INFINITY,
  swallowing: false
})

/** Forwards a free port of the loopback interface to the given one. */
export const startProxy = async (targetPort: number): Promise<Proxy> => {
  const port = await freePort()
  const links = new Set<Link>()
  /** Swallowed connections stay open until the end. */
  const sockets = new Set<Socket>()
  const weather = fair()
  let target = targetPort
  let accepted = 0
  const accept = (client: Socket): void => {
    accepted++
    const server = connect({ port: target, host: "127.0.0.1", allowHalfOpen: true, noDelay: true })
    const link = makeLink(client, server, weather)
    links.add(link)
    client.once("close", () => links.delete(link))
    for (const socket of [client, server]) {
      sockets.add(socket)
      socket.once("close", () => sockets.delete(socket))
    }
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
    for (const socket of sockets) socket.destroy()
  }
  const flow = (): void => each((link) => link.flow())
  return {
    port,
    connections: () => links.size,
    accepted: () => accepted,
    stall: (direction) => {
      weather.stalled.up ||= direction !== "down"
      weather.stalled.down ||= direction !== "up"
      flow()
    },
    slice: (bytes) => void (weather.slice = bytes),
    throttle: (bytesPerSecond) => void (weather.bytesPerSecond = bytesPerSecond),
    swallow: () => {
      weather.swallowing = true
      flow()
    },
    resume: () => {
      Object.assign(weather, fair())
      flow()
    },
    reset: () => each((link) => link.reset()),
    lose: () => each((link) => link.lose()),
    finish: () => each((link) => link.finish()),
    leadTo: (port) => void (target = port),
    refuse,
    close,
    [Symbol.asyncDispose]: close
  }
}

/** One client and its connection to the server. */
interface Link {
  /** Applies the present treatment of bytes. */
  readonly flow: () => void
  readonly reset: () => void
  readonly lose: () => void
  readonly finish: () => void
}

const makeLink = (client: Socket, server: Socket, weather: Weather): Link => {
  /** Permanent: bytes are missing, so the connection can never work again. */
  const hole = { on: weather.swallowing }
  const up = makePipe(client, server, weather, hole, () => weather.stalled.up)
  const down = makePipe(server, client, weather, hole, () => weather.stalled.down)
  const flow = (): void => {
    hole.on ||= weather.swallowing
    up.flow()
    down.flow()
  }
  flow()
  const resetServer = (): void => {
    // A connection that is still being opened cannot be reset.
    if (server.connecting) server.destroy()
    else server.resetAndDestroy()
  }
  return {
    flow,
    reset: () => {
      client.resetAndDestroy()
      resetServer()
    },
    lose: () => {
      hole.on = true
      flow()
      resetServer()
    },
    finish: () => {
      up.finish()
      down.finish()
    }
  }
}

const tickMillis = 25
/** Small enough that one read rarely gets more, large enough that bytes get through. */
const slicesPerTurn = 4

/**
 * Forwards one direction. A socket that is stalled, or ahead of its throttle, is not read at all: the
 * sender sees its window fill up, and its FIN waits behind the data, as with a network that hangs.
 */
const makePipe = (
  from: Socket,
  to: Socket,
  weather: Weather,
  hole: { readonly on: boolean },
  isStalled: () => boolean
): { readonly flow: () => void; readonly finish: () => void } => {
  /** Bytes that were read and must wait. */
  let held: Buffer = Buffer.alloc(0)
  let ended = false
  let waits = false
  const schedule = (): void => {
    if (waits) return
    waits = true
    if (weather.bytesPerSecond === Number.POSITIVE_INFINITY) setImmediate(tick)
    else setTimeout(tick, tickMillis)
  }
  const tick = (): void => {
    if (isStalled() && !hole.on && !to.destroyed) return void setTimeout(tick, tickMillis).unref()
    waits = false
    if (hole.on || to.destroyed) held = Buffer.alloc(0)
    const { bytesPerSecond, slice } = weather
    const paced = Math.max(1, Math.ceil((bytesPerSecond * tickMillis) / 1000))
    let room = Math.min(held.length, paced, slice * slicesPerTurn)
    // As much as there is room for, in one write unless writes are sliced.
    for (; room > 0; room -= slice) {
      const part = held.subarray(0, Math.min(room, slice))
      held = held.subarray(part.length)
      to.write(part)
    }
    if (held.length > 0) schedule()
    else if (ended) to.end()
    else flow()
  }
  function flow(): void {
    if (!hole.on && (isStalled() || to.writableNeedDrain || held.length > 0)) from.pause()
    else from.resume()
  }
  const finish = (): void => {
    ended = true
    if (held.length === 0 && !hole.on) to.end()
  }
  from.on("data", (chunk) => {
    if (hole.on || ended) return
    const { bytesPerSecond, slice } = weather
    if (held.length === 0 && bytesPerSecond === Number.POSITIVE_INFINITY && slice === Number.POSITIVE_INFINITY) {
      if (!to.write(chunk)) from.pause()
      return
    }
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk])
    from.pause()
    schedule()
  })
  from.on("end", finish)
  from.on("error", () => {
    if (!hole.on) to.resetAndDestroy()
  })
  to.on("drain", flow)
  return { flow, finish }
}
