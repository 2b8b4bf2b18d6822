/**
 * One connection to Redis (to a cluster: one to each node) that never holds anybody up. Its layer starts whether Redis is there or not;
 * a command is tried only while the connection is proven, fails with a `CacheError` within its
 * deadline, and is never queued, repeated or re-sent behind the caller's back (P4).
 *
 * The breaker is the supervisor of the connection: three commands one after another that are lost, late or slow
 * take it out of service, and one PING, after a jittered wait, puts it back. So no caller is ever the
 * probe. Effect's CircuitBreaker asks a store in an Effect for each call and knows no slow success.
 */
import { Clock, Context, Deferred, Effect, Layer, Random } from "effect"
import type { BrokerError } from "../bus/BrokerError.ts"
import type { CacheError } from "../bus/EventCache.ts"
import * as Connection from "./Connection.ts"
import * as Listening from "./Listening.ts"
import {
  failure,
  isEndOfSearch,
  isReply,
  reasonOf,
  type RedisReason,
  sentinelReason,
  unavailable
} from "./RedisError.ts"
import * as RedisSettings from "./RedisSettings.ts"

export type RedisStatus =
  /** The first attempt to connect is under way. */
  | { readonly _tag: "Connecting"; readonly since: number; readonly reason: RedisReason }
  | { readonly _tag: "Up"; readonly since: number }
  | { readonly _tag: "Down"; readonly since: number; readonly reason: RedisReason }

export class RedisClient extends Context.Service<
  RedisClient,
  {
    readonly settings: RedisSettings.RedisSettings
    /** First part of every key. */
    readonly prefix: string
    /** Hosts and ports, for messages. */
    readonly address: string
    readonly status: () => RedisStatus
    /** Runs commands as one call: one deadline, one verdict. */
    readonly use: <A>(commands: (redis: Connection.Commands) => Promise<A>) => Effect.Effect<A, CacheError>
  }
>()("@eduflow/events/redis/RedisClient") {
  static readonly layer = (options: RedisSettings.RedisOptions): Layer.Layer<RedisClient, BrokerError> =>
    Layer.effect(RedisClient, make(options))
}

const failuresToTrip = 3
/** How long a connection must have been fine before its next fault counts as the first one. */
const healthyAfter = 5_000

