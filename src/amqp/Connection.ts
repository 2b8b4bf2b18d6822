/**
 * One connection to RabbitMQ that comes back: connect, prepare (topology, channels), serve until it is
 * lost, wait with full jitter, connect again. amqplib's own recovery is not used: it adopts dead
 * models and brings neither channels nor consumers back.
 *
 * Every close is bounded; then the socket is destroyed.
 */
import type { ChannelModel } from "amqplib"
import { Cause, Clock, Deferred, Effect, Exit, Random, type Scope, Stream, SubscriptionRef } from "effect"
import { BrokerError, Closed, ConnectionFailed } from "../bus/BrokerError.ts"
import type { Settings } from "./AmqpOptions.ts"
import * as Dial from "./Dial.ts"

export type State =
  | { readonly _tag: "Connecting"; readonly since: number; readonly error: BrokerError | undefined }
  | { readonly _tag: "Up"; readonly since: number; readonly link: Link }
  | { readonly _tag: "Blocked"; readonly since: number; readonly link: Link; readonly detail: string }
  | { readonly _tag: "Closed"; readonly since: number }

/** One life of a connection. */
export interface Link extends Dial.Line {
  /** Counts the lives; what belongs to an older one is dead. */
  readonly epoch: number
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
      const exit = yield* Effect.exit(Dial.dial(server, settings, role, settings.connectMillis / jittered.length))
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
    if (isLost(link)) Deferred.doneUnsafe(gone, Exit.void)
    let blocked: string | undefined
    const alive = (): State =>
      blocked === undefined
        ? { _tag: "Up", since: now(), link }
        : { _tag: "Blocked", since: now(), link, detail: blocked }
    link.model.on("blocked", (detail) => {
      blocked = String(detail).slice(0, 200)
      if (upSince > 0) run(SubscriptionRef.set(state, alive()))
    })
    link.model.on("unblocked", () => {
      blocked = undefined
      if (upSince > 0) run(SubscriptionRef.set(state, alive()))
    })
    yield* Effect.raceFirst(
      prepare(link),
      Effect.andThen(Deferred.await(gone), Effect.fail(lostError(link, "lost while it was prepared")))
    )
    upSince = now()
    // It may have been blocked meanwhile: copies are sent as soon as there are channels.
    yield* SubscriptionRef.set(state, alive())
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
      yield* SubscriptionRef.update(state, (before) => ({
        _tag: "Connecting" as const,
        since: before._tag === "Connecting" ? before.since : now(),
        error
      }))
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
      Stream.filter(isUsable),
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

/** A link is lost before the state says so. */
const isUsable = (state: State): state is Exclude<State, { readonly _tag: "Connecting" }> =>
  state._tag === "Closed" || (state._tag !== "Connecting" && !isLost(state.link))

const lostError = (link: Link, detail: string): BrokerError =>
  new BrokerError({ reason: new ConnectionFailed({ address: link.address, detail }) })

/** Closes politely for a while, then for good. */
const shut = (model: ChannelModel): Effect.Effect<void> =>
  bounded(() => model.close(), closeMillis).pipe(Effect.andThen(Effect.sync(() => Dial.destroy(model))))

/** A loss ends the socket before amqplib says so; one that failed is destroyed, and then it does not count as ended. */
export const isLost = ({ model }: Link): boolean => {
  const stream = Dial.streamOf(model)
  return stream !== undefined && (stream.writableEnded || stream.destroyed)
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
