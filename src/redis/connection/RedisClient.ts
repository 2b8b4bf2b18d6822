/**
 * One connection to Redis (to a cluster: one to each node) that never makes a caller wait for Redis. Its layer
 * starts whether Redis is there or not. A command is tried only while the connection is proven, fails with a
 * `CacheError` within its deadline, and is never queued, repeated or sent again behind the caller's back:
 * Redis never fails a publish (P4).
 *
 * A supervisor brings the connection into service with a PING and waits until it ends or its breaker trips
 * (ConnectionBreaker.ts); then it tries again, after a jittered wait.
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Monotonic from "../../observe/Monotonic.ts"
import type { BrokerError } from "../../bus/port/BrokerError.ts"
import type { CacheError } from "../../bus/port/CacheError.ts"
import * as Backoff from "../../bus/support/Backoff.ts"
import * as OutageLog from "../../bus/support/OutageLog.ts"
import * as ChannelListener from "./ChannelListener.ts"
import * as Connection from "./Connection.ts"
import * as ConnectionBreaker from "./ConnectionBreaker.ts"
import * as Demotion from "./Demotion.ts"
import {
  failure,
  isConsequence,
  isOfSelect,
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

/** Commands that run as one call: with one deadline and one result. */
export type RunCommands<A> = (redis: Connection.Commands) => Promise<A>

export class RedisClient extends Context.Service<
  RedisClient,
  {
    readonly settings: RedisSettings.RedisSettings
    /** First part of every key. */
    readonly prefix: string
    /** Hosts and ports, for messages. */
    readonly address: string
    readonly status: () => RedisStatus
    readonly use: <A>(commands: RunCommands<A>) => Effect.Effect<A, CacheError>
  }
>()("@eduflow/events/redis/RedisClient") {
  static readonly layer = (options: RedisSettings.RedisOptions): Layer.Layer<RedisClient, BrokerError> =>
    Layer.effect(RedisClient, make(options))

  /** The same connection, for the keys that this service alone uses. */
  static readonly ofService: Layer.Layer<RedisClient, never, RedisClient> = Layer.effect(
    RedisClient,
    Effect.map(RedisClient, ({ address, settings, status, use }) =>
      RedisClient.of({ settings, prefix: settings.statePrefix, address, status, use })
    )
  )
}

const backoff: Backoff.Backoff = { baseMillis: 50, capMillis: 2_000, jitter: "full", leastMillis: 20 }
/** A connection that worked for longer than this starts its backoff anew when it is lost. */
const healthyAfter = 5_000
/** An answer that took a larger part of the deadline than this is slow, and counts as a failure. */
const slowShare = 0.67

export const make = Effect.fnUntraced(function* (options: RedisSettings.RedisOptions) {
  const settings = yield* RedisSettings.make(options)
  const now = yield* Monotonic.make
  const demotion = Demotion.make(now)
  const redis = yield* Effect.acquireRelease(
    Effect.sync(() => Connection.open(settings, "cache", demotion)),
    (redis) => Effect.sync(() => Connection.close(redis))
  )
  const outages = yield* OutageLog.make(
    "Redis",
    "publishes and handling go on without it: last known events are those of this process, and idempotent subscribers do as `onStoreDown` says"
  )
  const client = new Client(settings, redis, yield* ConnectionBreaker.make(now), demotion, now, outages)
  if (settings.place._tag === "Sentinel") yield* closeOnFailover(settings, settings.place, redis)
  yield* Effect.forkScoped(Effect.forever(client.supervise))
  return RedisClient.of(client)
})

/** A master that was asked to step down keeps answering until it is demoted, and loses what it takes meanwhile. */
const closeOnFailover = (
  settings: RedisSettings.RedisSettings,
  place: Connection.Sentinel,
  redis: Connection.Commands
) =>
  ChannelListener.listen({
    open: (attempt) => Connection.openSentinel(settings, place, attempt),
    address: settings.address,
    channel: "+switch-master",
    onMessage: (message) => {
      if (message.startsWith(`${place.master} `)) Connection.close(redis)
    }
  })

class Client {
  readonly settings: RedisSettings.RedisSettings
  readonly prefix: string
  readonly address: string
  private readonly redis: Connection.Commands
  private readonly breaker: ConnectionBreaker.ConnectionBreaker
  private readonly demotion: Demotion.Demotion
  private readonly now: () => number
  private readonly outages: OutageLog.OutageLog
  private readonly deadline: Effect.Effect<never, RedisReason>
  private readonly slow: RedisReason
  private readonly firstAttempt = Deferred.makeUnsafe<void>()
  private current: RedisStatus
  /** ioredis reports why a connection was lost by an event; its promises only say that it was lost. */
  private lastError: RedisReason | undefined
  private leaveService: (() => void) | undefined
  private losses = 0

  constructor(
    settings: RedisSettings.RedisSettings,
    redis: Connection.Commands,
    breaker: ConnectionBreaker.ConnectionBreaker,
    demotion: Demotion.Demotion,
    now: () => number,
    outages: OutageLog.OutageLog
  ) {
    const { address, commandTimeout } = settings
    this.settings = settings
    this.prefix = settings.prefix
    this.address = address
    this.redis = redis
    this.breaker = breaker
    this.demotion = demotion
    this.now = now
    this.outages = outages
    this.current = { _tag: "Connecting", since: now(), reason: unavailable(`${address}: connecting`) }
    this.slow = unavailable(`${address} is slow`)
    // When this process was busy, an answer that came in time still waits in the socket: one turn of the
    // event loop reads it before the command fails.
    this.deadline = Effect.sleep(commandTimeout).pipe(
      Effect.andThen(Effect.yieldNow),
      Effect.andThen(Effect.fail(unavailable(`${address} did not answer within ${commandTimeout} ms`)))
    )
    this.listen()
  }

