/**
 * One connection to RabbitMQ that comes back: connect, prepare (topology, channels), serve until it is
 * lost, wait with full jitter, connect again. amqplib's own recovery is not used: it adopts dead
 * models and brings neither channels nor consumers back.
 *
 * Every close is bounded; then the socket is destroyed.
 */
import type { ChannelModel } from "amqplib"
import {
  Cause,
  Clock,
  Deferred,
  Effect,
  Exit,
  Latch,
  Option,
  Random,
  type Scope,
  Stream,
  SubscriptionRef
} from "effect"
import { BrokerError, Closed, ConnectionFailed } from "../bus/BrokerError.ts"
import type { Settings } from "./AmqpOptions.ts"
import * as Backoff from "./Backoff.ts"
import * as Dial from "./Dial.ts"
import * as LineMetrics from "./LineMetrics.ts"

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
  /** The broker was reached by another connection: ends the wait of this one, if it waits. */
  readonly wake: Effect.Effect<void>
}

const closeMillis = 1000

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
  const woken = yield* Latch.make(false)
  const figures = yield* LineMetrics.make(role, () => SubscriptionRef.getUnsafe(state)._tag)
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
    let serving = false
    yield* Effect.addFinalizer(() => Effect.sync(() => void (serving = false)))
    // Looks when it is told, not when it was asked to: whatever is told last is true, and of a life that is over nothing.
    const tell = SubscriptionRef.updateSome(state, () => (serving ? Option.some(alive()) : Option.none()))
    link.model.on("blocked", (detail) => {
      blocked = String(detail).slice(0, 200)
      run(tell)
    })
    link.model.on("unblocked", () => {
      blocked = undefined
      run(tell)
    })
    yield* Effect.raceFirst(
      prepare(link),
      Effect.andThen(Deferred.await(gone), Effect.fail(lostError(link, "lost while it was prepared")))
    )
    upSince = now()
    serving = true
    figures.up()
    // It may have been blocked meanwhile: copies are sent as soon as there are channels.
    yield* tell
    yield* Deferred.succeed(firstUp, undefined)
    yield* Deferred.await(gone)
    return yield* lostError(link, "the connection was lost")
  }).pipe(Effect.scoped)

  const loop = Effect.gen(function* () {
    const backoff = Backoff.make()
    for (;;) {
      upSince = 0
      yield* woken.close
      const exit = yield* Effect.exit(life)
      const failure = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      const error = failure instanceof BrokerError ? failure : undefined
      yield* SubscriptionRef.update(state, (before) => ({
        _tag: "Connecting" as const,
        since: before._tag === "Connecting" ? before.since : now(),
        error
      }))
      // Who was reached before this loss tells nothing of after it.
      if (upSince > 0) yield* woken.close
      // What waiting cannot heal fails the start; once it ran, it may be healed by an operator.
      if (error !== undefined && !error.isRetryable) yield* Deferred.fail(firstUp, error)
      const wait = backoff.next({
        lived: upSince > 0 ? now() - upSince : 0,
        isRetryable: error === undefined || error.isRetryable,
        random: yield* Random.next
      })
      yield* Effect.timeoutOption(woken.await, wait)
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
    wake: woken.open,
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
