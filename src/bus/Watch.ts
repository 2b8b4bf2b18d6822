/**
 * `bus.watch`: the last event of a key and then its live changes, joined from the cache and a live
 * subscription. All who watch an event in this process share one subscription, which ends a few seconds
 * after the last of them: a thousand websockets are one queue on the broker.
 */
import { Cause, Effect, Queue, RcRef, type Scope, Stream, SubscriptionRef } from "effect"
import type * as Envelope from "../event/Envelope.ts"
import type * as Event from "../event/Event.ts"
import type * as Log from "../observe/Log.ts"
import { BrokerRefused } from "./BrokerError.ts"
import { SubscribeError } from "./BusError.ts"
import type { CacheStore } from "./CacheStore.ts"
import { decode } from "./EventCache.ts"
import type { SubscriberOptions } from "./SubscriberOptions.ts"
import type { Subscription } from "./Subscription.ts"
import * as Watcher from "./Watcher.ts"

/**
 * The last known event of `key`, if there is one, and then each newer one: none is older than the one
 * before it, and none comes twice. It goes on while Redis is away, heals by itself after a lost
 * connection, and ends when the bus does. A reader that is 256 events behind misses the oldest of them,
 * never the newest.
 *
 * Fails with `SubscribeError` when the live subscription cannot start, or was given up.
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
export interface Watch {
  <Name extends string, A>(
    event: Event.Event<Name, A>,
    /** As for `EventCache.last`: absent for events without a key. */
    key?: string
  ): Stream.Stream<Envelope.Envelope<Name, A>, SubscribeError>
}

/** One of those who watch an event. */
interface Listener extends Pick<Watcher.Watcher<string, unknown>, "deliver" | "missed"> {
  readonly end: (error: SubscribeError | undefined) => void
}

/** One live subscription; who listens to it, by key. */
interface Tap {
  readonly add: (key: string, listener: Listener) => void
  readonly remove: (key: string, listener: Listener) => void
}

const buffer = 256
const idleTimeToLive = "5 seconds"

export const make = Effect.fnUntraced(function* (parts: {
  readonly store: CacheStore
  readonly subscribe: (
    options: SubscriberOptions<Event.Any, never, never> & { readonly onGap: () => void }
  ) => Effect.Effect<Subscription, SubscribeError, Scope.Scope>
  readonly log: Log.Log
}) {
  const { log, store, subscribe } = parts
  const bus = yield* Effect.context<Scope.Scope>()
  const taps = new WeakMap<Event.Any, RcRef.RcRef<Tap, SubscribeError>>()

  const open = Effect.fnUntraced(function* (event: Event.Any) {
    const listeners = new Map<string, Set<Listener>>()
    const all = (): ReadonlyArray<Listener> => [...listeners.values()].flatMap((of) => [...of])
    let warned = false
    const subscription = yield* subscribe({
      events: [event],
      concurrency: 1,
      handler: (delivered) =>
        Effect.sync(() => {
          for (const listener of listeners.get(delivered.key ?? "") ?? []) listener.deliver(delivered)
          if (delivered.key === undefined || warned || !listeners.has("")) return
          warned = true
          log.warning("an event with keys is watched without one", { event: event.name })
        }),
      onGap: () => all().forEach((listener) => listener.missed())
    })
    yield* Effect.addFinalizer(() => Effect.sync(() => all().forEach((listener) => listener.end(undefined))))
    yield* SubscriptionRef.changes(subscription.status).pipe(
      Stream.filter(({ _tag }) => _tag === "Failed" || _tag === "Stopped"),
      Stream.runForEach(({ _tag, cause: detail = "it was given up" }) => {
        const reason = new BrokerRefused({ operation: "watching", detail })
        const error = _tag === "Failed" ? new SubscribeError({ subscriber: subscription.name, reason }) : undefined
        all().forEach((listener) => listener.end(error))
        const tap = taps.get(event)
        return tap === undefined ? Effect.void : RcRef.invalidate(tap)
      }),
      Effect.forkScoped
    )
    const tap: Tap = {
      add: (key, listener) => {
        const known = listeners.get(key)
        if (known === undefined) listeners.set(key, new Set([listener]))
        else known.add(listener)
      },
      remove: (key, listener) => {
        const known = listeners.get(key)
        known?.delete(listener)
        if (known?.size === 0) listeners.delete(key)
      }
    }
    return tap
  })
  const tapOf = (event: Event.Any) =>
    Effect.suspend(() => {
      const known = taps.get(event)
      if (known !== undefined) return Effect.succeed(known)
      return RcRef.make({ acquire: open(event), idleTimeToLive }).pipe(
        Effect.provideContext(bus),
        Effect.tap((made) => Effect.sync(() => taps.set(event, made)))
      )
    })

  const watch: Watch = <Name extends string, A>(event: Event.Event<Name, A>, key = "") =>
    Stream.callback<Envelope.Envelope<Name, A>, SubscribeError>(
      Effect.fnUntraced(function* (queue) {
        const tap = yield* Effect.flatMap(tapOf(event), RcRef.get)
        const isRemembered = event.cache !== false && event.cache.last !== false
        const watcher = yield* Watcher.make<Name, A>({
          read: isRemembered ? readLast(store, event, key) : Effect.undefined,
          emit: (one) => Queue.offerUnsafe(queue, one),
          onTrouble: (error) =>
            log.warning("a watch goes on without the cache", { event: event.name, detail: error.message })
        })
        const listener: Listener = {
          // The subscription is for this contract alone, which made the data of what it delivers.
          deliver: (one) => watcher.deliver(one as Envelope.Envelope<Name, A>),
          missed: watcher.missed,
          end: (error) =>
            void (error === undefined ? Queue.endUnsafe(queue) : Queue.failCauseUnsafe(queue, Cause.fail(error)))
        }
        yield* Effect.acquireRelease(
          Effect.sync(() => tap.add(key, listener)),
          () => Effect.sync(() => tap.remove(key, listener))
        )
        return yield* watcher.follow
      }),
      { bufferSize: buffer, strategy: "sliding" }
    )
  return watch
})

const readLast = <Name extends string, A>(store: CacheStore, event: Event.Event<Name, A>, key: string) =>
  Effect.flatMap(store.last(event.name, key), (found) =>
    found._tag === "None"
      ? Effect.undefined
      : Effect.map(decode(event, found.value), (envelope) => ({
          time: found.value.time,
          id: found.value.id,
          event: envelope
        }))
  )
