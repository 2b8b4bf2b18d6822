/**
 * A server that holds few connections and cuts off slow clients, and stops within two seconds: a client that is slow, or
 * never finishes its request, does not use up the time of the drain.
 */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type * as Scope from "effect/Scope"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { BrokerError } from "../../bus/port/BrokerError.ts"
import { SettingsInvalid } from "../../bus/port/BrokerReason.ts"

/** A client has this long to send its headers, and its whole request; a connection may be silent for this long. */
const limits = {
  headersTimeout: 5000,
  requestTimeout: 10_000,
  keepAliveTimeout: 5000,
  connectionsCheckingInterval: 1000,
  maxHeaderSize: 8192
}
const silenceMillis = 10_000
/** Further connections are closed at once. Probes and scrapers need a few. */
const maxConnections = 100

export interface ListenOptions {
  /** `0` selects a free port. */
  readonly port: number
  readonly host: string
  /** How long an answer may take to begin, in milliseconds. */
  readonly silence?: number
  readonly onListen?: ((address: string) => void) | undefined
}

type Respond = (request: IncomingMessage, response: ServerResponse) => void

/** Answers requests until the scope ends. */
export const serve = Effect.fnUntraced(function* (
  { host, onListen, port, silence = silenceMillis }: ListenOptions,
  respond: Respond
): Effect.fn.Return<void, BrokerError, Scope.Scope> {
  // Node throws on these instead of reporting an error.
  if (!Number.isInteger(port) || port < 0 || port > 65_535) return yield* cannotListen(host, port)
  const server = yield* open(respond, silence)
  yield* listen(server, host, port)
  const address = server.address()
  if (onListen !== undefined && Predicate.isObject(address))
    onListen(`http://${host.includes(":") ? `[${host}]` : host}:${address.port}`)
})

/** It is closed with the scope: requests in progress get two seconds. */
const open = (respond: Respond, silence: number) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const server = createServer(limits, respond)
      server.maxConnections = maxConnections
      // Without a listener Node closes the connection, also that of a client that does not read its answer.
      server.timeout = silence
      return server
    }),
    (server) =>
      Effect.callback<void>((resume) => {
        if (!server.listening) return resume(Effect.void)
        server.close(() => resume(Effect.void))
        server.closeIdleConnections()
      }).pipe(
        Effect.timeout("2 seconds"),
        Effect.ignore,
        // A release cannot be interrupted, and nor could the wait within it.
        Effect.interruptible,
        Effect.andThen(Effect.sync(() => server.closeAllConnections()))
      )
  )

const cannotListen = (host: string, port: number, cause?: unknown): BrokerError => {
  const code = Predicate.hasProperty(cause, "code") ? cause.code : undefined
  const [problem, remedy] =
    code === "EADDRINUSE"
      ? ["it is in use", "Use another port, or 0 for a free one"]
      : code === "EACCES"
        ? ["this user lacks the permission", "Use a port from 1024 up, or 0 for a free one"]
        : cause === undefined
          ? ["it is not a whole number from 0 to 65535", "Use another port, or 0 for a free one"]
          : [`${host} is not an address of this machine`, "Use another host"]
  return new BrokerError({
    reason: new SettingsInvalid({
      setting: "port",
      problem: `cannot listen on port ${port}: ${problem}`,
      remedy
    })
  })
}

const listen = (server: Server, host: string, port: number): Effect.Effect<void, BrokerError> =>
  Effect.callback((resume) => {
    const onError = (cause: Error): void => resume(Effect.fail(cannotListen(host, port, cause)))
    server.once("error", onError)
    server.listen({ host, port }, () => {
      server.off("error", onError)
      resume(Effect.void)
    })
  })
