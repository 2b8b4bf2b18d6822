/**
 * A connection to RabbitMQ that is made again whenever it is lost: connect, prepare (topology, channels), serve,
 * wait, connect again. amqplib's own recovery is not used: it recovers neither channels nor consumers.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as Monotonic from "../../observe/Monotonic.ts"
import { BrokerError } from "../../bus/port/BrokerError.ts"
import { Closed, ConnectionFailed } from "../../bus/port/BrokerReason.ts"
import * as Backoff from "../../bus/support/Backoff.ts"
import type { OutageLog } from "../../bus/support/OutageLog.ts"
import * as AmqpError from "../AmqpError.ts"
import type { Settings } from "../AmqpOptions.ts"
import * as Call from "./Call.ts"
import * as ConnectionMetrics from "../health/ConnectionMetrics.ts"
import * as Dial from "./Dial.ts"
import * as Link from "./Link.ts"
import * as LiveSecret from "./LiveSecret.ts"

/**
 * Full jitter, so that the clients of a broker that restarts do not come back in step. The cap is the time that
 * a publish waits by default.
 */
export const reconnecting: Backoff.Backoff = { baseMillis: 200, capMillis: 15_000, jitter: "full" }
/** What waiting does not heal is tried rarely, from the first time on. */
const rarely: Backoff.Backoff = { baseMillis: 30_000, capMillis: 30_000, jitter: "full" }

/** The backoff after a life of the connection that ended with this error. What is read anew each time heals by itself. */
export const backoffAfter = (
  error: Pick<BrokerError, "isRetryable" | "reason"> | undefined,
  settings: Pick<Settings, "credentials" | "tls">
): Backoff.Backoff => {
  if (error === undefined || error.isRetryable) return reconnecting
  const { _tag } = error.reason
  const isReadAnew =
    (_tag === "Authentication" && settings.credentials !== undefined) ||
    (_tag !== "Settings" && Effect.isEffect(settings.tls))
  return isReadAnew ? reconnecting : rarely
}

export type State =
  | { readonly _tag: "Connecting"; readonly since: number; readonly error: BrokerError | undefined }
  | { readonly _tag: "Up"; readonly since: number; readonly link: Link.Link }
  | { readonly _tag: "Blocked"; readonly since: number; readonly link: Link.Link; readonly detail: string }
  | { readonly _tag: "Closed"; readonly since: number }

export interface Connection {
  readonly state: SubscriptionRef.SubscriptionRef<State>
  /** The live link; waits for one up to the call timeout. */
  readonly link: Effect.Effect<Link.Link, BrokerError>
  /** Completes when it was up once; fails when waiting cannot help, or when the connect timeout is over. */
  readonly started: Effect.Effect<void, BrokerError>
  /** Ends the wait before the next try: another connection has just reached the broker. */
  readonly wake: Effect.Effect<void>
}

export type Role = "publish" | "consume"
/** Runs on each new link before it is used; what it opens ends with the link. */
export type Prepare = (link: Link.Link) => Effect.Effect<void, BrokerError, Scope.Scope>

/** The parts that all lives of a connection share. */
interface Shared {
  readonly settings: Settings
  readonly role: Role
  readonly prepare: Prepare
  /** Wall time, for those who look. */
  readonly now: () => number
  readonly monotonic: Monotonic.Monotonic
  readonly run: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  readonly state: SubscriptionRef.SubscriptionRef<State>
  readonly firstUp: Deferred.Deferred<void, BrokerError>
  readonly woken: Latch.Latch
  readonly metrics: ConnectionMetrics.ConnectionMetrics
  readonly outages: OutageLog
  epoch: number
  /** Whether a server has accepted the current attempt to connect. */
  isAccepted: boolean
  /** When the current life came up; undefined before that. */
  upSince: number | undefined
}

export const make = Effect.fnUntraced(function* (settings: Settings, role: Role, prepare: Prepare, outages: OutageLog) {
  const clock = yield* Clock.Clock
  const now = (): number => clock.currentTimeMillisUnsafe()
  const state = yield* SubscriptionRef.make<State>({ _tag: "Connecting", since: now(), error: undefined })
  const shared: Shared = {
    settings,
    role,
    prepare,
    now,
    monotonic: Monotonic.of(clock),
    run: Effect.runForkWith(yield* Effect.context<never>()),
    state,
    firstUp: yield* Deferred.make<void, BrokerError>(),
    woken: yield* Latch.make(false),
    metrics: yield* ConnectionMetrics.make(role, () => SubscriptionRef.getUnsafe(state)._tag),
    outages,
    epoch: 0,
    isAccepted: false,
    upSince: undefined
  }
  outages.lost(role, () => whyNot(shared).message, false)
  yield* Effect.addFinalizer(() => SubscriptionRef.set(state, { _tag: "Closed", since: now() }))
  yield* Effect.forkScoped(keepConnected(shared))
  return {
    state,
    wake: shared.woken.open,
    link: within(shared, settings.callMillis, currentLink(state)),
    started: within(shared, settings.connectMillis, Deferred.await(shared.firstUp))
  } satisfies Connection
})

