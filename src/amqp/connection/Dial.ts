/**
 * One attempt to connect to one server: fresh credentials, TCP or TLS and the handshake, all within one deadline. A
 * failure is a reason of the bus and leaves no socket behind. Nothing is retried here.
 */
import { type ChannelModel, connect, credentials as sasl } from "amqplib"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { subscribe, unsubscribe } from "node:diagnostics_channel"
import { once } from "node:events"
import { connect as connectSocket, Socket } from "node:net"
import { hostname } from "node:os"
import { BrokerError } from "../../bus/port/BrokerError.ts"
import { ConnectionFailed } from "../../bus/port/BrokerReason.ts"
import type { TlsOptions } from "../../bus/support/TlsOptions.ts"
import * as AmqplibInternals from "../AmqplibInternals.ts"
import * as AmqpError from "../AmqpError.ts"
import type { Settings } from "../AmqpOptions.ts"
import type { Server } from "../Servers.ts"
import * as Cork from "./Cork.ts"
import * as Given from "./Given.ts"

export interface OpenConnection {
  readonly model: ChannelModel
  readonly address: string
  readonly username: string
  /** Undefined if they are the default ones, or those of the certificate. */
  readonly credentials: Given.Login | undefined
  /** The largest frame that both sides agreed on: a header table must fit into one. */
  readonly maxFrameBytes: number
}

const ignore = (): void => {}

/**
 * Connects within this time, credentials and handshake included. `onAccepted` is called when the server has accepted
 * the connection: what follows is the handshake.
 */
export const dial = (
  server: Server,
  settings: Settings,
  role: string,
  millis: number,
  onAccepted: () => void
): Effect.Effect<OpenConnection, BrokerError> => {
  let isAccepted = false
  const accepted = (): void => {
    isAccepted = true
    onAccepted()
  }
  const failed = (detail: string): BrokerError =>
    new BrokerError({
      reason: new ConnectionFailed({ address: server.address, detail, ...(isAccepted && { stalled: true }) })
    })
  return Effect.gen(function* () {
    yield* Effect.fromResult(AmqplibInternals.verifyVersion())
    const credentials = yield* Given.login(server, settings)
    const tls = yield* Given.tls(server, settings)
    const external = credentials === undefined && tls.cert !== undefined
    const username = credentials?.username ?? (external ? "(certificate)" : "guest")
    const model = yield* Effect.tryPromise({
      try: (signal) =>
        open(server, settings, tls, signal, accepted, {
          credentials: external
            ? sasl.external()
            : sasl.plain(username, credentials === undefined ? "guest" : Redacted.value(credentials.password)),
          clientProperties: { connection_name: `${settings.source}/${role}@${hostname()}:${process.pid}` }
        }),
      catch: (error) =>
        error instanceof BrokerError ? error : AmqpError.connecting(error, server, username, credentials?.token?.claims)
    })
    const maxFrameBytes = AmqplibInternals.frameMaxOf(model)
    return { model, address: server.address, username, credentials, maxFrameBytes }
  }).pipe(
    Effect.catchDefect(() => Effect.fail(failed("the handshake broke off"))),
    // Covers everything: credentials that never come, a broker that sends byte by byte.
    Effect.timeoutOrElse({ duration: millis, orElse: () => Effect.fail(failed("ETIMEDOUT")) })
  )
}

/** Opens a connection; its socket is destroyed when the signal comes first. */
const open = async (
  server: Server,
  settings: Settings,
  { ca, cert, key, passphrase, servername }: TlsOptions,
  signal: AbortSignal,
  onAccepted: () => void,
  login: Pick<NonNullable<Parameters<typeof connect>[1]>, "credentials" | "clientProperties">
): Promise<ChannelModel> => {
  let socket: Socket | undefined
  if (server.secure) {
    // TLS over a socket made here, because tls.connect takes no signal.
    socket = connectSocket({ host: server.host, port: server.port, noDelay: settings.noDelay, keepAlive: true })
    signal.addEventListener("abort", () => socket?.destroy(), { once: true })
    await once(socket, "connect", { signal })
    onAccepted()
    socket.on("error", ignore)
  }
  try {
    const connecting = withSocket(
      (made) => void (socket === undefined && made.once("connect", onAccepted)),
      () =>
        connect(
          {
            protocol: server.secure ? "amqps" : "amqp",
            hostname: server.host,
            port: server.port,
            // amqplib decodes it again.
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
    )
    const model = await connecting
    // An 'error' event without a listener ends the process: listen before anything else runs.
    model.on("error", ignore)
    // An interrupted fiber never receives the connection.
    if (signal.aborted) AmqplibInternals.destroy(model)
    else signal.addEventListener("abort", () => AmqplibInternals.destroy(model), { once: true })
    const verified = AmqplibInternals.verify(model)
    if (Result.isFailure(verified)) AmqplibInternals.destroy(model)
    Result.getOrThrow(verified)
    Cork.perTurn(AmqplibInternals.socketOf(model))
    return model
  } catch (error) {
    socket?.destroy()
    throw error
  }
}

/** Runs what opens a socket within the call, and calls `use` with that socket, which amqplib keeps to itself. */
const withSocket = <A>(use: (socket: Socket) => void, open: () => A): A => {
  const onSocket = (message: unknown): void => {
    if (Predicate.hasProperty(message, "socket") && message.socket instanceof Socket) use(message.socket)
  }
  subscribe(socketOpened, onSocket)
  try {
    return open()
  } finally {
    unsubscribe(socketOpened, onSocket)
  }
}

/** Node's diagnostics channel of sockets that are opened. */
const socketOpened = "net.client.socket"
