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
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as Monotonic from "../../observe/Monotonic.ts"
import { BrokerError } from "../../bus/port/BrokerError.ts"
import { Closed, ConnectionFailed } from "../../bus/port/BrokerReason.ts"
import * as Backoff from "../../bus/support/Backoff.ts"
import type { OutageLog } from "../../bus/support/OutageLog.ts"
import * as AmqplibInternals from "../AmqplibInternals.ts"
import type { Settings } from "../AmqpOptions.ts"
import * as ConnectionMetrics from "./ConnectionMetrics.ts"
import type { Addresses } from "./Addresses.ts"
import * as LineGuard from "./LineGuard.ts"
import * as Link from "./Link.ts"
import * as OpenLink from "./OpenLink.ts"

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
    ((_tag === "Authentication" || _tag === "Vhost") && settings.credentials !== undefined) ||
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

/** What a connection has to do with the others of its broker. */
export interface Surroundings {
  readonly outages: OutageLog
  readonly addresses: Addresses
  /** Of the connection that publishes. */
  readonly traffic: LineGuard.Traffic | undefined
}

/** The parts that all lives of a connection share. */
interface Shared extends Surroundings, OpenLink.Opening {
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
  /** Whether a server has accepted the current attempt to connect. */
  isAccepted: boolean
  /** When the current life came up; undefined before that. */
  upSince: number | undefined
}

export const make = Effect.fnUntraced(function* (
  settings: Settings,
  role: Role,
  prepare: Prepare,
  surroundings: Surroundings
) {
  const clock = yield* Clock.Clock
  const now = (): number => clock.currentTimeMillisUnsafe()
  const state = yield* SubscriptionRef.make<State>({ _tag: "Connecting", since: now(), error: undefined })
  const shared: Shared = {
    ...surroundings,
    settings,
    role,
    prepare,
    now,
    monotonic: Monotonic.of(clock),
    run: Effect.runForkWith(yield* Effect.context<never>()),
    state,
    firstUp: yield* Deferred.make<void, BrokerError>(),
    woken: yield* Latch.make(false),
    onAccepted: (isAccepted) => void (shared.isAccepted = isAccepted),
    onRenewed: (isRenewed) => shared.metrics.renewed(isRenewed),
    metrics: yield* ConnectionMetrics.make(role, () => SubscriptionRef.getUnsafe(state)._tag),
    epoch: 0,
    isAccepted: false,
    upSince: undefined
  }
  shared.outages.lost(role, () => whyNot(shared).message, false)
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
    const { end, ended, link, setSilence } = yield* OpenLink.open(shared)
    const reporting = yield* reportState(shared, link)
    // A node without a majority hangs here.
    const prepared = Effect.tapError(prepareWithRights(shared.prepare, link), () =>
      Effect.sync(() => shared.addresses.fellSilent(link.address))
    )
    yield* Effect.raceFirst(prepared, Deferred.await(ended))
    shared.upSince = shared.monotonic()
    shared.metrics.up()
    yield* reporting.begin
    shared.outages.connected(shared.role)
    const leave = (detail: string): void => {
      end(detail)
      AmqplibInternals.destroy(link.model)
    }
    yield* Effect.acquireRelease(
      Effect.sync(() =>
        shared.addresses.entered({ address: link.address, isPublishing: shared.traffic !== undefined, leave })
      ),
      (left) => Effect.sync(left)
    )
    yield* Effect.forkScoped(
      LineGuard.guard({
        ...shared,
        link,
        leave,
        isBlocked: () => SubscriptionRef.getUnsafe(shared.state)._tag === "Blocked",
        onSilence: setSilence
      })
    )
    yield* Deferred.succeed(shared.firstUp, undefined)
    return yield* Deferred.await(ended)
  }).pipe(Effect.scoped)

/** A token may end while a busy broker still works on what was asked with it. */
const prepareWithRights = (prepare: Prepare, link: Link.Link): Effect.Effect<void, BrokerError, Scope.Scope> =>
  Link.withRights(
    link,
    Effect.fnUntraced(function* (live) {
      const own = yield* Scope.fork(yield* Effect.scope)
      yield* prepare(live).pipe(
        Scope.provide(own),
        Effect.onError((cause) => Scope.close(own, Exit.failCause(cause)))
      )
    })
  )

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
