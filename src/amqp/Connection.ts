/**
 * One connection to RabbitMQ that comes back: connect, prepare (topology, channels), serve until it is
 * lost, wait with full jitter, connect again. amqplib's own recovery is not used: it adopts dead
 * models and brings neither channels nor consumers back.
 *
 * Every close is bounded; then the socket is destroyed.
 */
import { type ChannelModel, connect, credentials as sasl } from "amqplib"
import { Cause, Clock, Deferred, Effect, Exit, Random, Redacted, type Scope, Stream, SubscriptionRef } from "effect"
import { once } from "node:events"
import { connect as connectSocket, type Socket } from "node:net"
import { hostname } from "node:os"
import { Duplex } from "node:stream"
import { BrokerError, Closed, ConnectionFailed } from "../bus/BrokerError.ts"
import * as AmqpError from "./AmqpError.ts"
import type { Credentials, Server, Settings } from "./AmqpOptions.ts"

export type State =
  | { readonly _tag: "Connecting"; readonly since: number; readonly error: BrokerError | undefined }
  | { readonly _tag: "Up"; readonly since: number; readonly link: Link }
  | { readonly _tag: "Blocked"; readonly since: number; readonly link: Link; readonly detail: string }
  | { readonly _tag: "Closed"; readonly since: number }

/** One life of a connection. */
export interface Link {
  readonly model: ChannelModel
  /** Counts the lives; what belongs to an older one is dead. */
  readonly epoch: number
  readonly address: string
  readonly username: string
}

export interface Connection {
  readonly state: SubscriptionRef.SubscriptionRef<State>
  /** The live link; waits for it up to the call deadline. */
  readonly link: Effect.Effect<Link, BrokerError>
  /** Completes when it was up once; fails when waiting cannot help, or the broker is not there in time. */
  readonly started: Effect.Effect<void, BrokerError>
}

const closeMillis = 1000
const backoffCapMillis = 30_000
const healthyMillis = 30_000

export const make = Effect.fnUntraced(function* (
  settings: Settings,
  role: "publish" | "consume",
  prepare: (link: Link) => Effect.Effect<void, BrokerError, Scope.Scope>
) {
  const clock = yield* Clock.Clock
  const now = (): number => clock.currentTimeMillisUnsafe()
  const state = yield* SubscriptionRef.make<State>({ _tag: "Connecting", since: now(), error: undefined })
  const run = Effect.runForkWith(yield* Effect.context<never>())
  const firstUp = yield* Deferred.make<void, BrokerError>()
  let epoch = 0
  let upSince = 0

  const open = Effect.fnUntraced(function* () {
    const jittered = yield* Random.shuffle(settings.servers)
    let last: BrokerError | undefined
    for (const server of jittered) {
      // One that is frozen must leave time for the others.
      const exit = yield* Effect.exit(connectTo(server, settings, role, settings.connectMillis / jittered.length))
      if (Exit.isSuccess(exit)) return { ...exit.value, epoch: ++epoch }
      const failure = Cause.squash(exit.cause)
      last = failure instanceof BrokerError ? failure : undefined
      // Another server has the same users: a wrong password is not tried on all of them.
      if (last?.reason._tag === "Authentication") break
    }
    return yield* (
      last ?? new BrokerError({ reason: new ConnectionFailed({ address: "RabbitMQ", detail: "no server" }) })
    )
  })

  const life = Effect.gen(function* () {
    // Interruptible: who closes while it connects does not wait for a broker that is frozen.
    const link = yield* Effect.acquireRelease(open(), ({ model }) => shut(model), { interruptible: true })
    const gone = yield* Deferred.make<void>()
    link.model.once("close", () => {
      Deferred.doneUnsafe(gone, Exit.void)
    })
    // Lost before anybody listened.
    if (streamOf(link.model)?.writableEnded === true) Deferred.doneUnsafe(gone, Exit.void)
    link.model.on("blocked", (detail) => {
      run(SubscriptionRef.set(state, { _tag: "Blocked", since: now(), link, detail: String(detail).slice(0, 200) }))
    })
    link.model.on("unblocked", () => {
      run(SubscriptionRef.set(state, { _tag: "Up", since: now(), link }))
    })
    yield* Effect.raceFirst(
      prepare(link),
      Effect.andThen(Deferred.await(gone), Effect.fail(lostError(link, "lost while it was prepared")))
    )
    upSince = now()
    yield* SubscriptionRef.set(state, { _tag: "Up", since: upSince, link })
    yield* Deferred.succeed(firstUp, undefined)
    yield* Deferred.await(gone)
    return yield* lostError(link, "the connection was lost")
  }).pipe(Effect.scoped)

  const loop = Effect.gen(function* () {
    let inRow = 0
    for (;;) {
      upSince = 0
      const exit = yield* Effect.exit(life)
      const failure = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      const error = failure instanceof BrokerError ? failure : undefined
      yield* SubscriptionRef.set(state, { _tag: "Connecting", since: now(), error })
      inRow = upSince > 0 && now() - upSince > healthyMillis ? 1 : inRow + 1
      // What waiting cannot heal fails the start; once it ran, it may be healed by an operator.
      if (error !== undefined && !error.isRetryable) yield* Deferred.fail(firstUp, error)
      const jitter = yield* Random.next
      const cap =
        error === undefined || error.isRetryable ? Math.min(100 * 2 ** inRow, backoffCapMillis) : backoffCapMillis
      yield* Effect.sleep(cap * jitter)
    }
  })
  yield* Effect.addFinalizer(() => SubscriptionRef.set(state, { _tag: "Closed", since: now() }))
  yield* Effect.forkScoped(loop)

  const unreachable = (): BrokerError => {
    const current = SubscriptionRef.getUnsafe(state)
    return current._tag === "Connecting" && current.error !== undefined
      ? current.error
      : new BrokerError({
          reason: new ConnectionFailed({
            address: settings.servers.map(({ address }) => address).join(", "),
            detail: "ETIMEDOUT"
          })
        })
  }
  return {
    state,
    link: SubscriptionRef.changes(state).pipe(
      Stream.filter((current: State) => current._tag !== "Connecting"),
      Stream.runHead,
      Effect.flatMap((head) => {
        const current = head._tag === "Some" ? head.value : undefined
        return current === undefined || current._tag === "Closed"
          ? Effect.fail(new BrokerError({ reason: new Closed() }))
          : Effect.succeed(current.link)
      }),
      Effect.timeoutOrElse({
        duration: settings.callMillis,
        orElse: () => Effect.suspend(() => Effect.fail(unreachable()))
      })
    ),
    started: Deferred.await(firstUp).pipe(
      Effect.timeoutOrElse({
        duration: settings.connectMillis,
        orElse: () => Effect.suspend(() => Effect.fail(unreachable()))
      })
    )
  } satisfies Connection
})