/** Connects again and again until the scope ends. */
const keepConnected = (shared: Shared): Effect.Effect<never> =>
  Effect.gen(function* () {
    const { firstUp, now, state, woken } = shared
    const streak = new Backoff.Streak(reconnecting)
    for (;;) {
      shared.upSince = undefined
      yield* woken.close
      const error = Option.getOrUndefined(Exit.findErrorOption(yield* Effect.exit(live(shared))))
      yield* SubscriptionRef.update(state, (before) => ({
        _tag: "Connecting" as const,
        since: before._tag === "Connecting" ? before.since : now(),
        error
      }))
      shared.outages.lost(shared.role, () => whyNot(shared).message, shared.upSince !== undefined)
      // A wake-up from before this loss is stale.
      if (shared.upSince !== undefined) yield* woken.close
      // Waiting cannot heal this at the start. Once it was up, an operator may heal it.
      if (error !== undefined && !error.isRetryable) yield* Deferred.fail(firstUp, error)
      const attempt = streak.failedAfter(shared.upSince === undefined ? 0 : shared.monotonic() - shared.upSince)
      yield* Effect.timeoutOption(woken.await, yield* Backoff.delay(backoffAfter(error, shared.settings), attempt))
    }
  })

/** One life of the connection, from connecting to its loss. */
const live = (shared: Shared): Effect.Effect<never, BrokerError> =>
  Effect.gen(function* () {
    // Interruptible: closing while it connects does not wait for a broker that is frozen.
    const opened = yield* Effect.acquireRelease(connect(shared), Link.close, { interruptible: true })
    const ended = yield* Deferred.make<never, BrokerError>()
    const end = (detail: string): void => void Deferred.doneUnsafe(ended, Exit.fail(Link.lost(opened, detail)))
    opened.model.once("close", (error) => end(`the connection was lost${AmqpError.reasonOfClose(error)}`))
    // Lost before the listener was there.
    if (Link.isLost(opened)) end("the connection was lost")
    const secret = yield* LiveSecret.make(opened, shared.settings, ended, shared.metrics.renewed)
    const link: Link.Link = { ...opened, secret, call: callsOf(shared, opened, secret) }
    yield* Effect.forkScoped(secret.keep)
    const reporting = yield* reportState(shared, link)
    yield* Effect.raceFirst(shared.prepare(link), Deferred.await(ended))
    shared.upSince = shared.monotonic()
    shared.metrics.up()
    yield* reporting.begin
    shared.outages.connected(shared.role)
    yield* Deferred.succeed(shared.firstUp, undefined)
    return yield* Deferred.await(ended)
  }).pipe(Effect.scoped)

const callsOf = ({ settings }: Shared, { username }: Dial.OpenConnection, secret: LiveSecret.LiveSecret): Call.Call =>
  Call.make(settings.callMillis, username, secret.claims)

/** Connects to one of the servers, in random order. */
const connect = Effect.fnUntraced(function* (shared: Shared) {
  const { role, settings } = shared
  const servers = yield* Random.shuffle(settings.servers)
  let error = new BrokerError({ reason: new ConnectionFailed({ address: "RabbitMQ", detail: "no server" }) })
  for (const server of servers) {
    shared.isAccepted = false
    // Each has its share of the time, so that a frozen one leaves some to the others.
    const exit = yield* Effect.exit(
      Dial.dial(server, settings, role, settings.connectMillis / servers.length, () => {
        shared.isAccepted = true
      })
    )
    if (Exit.isSuccess(exit)) {
      return { ...exit.value, epoch: ++shared.epoch }
    }
    error = Option.getOrElse(Exit.findErrorOption(exit), () => error)
    // All servers have the same users: a wrong password is not tried on each of them.
    if (error.reason._tag === "Authentication") break
  }
  return yield* error
})

/**
 * Keeps the state of the connection up to date, from when `begin` runs until the scope ends: up, or blocked by the
 * broker. It reads the facts when it runs, so the last report is true in whatever order they run.
 */
const reportState = Effect.fnUntraced(function* ({ now, run, state }: Shared, link: Link.Link) {
  let blocked: string | undefined
  let isServing = false
  yield* Effect.addFinalizer(() => Effect.sync(() => void (isServing = false)))
  const current = (): State =>
    blocked === undefined
      ? { _tag: "Up", since: now(), link }
      : { _tag: "Blocked", since: now(), link, detail: blocked }
  const report = SubscriptionRef.updateSome(state, () => (isServing ? Option.some(current()) : Option.none()))
  link.model.on("blocked", (detail) => {
    blocked = String(detail).slice(0, 200)
    run(report)
  })
  link.model.on("unblocked", () => {
    blocked = undefined
    run(report)
  })
  const begin = Effect.suspend(() => {
    isServing = true
    return report
  })
  return { begin }
})

const currentLink = (state: Shared["state"]): Effect.Effect<Link.Link, BrokerError> =>
  SubscriptionRef.changes(state).pipe(
    Stream.filter(isUsable),
    Stream.runHead,
    Effect.flatMap((head) =>
      Option.isSome(head) && head.value._tag !== "Closed"
        ? Effect.succeed(head.value.link)
        : Effect.fail(new BrokerError({ reason: new Closed() }))
    )
  )

/** A link may be lost before the state says so. */
const isUsable = (state: State): state is Exclude<State, { readonly _tag: "Connecting" }> =>
  state._tag === "Closed" || (state._tag !== "Connecting" && !Link.isLost(state.link))

/** Fails after this time with the reason why the broker cannot be reached. */
const within = <A>(
  shared: Shared,
  millis: number,
  effect: Effect.Effect<A, BrokerError>
): Effect.Effect<A, BrokerError> =>
  Effect.timeoutOrElse(effect, { duration: millis, orElse: () => Effect.suspend(() => Effect.fail(whyNot(shared))) })

/** Why there is no connection at this moment. */
const whyNot = ({ isAccepted, settings, state }: Shared): BrokerError => {
  const current = SubscriptionRef.getUnsafe(state)
  const known = current._tag === "Connecting" ? current.error : undefined
  const address = settings.servers.map((server) => server.address).join(", ")
  const reason = new ConnectionFailed({ address, detail: "ETIMEDOUT", ...(isAccepted && { stalled: true }) })
  return known ?? new BrokerError({ reason })
}
