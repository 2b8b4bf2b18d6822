/**
 * `bus.watch`: the last event of a key and then its live changes, joined from the cache and a live subscription.
 * All watchers of an event in this process share one subscription, which ends a few seconds after the last of
 * them: a thousand websockets are one queue on the broker.
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Queue from "effect/Queue"
import * as RcRef from "effect/RcRef"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type * as Envelope from "../../event/Envelope.ts"
import type * as Event from "../../event/Event.ts"
import type * as Log from "../../observe/Log.ts"
import { BrokerRefused } from "../port/BrokerReason.ts"
import { SubscribeError } from "../subscriber/SubscribeError.ts"
import type { CacheStore } from "../port/CacheStore.ts"
import { decode } from "./CacheReader.ts"
import type { SubscriberOptions } from "../subscriber/SubscriberOptions.ts"
import type { Subscription } from "../subscriber/Subscription.ts"
import * as KeyFollower from "./KeyFollower.ts"

/**
 * Emits the last known event of `key`, if there is one, and then each newer one: none is older than the one before
 * it, and none comes twice. The stream goes on while Redis is away, recovers from a lost connection, and ends with
 * the bus. A reader that is 256 events behind misses the oldest of them, never the newest.
 *
 * Fails with `SubscribeError` when the live subscription cannot start, or has failed.
 *
 * @example
 * ```ts
 * import { Event, EventBus } from "@eduflow/events"
 * import { Effect, Stream } from "effect"
 *
 * declare const GradePosted: Event.Event<"academic.grade.posted", { readonly grade: number }>
 * export const follow = Effect.gen(function*() {
 *   const bus = yield* EventBus
 *   yield* bus.watch(GradePosted, "s-1").pipe(
 *     Stream.runForEach((event) => Effect.log(`the grade is ${event.data.grade}`))
 *   )
 * })
 * ```
 */
export interface WatchStream {
  <Name extends string, A>(
    event: Event.Event<Name, A, unknown>,
    /** As for `EventCache.last`: absent for events without a key. */
    key?: string
  ): Stream.Stream<Envelope.Envelope<Name, A>, SubscribeError>
}

/** One watcher of an event. */
interface Listener extends Pick<KeyFollower.KeyFollower<string, unknown>, "deliver" | "missed"> {
  readonly end: (error: SubscribeError | undefined) => void
}

/** The listeners of one live subscription, by key. */
class Listeners {
  private readonly byKey = new Map<string, Set<Listener>>()
  private readonly used = Latch.makeUnsafe(false)

  /** Completes when there was a listener, or when there will be none: events arrive as soon as the subscription runs. */
  readonly begun = this.used.await

  end(): void {
    this.used.openUnsafe()
  }

  add(key: string, listener: Listener): void {
    const known = this.byKey.get(key)
    if (known === undefined) this.byKey.set(key, new Set([listener]))
    else known.add(listener)
    // What waits for it runs within this call.
    this.used.openUnsafe()
  }

  remove(key: string, listener: Listener): void {
    const known = this.byKey.get(key)
    known?.delete(listener)
    if (known?.size === 0) this.byKey.delete(key)
  }

  ofKey(key: string): Iterable<Listener> {
    return this.byKey.get(key) ?? []
  }

  has(key: string): boolean {
    return this.byKey.has(key)
  }

  /** A copy: a listener may be removed while the others are called. */
  all(): ReadonlyArray<Listener> {
    return [...this.byKey.values()].flatMap((listeners) => [...listeners])
  }
}

const bufferSize = 256
const idleTimeToLive = "5 seconds"

interface WatchParts {
  readonly store: CacheStore["Service"]
  readonly subscribe: (
    options: SubscriberOptions<Event.Any, never, never> & { readonly onGap: () => void }
  ) => Effect.Effect<Subscription, SubscribeError, Scope.Scope>
  readonly log: Log.Log
}