const lostError = (link: Link, detail: string): BrokerError =>
  new BrokerError({ reason: new ConnectionFailed({ address: link.address, detail }) })

const hear = (): void => {}

const connectTo = (
  server: Server,
  settings: Settings,
  role: string,
  millis: number
): Effect.Effect<Omit<Link, "epoch">, BrokerError> => {
  const failed = (detail: string): BrokerError =>
    new BrokerError({ reason: new ConnectionFailed({ address: server.address, detail }) })
  return Effect.gen(function* () {
    const credentials: Credentials | undefined =
      settings.credentials === undefined ? server.credentials : yield* settings.credentials
    const external = credentials === undefined && settings.tls.cert !== undefined
    const username = credentials?.username ?? (external ? "(certificate)" : "guest")
    const model = yield* Effect.tryPromise({
      try: (signal) =>
        dial(server, settings, signal, {
          credentials: external
            ? sasl.external()
            : sasl.plain(username, credentials === undefined ? "guest" : Redacted.value(credentials.password)),
          clientProperties: { connection_name: `${settings.source}/${role}@${hostname()}:${process.pid}` }
        }),
      catch: (error) => AmqpError.connecting(error, server, username)
    })
    return { model, address: server.address, username }
  }).pipe(
    // What the user's `credentials` throws may hold them.
    Effect.catchDefect(() => Effect.fail(failed("asking for the credentials, or the handshake, broke off"))),
    // The whole of it: credentials that never come, a broker that dribbles.
    Effect.timeoutOrElse({ duration: millis, orElse: () => Effect.fail(failed("ETIMEDOUT")) })
  )
}

/** Opens a connection; its socket is destroyed when the signal comes before that is done. */
const dial = async (
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
    if (signal.aborted) destroy(model)
    return model
  } catch (error) {
    socket?.destroy()
    throw error
  }
}

/** Closes politely for a while, then for good. */
const shut = (model: ChannelModel): Effect.Effect<void> =>
  bounded(() => model.close(), closeMillis).pipe(Effect.andThen(Effect.sync(() => destroy(model))))

/** amqplib has no call for this; `connection.stream` is its socket. */
const streamOf = (model: ChannelModel): Duplex | undefined => {
  const stream: unknown = Reflect.get(model.connection, "stream")
  return stream instanceof Duplex ? stream : undefined
}

const destroy = (model: ChannelModel): void => {
  // With an error: without one amqplib does not notice, leaves confirms unanswered and its heartbeat running.
  streamOf(model)?.destroy(new Error("closed"))
}

/** A close that may never answer: finalizers cannot be interrupted, so it is raced outside of them. */
export const bounded = (close: () => Promise<unknown>, millis: number): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const timer = setTimeout(() => resume(Effect.void), millis)
    const end = (): void => {
      clearTimeout(timer)
      resume(Effect.void)
    }
    try {
      close().then(end, end)
    } catch {
      end()
    }
  })