export const make = Effect.fnUntraced(function* (options: RedisSettings.RedisOptions) {
  const settings = yield* RedisSettings.make(options)
  const clock = yield* Clock.Clock
  const now = (): number => clock.currentTimeMillisUnsafe()
  const { address, commandTimeout } = settings
  const firstAttempt = yield* Deferred.make<void>()
  let status: RedisStatus = { _tag: "Connecting", since: now(), reason: unavailable(`${address}: connecting`) }
  // The cause of a lost connection is told by an event; the promises only say that it was lost.
  let lastError: RedisReason | undefined
  let inARow = 0
  let lastFault = Number.NEGATIVE_INFINITY
  let faults = 0
  let leaveService: (() => void) | undefined

  const redis = yield* Effect.acquireRelease(
    Effect.sync(() => Connection.open(settings, "cache")),
    (redis) => Effect.sync(() => Connection.close(redis))
  )
  redis.on("error", (error: unknown) => {
    // That no sentinel leads anywhere: why was told before.
    if (lastError !== undefined && isEndOfSearch(error)) return
    lastError = reasonOf(error, address)
    // ioredis goes on in database 0 when SELECT failed: it must not write there.
    if (lastError._tag === "Refused" && lastError.code === "DB") redis.disconnect()
  })
  redis.on("node error", (error: unknown) => void (lastError = reasonOf(error, address)))
  redis.on("sentinelError", (error: unknown) => void (lastError = sentinelReason(error, address)))
  redis.on("end", () => leaveService?.())

  const { place } = settings
  if (place._tag === "Sentinel") {
    // A master that was asked to step down goes on answering until it is told to, and loses what it is given.
    yield* Listening.listen({
      open: (attempt) => Connection.openSentinel(settings, place, attempt),
      address,
      channel: "+switch-master",
      onMessage: (message) => {
        if (message.startsWith(`${place.master} `)) Connection.close(redis)
      }
    })
  }

  const down = (reason: RedisReason): void => {
    status = { _tag: "Down", since: status._tag === "Up" ? now() : status.since, reason }
    Deferred.doneUnsafe(firstAttempt, Effect.void)
  }
  const judge = (start: number, fine: boolean, reason: RedisReason): void => {
    if (fine) return void (inARow = 0)
    // One hiccup, ours or its, meets every command that is under way: it counts once.
    if (start < lastFault) return
    lastFault = now()
    if (++inARow < failuresToTrip || status._tag !== "Up") return
    down(reason)
    leaveService?.()
  }

  const silent = unavailable(`${address} did not answer within ${commandTimeout} ms`)
  // When the process itself was busy, an answer that came in time still waits in the socket: one turn
  // of the event loop lets it in before the verdict.
  const deadline = Effect.sleep(commandTimeout).pipe(
    Effect.andThen(Effect.yieldNow),
    Effect.andThen(Effect.fail(silent))
  )

  const explain = (error: unknown): RedisReason => (isReply(error) ? undefined : lastError) ?? reasonOf(error, address)
  const attempt = <A>(commands: (redis: Connection.Commands) => Promise<A>): Effect.Effect<A, RedisReason> =>
    Effect.tryPromise({ try: () => commands(redis), catch: explain }).pipe(Effect.raceFirst(deadline))

  const run = Effect.fnUntraced(function* <A>(commands: (redis: Connection.Commands) => Promise<A>) {
    const start = now()
    return yield* attempt(commands).pipe(
      Effect.tap(() => Effect.sync(() => judge(start, now() - start < commandTimeout * 0.67, slow))),
      Effect.tapError((reason) => Effect.sync(() => judge(start, reason._tag === "Refused", reason))),
      Effect.mapError(failure)
    )
  })
  const slow = unavailable(`${address} is slow`)

  const use = <A>(commands: (redis: Connection.Commands) => Promise<A>): Effect.Effect<A, CacheError> =>
    Effect.suspend(() => {
      if (status._tag === "Up") return run(commands)
      if (status._tag === "Down") return Effect.fail(failure(status.reason))
      // Just started: a read waits for the connection as long as it would wait for an answer.
      return Deferred.await(firstAttempt).pipe(
        Effect.raceFirst(deadline),
        Effect.mapError(failure),
        Effect.andThen(
          Effect.suspend(() => (status._tag === "Up" ? run(commands) : Effect.fail(failure(status.reason))))
        )
      )
    })

  /** In service: from a PING that was answered until the connection ends or the breaker trips. */
  const serve = Effect.gen(function* () {
    lastError = undefined
    if (redis.status !== "ready") {
      yield* Effect.tryPromise({ try: () => redis.connect(), catch: explain })
    }
    yield* attempt((redis) => redis.ping()).pipe(
      // Who may not PING is told so by a server that is well.
      Effect.catchIf(
        (reason) => reason._tag === "Refused" && reason.code === "NOPERM",
        () => Effect.void
      )
    )
    const since = now()
    inARow = 0
    lastError = undefined
    status = { _tag: "Up", since }
    Deferred.doneUnsafe(firstAttempt, Effect.void)
    yield* Effect.callback<void>((resume) => {
      leaveService = () => resume(Effect.void)
      if (redis.status !== "ready") leaveService()
    })
    leaveService = undefined
    if (redis.status !== "ready") down(lastError ?? unavailable(`the connection to ${address} was lost`))
    if (now() - since > healthyAfter) faults = 0
  })

  const supervise = serve.pipe(
    Effect.catch((reason) => Effect.sync(() => down(reason))),
    // Full jitter: after an outage the processes of a fleet come back one by one.
    Effect.andThen(Random.next),
    Effect.flatMap((random) => Effect.sleep(20 + Math.min(2_000, 50 * 2 ** faults++) * random))
  )
  yield* Effect.forkScoped(Effect.forever(supervise))

  return RedisClient.of({
    settings,
    prefix: settings.prefix,
    address,
    status: () => status,
    use
  })
})
