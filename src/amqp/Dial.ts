/**
 * One attempt to reach one server: TCP or TLS, credentials asked anew, the handshake, all within one
 * deadline. What fails is told as a reason of the bus and leaves no socket behind; nothing is tried twice.
 */
import { type ChannelModel, connect, credentials as sasl } from "amqplib"
import { Effect, Redacted } from "effect"
import { once } from "node:events"
import { connect as connectSocket, type Socket } from "node:net"
import { hostname } from "node:os"
import { Duplex } from "node:stream"
import { BrokerError, ConnectionFailed } from "../bus/BrokerError.ts"
import * as AmqpError from "./AmqpError.ts"
import type { Credentials, Server, Settings } from "./AmqpOptions.ts"
import * as Cork from "./Cork.ts"

/** What came of it. */
export interface Line {
  readonly model: ChannelModel
  readonly address: string
  readonly username: string
  /** Largest frame that was agreed on: a header table must fit into one. */
  readonly frameMax: number
}

const hear = (): void => {}

/** Connects once, credentials and handshake included, within its time. */
export const dial = (
  server: Server,
  settings: Settings,
  role: string,
  millis: number
): Effect.Effect<Line, BrokerError> => {
  const failed = (detail: string): BrokerError =>
    new BrokerError({ reason: new ConnectionFailed({ address: server.address, detail }) })
  return Effect.gen(function* () {
    const credentials: Credentials | undefined =
      settings.credentials === undefined ? server.credentials : yield* settings.credentials
    const external = credentials === undefined && settings.tls.cert !== undefined
    const username = credentials?.username ?? (external ? "(certificate)" : "guest")
    const model = yield* Effect.tryPromise({
      try: (signal) =>
        open(server, settings, signal, {
          credentials: external
            ? sasl.external()
            : sasl.plain(username, credentials === undefined ? "guest" : Redacted.value(credentials.password)),
          clientProperties: { connection_name: `${settings.source}/${role}@${hostname()}:${process.pid}` }
        }),
      catch: (error) => AmqpError.connecting(error, server, username)
    })
    return { model, address: server.address, username, frameMax: frameMaxOf(model) }
  }).pipe(
    // What the user's `credentials` throws may hold them.
    Effect.catchDefect(() => Effect.fail(failed("asking for the credentials, or the handshake, broke off"))),
    // The whole of it: credentials that never come, a broker that dribbles.
    Effect.timeoutOrElse({ duration: millis, orElse: () => Effect.fail(failed("ETIMEDOUT")) })
  )
}

/** Opens a connection; its socket is destroyed when the signal comes before that is done. */
const open = async (
  server: Server,
  settings: Settings,
  signal: AbortSignal,
  login: Pick<NonNullable<Parameters<typeof connect>[1]>, "credentials" | "clientProperties">
): Promise<ChannelModel> => {
  const { ca, cert, key, passphrase, servername } = settings.tls
  let socket: Socket | undefined
  if (server.secure) {
    // TLS over a socket of ours, since tls.connect takes no signal.
    socket = connectSocket({ host: server.host, port: server.port, noDelay: settings.noDelay, keepAlive: true })
    signal.addEventListener("abort", () => socket?.destroy(), { once: true })
    await once(socket, "connect", { signal })
    socket.on("error", hear)
  }
  try {
    const model = await connect(
      {
        protocol: server.secure ? "amqps" : "amqp",
        hostname: server.host,
        port: server.port,
        // amqplib decodes it once more.
        vhost: encodeURIComponent(server.vhost),
        heartbeat: settings.heartbeatSeconds
      },
      {
        ...login,
        noDelay: settings.noDelay,
        keepAlive: true,
        ...(socket === undefined ? { signal } : { socket }),
        ...(server.secure && {
          minVersion: "TLSv1.2" as const,
          ...(ca !== undefined && { ca }),
          ...(cert !== undefined && { cert }),
          ...(key !== undefined && { key }),
          ...(passphrase !== undefined && { passphrase: Redacted.value(passphrase) }),
          ...(servername !== undefined && { servername })
        })
      }
    )
    // An 'error' event that nobody hears ends the process: listen before anything else runs.
    model.on("error", hear)
    // And who is interrupted between this and its own next step never gets it.
    if (signal.aborted) destroy(model)
    else signal.addEventListener("abort", () => destroy(model), { once: true })
    const stream = streamOf(model)
    if (stream !== undefined) Cork.perTurn(stream)
    return model
  } catch (error) {
    socket?.destroy()
    throw error
  }
}

/** amqplib has no call for this; `connection.stream` is its socket. */
export const streamOf = (model: ChannelModel): Duplex | undefined => {
  const stream: unknown = Reflect.get(model.connection, "stream")
  return stream instanceof Duplex ? stream : undefined
}

/** AMQP's smallest frame where amqplib does not tell. */
const frameMaxOf = (model: ChannelModel): number => {
  const frameMax: unknown = Reflect.get(model.connection, "frameMax")
  return typeof frameMax === "number" ? frameMax : 4096
}

export const destroy = (model: ChannelModel): void => {
  // With an error: without one amqplib does not notice, leaves confirms unanswered and its heartbeat running.
  streamOf(model)?.destroy(new Error("closed"))
}