  readonly status = (): RedisStatus => this.current

  readonly use = <A>(commands: RunCommands<A>): Effect.Effect<A, CacheError> =>
    Effect.suspend(() => {
      if (this.current._tag !== "Connecting") return this.useNow(commands)
      // Just started: a command waits for the connection as long as it would wait for an answer.
      return Deferred.await(this.firstAttempt).pipe(
        Effect.raceFirst(this.deadline),
        Effect.mapError(failure),
        Effect.andThen(Effect.suspend(() => this.useNow(commands)))
      )
    })

  private useNow<A>(commands: RunCommands<A>): Effect.Effect<A, CacheError> {
    return this.current._tag === "Up" ? this.run(commands) : Effect.fail(failure(this.current.reason))
  }

  private run<A>(commands: RunCommands<A>): Effect.Effect<A, CacheError> {
    const start = this.now()
    return this.attempt(commands).pipe(
      Effect.tap(() => {
        const isSlow = this.now() - start >= this.settings.commandTimeout * slowShare
        return this.record(start, isSlow ? "failed" : "fine", this.slow)
      }),
      // A refusal is an answer: the connection works.
      Effect.tapError((reason) => this.record(start, reason._tag === "Refused" ? "fine" : "failed", reason)),
      Effect.mapError(failure)
    )
  }

  private attempt<A>(commands: RunCommands<A>): Effect.Effect<A, RedisReason> {
    return Effect.tryPromise({ try: () => commands(this.redis), catch: this.explain }).pipe(
      Effect.raceFirst(this.deadline)
    )
  }

  private readonly explain = (error: unknown): RedisReason =>
    (isReply(error) ? undefined : this.lastError) ?? reasonOf(error, this.address)

  private record(start: number, outcome: ConnectionBreaker.CommandOutcome, reason: RedisReason): Effect.Effect<void> {
    if (this.current._tag !== "Up") return Effect.void
    return Effect.map(this.breaker.record(start, outcome), (hasTripped) => {
      if (!hasTripped) return
      this.goDown(reason)
      this.leaveService?.()
    })
  }

  private goDown(reason: RedisReason): void {
    this.outages.lost("redis", () => reason.message, this.current._tag === "Up")
    // Missing at the start: nobody has seen it work, so the line does not wait for a blip to pass.
    if (this.current._tag === "Connecting") this.outages.report()
    const since = this.current._tag === "Up" ? this.now() : this.current.since
    this.current = { _tag: "Down", since, reason }
    Deferred.doneUnsafe(this.firstAttempt, Effect.void)
  }

  private goUp(since: number): void {
    this.outages.connected("redis")
    this.lastError = undefined
    this.current = { _tag: "Up", since }
    Deferred.doneUnsafe(this.firstAttempt, Effect.void)
  }

  private listen(): void {
    const { address, redis } = this
    redis.on("error", (error: unknown) => {
      if (this.lastError !== undefined && isConsequence(error)) return
      this.lastError = reasonOf(error, address)
      // Nothing is written to database 0 in its place.
      if (isOfSelect(error)) redis.disconnect()
    })
    redis.on("node error", (error: unknown) => {
      if (this.lastError === undefined || !isConsequence(error)) this.lastError = reasonOf(error, address)
    })
    redis.on("sentinelError", (error: unknown) => void (this.lastError = sentinelReason(error, address)))
    redis.on("end", () => this.leaveService?.())
  }

  /** One time in service, or one failed attempt, and the wait before the next. */
  readonly supervise: Effect.Effect<void> = Effect.suspend(() => this.serve()).pipe(
    Effect.catch((reason) => Effect.sync(() => this.goDown(reason))),
    // Full jitter: after an outage the processes of a fleet come back one by one.
    Effect.andThen(Effect.suspend(() => Backoff.wait(backoff, this.losses++)))
  )

  /** In service from a PING that was answered until the connection ends or its breaker trips. */
  private serve(): Effect.Effect<void, RedisReason> {
    return Effect.gen({ self: this }, function* () {
      yield* this.connect()
      const since = this.now()
      this.goUp(since)
      yield* this.left()
      const wasDemoted = this.demotion.leftAt() >= since
      if (this.redis.status !== "ready") this.goDown(this.lastError ?? this.lost(wasDemoted))
      if (wasDemoted || this.now() - since > healthyAfter) this.losses = 0
    })
  }

  private lost(wasDemoted: boolean): RedisReason {
    return unavailable(
      wasDemoted
        ? `READONLY: ${this.address} has become a replica, its successor is dialled`
        : `the connection to ${this.address} was lost`
    )
  }

  private connect(): Effect.Effect<void, RedisReason> {
    this.lastError = undefined
    const connected =
      this.redis.status === "ready"
        ? Effect.void
        : Effect.tryPromise({ try: () => this.redis.connect(), catch: this.explain })
    return Effect.andThen(connected, this.breaker.probe(this.ping(), Effect.fail(this.slow)))
  }

  private ping(): Effect.Effect<void, RedisReason> {
    return this.attempt((redis) => redis.ping()).pipe(
      // A server that forbids PING is well. One that forbade SELECT was left, and its reason is the last error.
      Effect.catchIf(
        (reason) => reason._tag === "Refused" && reason.code === "NOPERM" && this.lastError === undefined,
        () => Effect.void
      ),
      Effect.asVoid
    )
  }

  private left(): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      this.leaveService = () => {
        this.leaveService = undefined
        resume(Effect.void)
      }
      if (this.redis.status !== "ready") this.leaveService()
    })
  }
}
