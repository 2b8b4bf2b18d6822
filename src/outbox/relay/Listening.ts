/** Waits for the notifications that commits send where the outbox has `notify: true`. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import type { SqlClient } from "effect/sql/SqlClient"
import * as Backoff from "../../bus/support/Backoff.ts"
import type * as Log from "../../observe/Log.ts"
import type { Port } from "../Database.ts"
import { channel } from "../dialects/Dialect.ts"

/** Calls back for each notification; ends with its connection. */
export type Listening = (wake: () => void) => Effect.Effect<void, unknown, Scope.Scope>

type Listen = (channel: string) => Effect.Effect<Queue.Dequeue<unknown, unknown>, unknown, Scope.Scope>

/** The client of PostgreSQL has `listen`. */
export const ofClient = (client: SqlClient): Listening | undefined => {
  if (!Predicate.hasProperty(client, "listen") || !Predicate.isFunction(client.listen)) return undefined
  // `@effect/sql-pg` alone has a function of this name, and this is its type.
  const listen = client.listen as Listen
  return (wake) =>
    Effect.flatMap(listen(channel), (queue) => Effect.forever(Effect.map(Queue.take(queue), () => wake())))
}

export const ofPort = ({ listen }: Port): Listening | undefined =>
  listen === undefined
    ? undefined
    : (wake) =>
        Effect.acquireRelease(
          Effect.tryPromise(async () => listen(channel, wake)),
          (end) => Effect.promise(async () => end())
        ).pipe(Effect.andThen(Effect.never))

const again: Backoff.Backoff = { baseMillis: 500, capMillis: 30_000, jitter: "equal" }

/** Starts over when the connection is lost; meanwhile the relay asks by itself. */
export const start = (
  listening: Listening,
  wake: () => void,
  log: Log.Log
): Effect.Effect<void, never, Scope.Scope> => {
  let failures = 0
  const once = Effect.scoped(listening(wake)).pipe(
    Effect.catchCause(() => {
      log.warning("the outbox is not woken by its database", { detail: "the connection that listens was lost" })
      return Backoff.wait(again, failures++)
    })
  )
  return Effect.asVoid(Effect.forkScoped(Effect.forever(once)))
}
