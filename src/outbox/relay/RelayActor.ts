/**
 * The relay of one process: it takes partitions that nobody holds, renews its leases, and runs a `PartitionRelay` for each.
 * An outage of the database ends nothing: what was read waits, and its outcomes are written when the database is back.
 *
 * A lease has a fence, a number that grows with each holder. A read names its fence, so a process that lost its lease, and
 * does not know it yet, reads nothing. What it had read is published twice at most, with the same ids and in order.
 */
import type * as Clock from "effect/Clock"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type * as Log from "../../observe/Log.ts"
import * as Backoff from "../../bus/support/Backoff.ts"
import type { Database } from "../Database.ts"
import { partitions } from "../dialects/Dialect.ts"
import type { Row } from "../dialects/Statement.ts"
import type { OutboxError } from "../OutboxError.ts"
import { PartitionRelay, type RelayParts } from "./PartitionRelay.ts"

const afterFailure: Backoff.Backoff = { baseMillis: 100, capMillis: 5_000, jitter: "equal" }
/** For the confirms of what is in flight when the relay ends. */
const graceMillis = 3_000
/** For the last statements then. */
const lastStatements = "2 seconds"

interface Running {
  readonly relay: PartitionRelay
  readonly fiber: Fiber.Fiber<void>
}

export class RelayActor {
  /** The process as leases name it. */
  private readonly owner: string
  private readonly parts: RelayParts
  private readonly clock: Clock.Clock
  private readonly log: Log.Log
  private readonly running = new Map<number, Running>()
  private isStopping = false
  private failures = 0

  constructor(parts: RelayParts, owner: string, clock: Clock.Clock, log: Log.Log) {
    this.parts = parts
    this.owner = owner
    this.clock = clock
    this.log = log
  }

  /** The partitions that this process publishes. */
  get partitions(): number {
    return this.running.size
  }

  /** Events that were read and are not marked. */
  get held(): number {
    let held = 0
    for (const { relay } of this.running.values()) held += relay.held
    return held
  }

  get holdsFirst(): boolean {
    return this.running.has(0)
  }

  readonly wake = (): void => {
    for (const { relay } of this.running.values()) relay.wake()
  }

  /** Runs until the scope closes; then what is in flight gets its answer, and the leases are given up. */
  get start(): Effect.Effect<void, never, Scope.Scope> {
    return Effect.flatMap(Effect.scope, (scope) =>
      Effect.forever(Effect.suspend(() => this.keep(scope))).pipe(
        Effect.forkIn(scope),
        Effect.andThen(Effect.addFinalizer(() => this.stop))
      )
    )
  }

  /** One round of leases. */
  private keep(scope: Scope.Scope): Effect.Effect<void> {
    return this.renew(scope).pipe(
      Effect.andThen(
        Effect.suspend(() => (this.running.size < partitions ? this.claim(scope) : Effect.succeed(false)))
      ),
      Effect.tap(() => Effect.sync(() => void (this.failures = 0))),
      Effect.catchCause((cause) => {
        this.log.warning("the outbox cannot hold its leases", { error: errorOf(cause), detail: detailOf(cause) })
        return Effect.as(Backoff.wait(afterFailure, this.failures++), true)
      }),
      // One at a time, so that processes that start together share them.
      Effect.flatMap((isMore) => Backoff.wait(isMore ? soon : this.later, 0))
    )
  }

  private get later(): Backoff.Backoff {
    const millis = this.parts.settings.leaseMillis / 3
    return { baseMillis: millis, capMillis: millis, jitter: "equal" }
  }

  private lease(): { readonly owner: string; readonly millis: number } {
    return { owner: this.owner, millis: this.parts.settings.leaseMillis }
  }

  private renew(scope: Scope.Scope): Effect.Effect<void, OutboxError> {
    const { database } = this.parts
    return Effect.flatMap(database.run("renew", database.dialect.renew(this.lease())), (rows) => {
      const mine = new Map(rows.map(leaseOf))
      const lost = [...this.running].filter(([partition, { relay }]) => mine.get(partition) !== relay.fence)
      return Effect.forEach(lost, ([partition, running]) => this.lose(partition, running), { discard: true }).pipe(
        // Also one whose claim was answered to nobody.
        Effect.andThen(Effect.forEach(mine, (lease) => this.begin(lease, scope), { discard: true }))
      )
    })
  }

