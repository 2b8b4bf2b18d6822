/**
 * Publishes one partition of the outbox, as long as this process holds its lease: reads a batch from the start of what is
 * pending, sends it in order, writes the outcomes, and reads again.
 *
 * It always reads from the start: a transaction that began early may commit late, and its events have small positions.
 * An event that was sent and not marked, because the process ended between, is published again with the same id.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { EncodedPublisher } from "../../bus/publish/EncodedPublisher.ts"
import type { Outcome } from "../../bus/send/Outcome.ts"
import * as Monotonic from "../../observe/Monotonic.ts"
import type { Database } from "../Database.ts"
import type { OutboxError } from "../OutboxError.ts"
import { type PendingRow, pendingOf } from "../OutboxRow.ts"
import type { RelaySettings } from "./RelayOptions.ts"
import type { RelayTelemetry } from "./RelayTelemetry.ts"
import { Unsettled } from "./Unsettled.ts"

/** How long a batch holds up the next one. What takes longer holds up its keys alone. */
const patienceMillis = 500

/** Bodies that one read returns; a larger one comes alone. */
const maxReadBytes = 4 * 1024 * 1024

export interface RelayParts {
  readonly database: Database
  readonly publisher: EncodedPublisher
  readonly settings: RelaySettings
  readonly telemetry: RelayTelemetry
}

/** What one read returned. */
interface Batch {
  /** Events without an outcome. */
  open: number
  /** The bus takes nothing any more. */
  isRefused: boolean
}

export class PartitionRelay {
  readonly partition: number
  readonly fence: number
  private readonly parts: RelayParts
  private readonly clock: Clock.Clock
  private readonly now: Monotonic.Monotonic
  private readonly unsettled = new Unsettled()
  private readonly signal = Latch.makeUnsafe(false)
  /** How many rounds have worked. */
  rounds = 0
  private batch: Batch = { open: 0, isRefused: false }
  private woken = false

  constructor(parts: RelayParts, lease: { readonly partition: number; readonly fence: number }, clock: Clock.Clock) {
    this.parts = parts
    this.partition = lease.partition
    this.fence = lease.fence
    this.clock = clock
    this.now = Monotonic.of(clock)
  }

  /** Something was appended. */
  readonly wake = (): void => {
    this.woken = true
    this.signal.openUnsafe()
  }

  get held(): number {
    return this.unsettled.size
  }

  /** Runs for ever, or fails with the database. What was read is not forgotten then: it can be run again. */
  get run(): Effect.Effect<never, OutboxError> {
    return Effect.forever(Effect.suspend(() => this.round()))
  }

  /** No event is sent any more; those in flight have this long for their confirms, and their rows are marked. */
  stop(graceMillis: number): Effect.Effect<void, OutboxError> {
    return Effect.suspend(() => {
      this.unsettled.withdraw()
      const until = this.now() + graceMillis
      return this.waitUntil(() => this.unsettled.inFlight === 0, until)
    }).pipe(Effect.andThen(Effect.suspend(() => this.write())))
  }

  /** The lease is another's: it publishes what is not marked. */
  abandon(): void {
    this.unsettled.withdraw()
  }

  private round(): Effect.Effect<void, OutboxError> {
    return this.write().pipe(
      Effect.andThen(
        Effect.suspend(() => {
          this.woken = false
          return this.unsettled.isFull ? Effect.succeed(0) : this.read()
        })
      ),
      Effect.flatMap((count) => (count === 0 ? this.rest() : this.awaitBatch())),
      Effect.tap(() => Effect.sync(() => void this.rounds++))
    )
  }

  private read(): Effect.Effect<number, OutboxError> {
    const { database, settings } = this.parts
    const { fence, partition } = this
    const statement = database.dialect.read({
      partition,
      fence,
      heldKeys: this.unsettled.keys(),
      heldPositions: this.unsettled.positions(),
      limit: settings.batch,
      maxBytes: maxReadBytes
    })
    return Effect.map(database.run("read", statement), (rows) => {
      const now = this.clock.currentTimeMillisUnsafe()
      const read = rows.map((row) => pendingOf(row, now))
      const batch = { open: read.length, isRefused: false }
      this.batch = batch
      for (const row of read) this.unsettled.read(row)
      for (const row of read) this.submit(row, batch)
      return read.length
    })
  }

  private submit(row: PendingRow, batch: Batch): void {
    let isOpen = true
    const publication = this.parts.publisher.submit(row.event, (outcome) => {
      isOpen = false
      this.ended(row, batch, outcome)
    })
    if (isOpen) this.unsettled.submitted(row, publication)
  }

  private ended(row: PendingRow, batch: Batch, outcome: Outcome): void {
    const { telemetry } = this.parts
    batch.open--
    switch (outcome._tag) {
      case "Confirmed": {
        telemetry.published(row.event, outcome.routed)
        this.unsettled.ended({ row, refusal: undefined })
        break
      }
      // Waiting does not change these.
      case "Invalid":
      case "Denied":
      case "Unroutable": {
        telemetry.setAside(row.event, outcome)
        this.unsettled.ended({ row, refusal: `${outcome._tag}: ${outcome.message}` })
        break
      }
      // The bus has ended: the row stays pending.
      default: {
        batch.isRefused = true
        this.unsettled.forget(row)
      }
    }
    // One of an earlier batch frees its key.
    if (batch.open === 0 || batch !== this.batch) this.signal.openUnsafe()
  }

  private write(): Effect.Effect<void, OutboxError> {
    if (!this.unsettled.hasSettled) return Effect.void
    const { database, settings } = this.parts
    const { dialect } = database
    const taken = this.unsettled.takeSettled()
    const sent = taken.filter(({ refusal }) => refusal === undefined).map(({ row }) => row.position)
    const mark = settings.keepSentMillis === 0 ? dialect.removeSent(sent) : dialect.markSent(sent)
    return Effect.forEach(
      taken.filter(({ refusal }) => refusal !== undefined),
      ({ refusal = "", row }) => database.run("mark", dialect.setAside(row.position, refusal)),
      { discard: true }
    ).pipe(
      Effect.andThen(sent.length === 0 ? Effect.void : database.run("mark", mark)),
      Effect.andThen(Effect.sync(() => this.unsettled.written(taken))),
      // Also when it is interrupted: to write it twice changes nothing.
      Effect.onError(() => Effect.sync(() => this.unsettled.giveBack(taken)))
    )
  }

  /** Until all of the batch have an outcome, or its patience is over. */
  private awaitBatch(): Effect.Effect<void> {
    const { batch } = this
    return Effect.andThen(
      this.waitUntil(() => batch.open === 0, this.now() + patienceMillis),
      Effect.suspend(() => (batch.isRefused ? Effect.sleep(this.parts.settings.pollMillis) : Effect.void))
    )
  }

  /** Nothing can be read: until something was appended or settled, or it is time to ask again. */
  private rest(): Effect.Effect<void> {
    return this.waitUntil(
      () => this.unsettled.hasSettled || (this.woken && !this.unsettled.isFull),
      this.now() + this.parts.settings.pollMillis
    )
  }

  private waitUntil(isOver: () => boolean, until: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      const left = until - this.now()
      if (isOver() || left <= 0) return Effect.void
      this.signal.closeUnsafe()
      return Effect.andThen(
        Effect.timeoutOption(this.signal.await, left),
        Effect.suspend(() => this.waitUntil(isOver, until))
      )
    })
  }
}