export const make = Effect.fnUntraced(function* (parts: WatchParts) {
  const { log, store } = parts
  const listenersOf = sharedListeners(parts, yield* Effect.context<Scope.Scope>())
  const watch: WatchStream = <Name extends string, A>(event: Event.Event<Name, A, unknown>, key = "") =>
    Stream.callback<Envelope.Envelope<Name, A>, SubscribeError>(
      Effect.fnUntraced(function* (queue) {
        const listeners = yield* listenersOf(event)
        const isRemembered = event.cache !== false && event.cache.last !== false
        const follower = yield* KeyFollower.make<Name, A>({
          read: isRemembered ? readLast(store, event, key) : Effect.undefined,
          emit: (envelope) => Queue.offerUnsafe(queue, envelope),
          onTrouble: (error) =>
            log.warning("a watch goes on without the cache", { event: event.name, detail: error.message })
        })
        const listener: Listener = {
          // The subscription is for this contract alone, which made the data of what it delivers.
          deliver: (envelope) => follower.deliver(envelope as Envelope.Envelope<Name, A>),
          missed: follower.missed,
          end: (error) =>
            void (error === undefined ? Queue.endUnsafe(queue) : Queue.failCauseUnsafe(queue, Cause.fail(error)))
        }
        yield* Effect.acquireRelease(
          Effect.sync(() => listeners.add(key, listener)),
          () => Effect.sync(() => listeners.remove(key, listener))
        )
        return yield* follower.follow
      }),
      { bufferSize, strategy: "sliding" }
    )
  return watch
})

/** One live subscription for each event, which ends a while after its last listener. */
const sharedListeners = (parts: WatchParts, busContext: Context.Context<Scope.Scope>) => {
  const shared = new WeakMap<Event.Any, RcRef.RcRef<Listeners, SubscribeError>>()
  const invalidate = (event: Event.Any): Effect.Effect<void> =>
    Effect.suspend(() => {
      const known = shared.get(event)
      return known === undefined ? Effect.void : RcRef.invalidate(known)
    })
  const refOf = (event: Event.Any) =>
    Effect.suspend(() => {
      const known = shared.get(event)
      if (known !== undefined) return Effect.succeed(known)
      return RcRef.make({ acquire: subscribe(parts, event, invalidate(event)), idleTimeToLive }).pipe(
        Effect.provideContext(busContext),
        Effect.tap((made) => Effect.sync(() => shared.set(event, made)))
      )
    })
  return (event: Event.Any) => Effect.flatMap(refOf(event), RcRef.get)
}

/** Opens a live subscription and ends its listeners when it ends. `onEnd` keeps others from using it again. */
const subscribe = Effect.fnUntraced(function* (
  { log, subscribe }: WatchParts,
  event: Event.Any,
  onEnd: Effect.Effect<void>
) {
  const listeners = new Listeners()
  let hasWarned = false
  const subscription = yield* subscribe({
    events: [event],
    concurrency: 1,
    handler: (delivered) =>
      Effect.map(listeners.begun, () => {
        for (const listener of listeners.ofKey(delivered.key ?? "")) listener.deliver(delivered)
        if (delivered.key === undefined || hasWarned || !listeners.has("")) return
        hasWarned = true
        log.warning("an event with keys is watched without one", { event: event.name })
      }),
    onGap: () => listeners.all().forEach((listener) => listener.missed())
  })
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      listeners.end()
      listeners.all().forEach((listener) => listener.end(undefined))
    })
  )
  yield* SubscriptionRef.changes(subscription.status).pipe(
    Stream.filter(({ _tag }) => _tag === "Failed" || _tag === "Stopped"),
    Stream.runForEach(({ _tag, cause: detail = "its subscriber failed" }) => {
      const reason = new BrokerRefused({ operation: "watching", detail })
      const error = _tag === "Failed" ? new SubscribeError({ subscriber: subscription.name, reason }) : undefined
      listeners.all().forEach((listener) => listener.end(error))
      return onEnd
    }),
    Effect.forkScoped
  )
  return listeners
})

const readLast = <Name extends string, A>(
  store: CacheStore["Service"],
  event: Event.Event<Name, A, unknown>,
  key: string
) =>
  Effect.flatMap(store.last(event.name, key), (found) =>
    found._tag === "None"
      ? Effect.undefined
      : Effect.map(decode(event, found.value), (envelope) => ({
          time: found.value.time,
          id: found.value.id,
          event: envelope
        }))
  )