  private claim(scope: Scope.Scope): Effect.Effect<boolean, OutboxError> {
    const { database } = this.parts
    return Effect.flatMap(database.run("claim", database.dialect.claim(this.lease())), (rows) =>
      Effect.as(
        Effect.forEach(rows.map(leaseOf), (lease) => this.begin(lease, scope), { discard: true }),
        rows.length > 0
      )
    )
  }

  private begin([partition, fence]: readonly [number, number], scope: Scope.Scope): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.isStopping || this.running.has(partition)) return Effect.void
      const relay = new PartitionRelay(this.parts, { partition, fence }, this.clock)
      return Effect.map(Effect.forkIn(this.supervised(relay), scope), (fiber) => {
        this.running.set(partition, { relay, fiber })
        this.log.info("the outbox publishes a partition", { partition, fence })
      })
    })
  }

  private lose(partition: number, { fiber, relay }: Running): Effect.Effect<void> {
    this.running.delete(partition)
    this.log.warning("the outbox has lost the lease of a partition: another process publishes it", { partition })
    relay.abandon()
    return Fiber.interrupt(fiber)
  }

  /** Restarts it for ever: nobody else would publish what it holds the lease of. */
  private supervised(relay: PartitionRelay): Effect.Effect<void> {
    let failures = 0
    let rounds = 0
    return relay.run.pipe(
      Effect.catchCause((cause) => {
        if (Cause.hasInterruptsOnly(cause)) return Effect.failCause(cause)
        if (relay.rounds > rounds) failures = 0
        rounds = relay.rounds
        this.log.warning("the outbox waits for its database", { error: errorOf(cause), detail: detailOf(cause) })
        return Backoff.wait(afterFailure, failures++)
      }),
      Effect.forever,
      Effect.ignoreCause
    )
  }

  private get stop(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.isStopping = true
      const all = [...this.running.values()]
      const { database } = this.parts
      return Effect.forEach(
        all,
        ({ fiber, relay }) =>
          Fiber.interrupt(fiber).pipe(
            Effect.andThen(relay.stop(graceMillis)),
            Effect.timeoutOption(graceMillis + 1_000),
            Effect.ignore
          ),
        { concurrency: "unbounded", discard: true }
      ).pipe(
        Effect.andThen(
          Effect.ignore(
            Effect.timeoutOption(database.run("release", database.dialect.release(this.owner)), lastStatements)
          )
        ),
        Effect.andThen(Effect.sync(() => this.running.clear()))
      )
    })
  }
}

const soon: Backoff.Backoff = { baseMillis: 50, capMillis: 50, jitter: "full" }

const leaseOf = (row: Row): readonly [partition: number, fence: number] => [
  Number(row["partition"]),
  Number(row["fence"])
]

const errorOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  return error instanceof Error ? error.name : "unknown"
}

const detailOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  return error instanceof Error ? error.message : String(error)
}

/** A database whose last answer is known. */
export interface WatchedDatabase extends Database {
  /** Why the last statement failed, and since when statements have failed, in milliseconds since the epoch. */
  readonly fault: () => { readonly since: number; readonly detail: string } | undefined
}

/** Statements of the relay belong to no trace, and never run in a transaction of the fiber that built it. */
export const watched = (database: Database, clock: Clock.Clock): WatchedDatabase => {
  let fault: { readonly since: number; readonly detail: string } | undefined
  return {
    dialect: database.dialect,
    fault: () => fault,
    run: (operation, statement) =>
      database.run(operation, statement).pipe(
        Effect.withTracerEnabled(false),
        Effect.tap(() => Effect.sync(() => void (fault = undefined))),
        Effect.tapError((error) =>
          Effect.sync(() => {
            fault = { since: fault?.since ?? clock.currentTimeMillisUnsafe(), detail: error.message }
          })
        )
      )
  }
}
