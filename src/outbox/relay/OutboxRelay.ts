/**
 * Publishes what was appended to an outbox and committed: at least once, in the order of commits within a key. Any number
 * of processes may run it; each partition is published by one of them.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { SqlClient } from "effect/sql/SqlClient"
import { BusInternals } from "../../bus/BusInternals.ts"
import type { EventBus } from "../../bus/EventBus.ts"
import { CurrentIds } from "../../bus/support/EventIds.ts"
import { Health } from "../../observe/Health.ts"
import * as Log from "../../observe/Log.ts"
import * as Meter from "../../observe/Meter.ts"
import * as OutboxMetrics from "../../observe/OutboxMetrics.ts"
import { type Database, ofClient, ofPort, type Port } from "../Database.ts"
import * as Upkeep from "../Upkeep.ts"
import { CurrentWake } from "../Wake.ts"
import * as Listening from "./Listening.ts"
import { RelayActor, watched, type WatchedDatabase } from "./RelayActor.ts"
import { type RelayOptions, type RelaySettings, settingsOf } from "./RelayOptions.ts"
import * as RelayTelemetry from "./RelayTelemetry.ts"

export interface RelayStatus {
  /** Partitions that this process publishes, of four. */
  readonly partitions: number
  /** Events that this process has read and not marked: in flight, or waiting for a broker that rejects them. */
  readonly held: number
  /** Committed events that are not published, as they were measured last: at most 100,000. */
  readonly pending: number
  /** Events that were set aside. */
  readonly refused: number
  /** Age of the oldest event that is not published, in seconds. */
  readonly oldestSeconds: number
  /** Why the database did not answer the last time. */
  readonly databaseFault: string | undefined
}

export class OutboxRelay extends Context.Service<
  OutboxRelay,
  {
    readonly status: Effect.Effect<RelayStatus>
    /** Asks the database now. */
    readonly wake: Effect.Effect<void>
  }
>()("@eduflow/events/outbox/OutboxRelay") {
  /** Publishes the outbox of the `SqlClient` until the scope closes. It starts, and waits, while broker or database are away. */
  static readonly layer = (options: RelayOptions = {}): Layer.Layer<OutboxRelay, never, EventBus | SqlClient> =>
    Layer.effect(
      OutboxRelay,
      Effect.flatMap(SqlClient, (client) => make(ofClient(client), options, Listening.ofClient(client)))
    )

  /** The same over any other client. */
  static readonly layerWith = (port: Port, options: RelayOptions = {}): Layer.Layer<OutboxRelay, never, EventBus> =>
    Layer.effect(
      OutboxRelay,
      Effect.suspend(() => make(ofPort(port), options, Listening.ofPort(port)))
    )
}

const make = Effect.fnUntraced(function* (
  plain: Database,
  options: RelayOptions,
  listening: Listening.Listening | undefined
) {
  const settings = settingsOf(options)
  const clock = yield* Clock.Clock
  const context = yield* Effect.context<never>()
  const log = yield* Log.make
  const internals = yield* Effect.serviceOption(BusInternals)
  if (Option.isNone(internals)) {
    return yield* Effect.die(new Error("OutboxRelay needs an EventBus that a layer of @eduflow/events made"))
  }
  const database = watched(plain, clock)
  const telemetry = RelayTelemetry.make(context, clock, log)
  const publisher = internals.value.encoded
  const owner = (yield* CurrentIds).next(clock.currentTimeMillisUnsafe())
  const actor = new RelayActor({ database, publisher, settings, telemetry }, owner, clock, log)
  const measured = yield* measure(database, actor)
  yield* Effect.forkScoped(upkeep(database, actor, settings, log))
  const wake = yield* CurrentWake
  yield* Effect.acquireRelease(
    Effect.sync(() => wake.onAppended(actor.wake)),
    (end) => Effect.sync(end)
  )
  if (settings.listens && listening !== undefined) yield* Listening.start(listening, actor.wake, log)
  yield* actor.start

  const status = Effect.sync((): RelayStatus => ({
    ...measured(),
    partitions: actor.partitions,
    held: actor.held,
    databaseFault: database.fault()?.detail
  }))
  yield* addProbe(status)
  return OutboxRelay.of({ status, wake: Effect.sync(actor.wake) })
})

/** Measures every 15 seconds; the gauges report what was measured last. */
const measure = (
  database: WatchedDatabase,
  actor: RelayActor
): Effect.Effect<() => Upkeep.Counts, never, Scope.Scope> =>
  Effect.gen(function* () {
    const context = yield* Effect.context<never>()
    let counts: Upkeep.Counts = { pending: 0, refused: 0, oldestSeconds: 0 }
    const ends = [
      Meter.observe(OutboxMetrics.pending, context, {}, () => counts.pending),
      Meter.observe(OutboxMetrics.oldest, context, {}, () => counts.oldestSeconds),
      Meter.observe(OutboxMetrics.refused, context, {}, () => counts.refused),
      Meter.observe(OutboxMetrics.partitions, context, {}, () => actor.partitions)
    ]
    yield* Effect.addFinalizer(() => Effect.sync(() => ends.forEach((end) => end())))
    const look = Effect.map(Upkeep.counts(database), (now) => {
      counts = now
    })
    yield* Effect.forkScoped(Effect.repeat(Effect.ignoreCause(look), Schedule.spaced("15 seconds")))
    return () => counts
  })

/** What is old is removed by the process that publishes the first partition. */
const upkeep = (database: Database, actor: RelayActor, settings: RelaySettings, log: Log.Log): Effect.Effect<void> => {
  const { keepRefusedMillis, keepSentMillis } = settings
  const purge = Effect.gen(function* () {
    if (!actor.holdsFirst) return
    if (keepSentMillis !== undefined) yield* Upkeep.purge(database, "sent", keepSentMillis)
    if (keepRefusedMillis !== undefined) yield* Upkeep.purge(database, "refused", keepRefusedMillis)
  }).pipe(
    Effect.catchCause(() => Effect.sync(() => log.warning("old events of the outbox stay", { reason: "the database" })))
  )
  return Effect.asVoid(Effect.repeat(purge, Schedule.spaced("1 minute")))
}

/** How old an event may be before health says so. */
const lateSeconds = 60

const addProbe = (status: Effect.Effect<RelayStatus>): Effect.Effect<void> =>
  Effect.flatMap(Effect.serviceOption(Health), (health) =>
    Option.isNone(health)
      ? Effect.void
      : health.value.add({
          name: "outbox",
          critical: false,
          check: Effect.map(status, (now) => {
            const { databaseFault, held, oldestSeconds, partitions, pending, refused } = now
            if (databaseFault !== undefined) return { status: "degraded", detail: databaseFault } as const
            const detail = `${partitions} partitions here, ${pending} events wait, ${held} in flight, ${refused} set aside`
            return oldestSeconds > lateSeconds
              ? ({
                  status: "degraded",
                  detail: `${detail}; the oldest waits for ${Math.round(oldestSeconds)} s`
                } as const)
              : ({ status: "up", detail } as const)
          })
        })
  )
