/**
 * Sends a copy until it is stored. Copies have an in-flight limit of their own and are never refused: they
 * wait, and meanwhile the delivery that they stand for stays unacknowledged.
 */
import * as Effect from "effect/Effect"
import type * as Tracer from "effect/Tracer"
import type * as Log from "../../observe/Log.ts"
import type { Headers, Outgoing } from "../port/Broker.ts"
import type { BrokerError } from "../port/BrokerError.ts"
import type { Outbox } from "../send/Outbox.ts"
import type { Outcome } from "../send/Outcome.ts"
import type { PublishReason } from "../send/PublishReason.ts"
import { Shipment } from "../send/Shipment.ts"
import * as Backoff from "../support/Backoff.ts"
import type { RefusedCopies } from "./RefusedCopies.ts"

/** A message that the runtime sends, usually in place of a delivery. */
export interface Copy {
  readonly subscriber: string
  readonly bytes: number
  readonly message: Omit<Outgoing, "headers">
  readonly headers: Headers
  /** The least that the copy needs, for when the broker's client refuses its headers. */
  readonly leastHeaders: () => Headers
  /** Declares the queue that it goes to. */
  readonly repair: Effect.Effect<void, BrokerError>
  /** Has the broker dead-letter its original; absent when there is none, or no place for it. */
  readonly leave: (() => void) | undefined
  /** Whether its original may stay as it is: a copy that is refused is given up at once. */
  readonly isOptional: boolean
  /** Whether it keeps its place among those of its key when it is sent again. */
  readonly isOrdered: boolean
  /** Whether its delivery can no longer be settled. */
  readonly lost: () => boolean
  /** The span that its log lines belong to. */
  readonly span: Tracer.AnySpan | undefined
  /** Builds it anew before it is sent again: how long it can wait in one pass may have changed. */
  readonly again?: () => Copy
}

const backoff: Backoff.Backoff = { baseMillis: 50, capMillis: 10_000, jitter: "equal" }

/** Of a copy that the broker takes at no time: it may be allowed to, or raise its limits. */
const refusedBackoff: Backoff.Backoff = { baseMillis: 50, capMillis: 5 * 60_000, jitter: "equal" }
/** A copy that was refused this often, the last times with the least headers, is left to the broker. */
const maxRefusals = 3

/**
 * What became of a copy. `left`: it can never be stored, and the broker dead-letters its original itself. `refused`: it was not
 * stored, and its original stays.
 */
export type CopyEnd = "stored" | "lost" | "left" | "refused"

const stored = Effect.succeed<CopyEnd>("stored")
const lost = Effect.succeed<CopyEnd>("lost")
const refused = Effect.succeed<CopyEnd>("refused")

/** One sending of a copy. */
class CopyShipment extends Shipment {
  readonly finished: (outcome: Outcome) => void

  private readonly isOrdered: boolean

  constructor({ bytes, isOrdered, message }: Copy, headers: Headers, finished: (outcome: Outcome) => void) {
    super({ ...message, headers }, bytes, Number.POSITIVE_INFINITY, true, true)
    this.isOrdered = isOrdered
    this.finished = finished
  }

  /** A dead-letter queue that refuses must not take the room of other subscribers' copies. */
  override get endsWhenRejected(): boolean {
    return !this.isOrdered
  }

  override get keepsOrder(): boolean {
    return this.isOrdered
  }

  override get endsWhenDenied(): boolean {
    return true
  }
}

export class CopySender {
  private readonly outbox: Outbox
  private readonly log: Log.Log
  private readonly refused: RefusedCopies

  constructor(outbox: Outbox, log: Log.Log, refused: RefusedCopies) {
    this.outbox = outbox
    this.log = log
    this.refused = refused
  }

  /** Ends as `lost` when its delivery was lost before: the broker delivers that again. */
  store(copy: Copy): Effect.Effect<CopyEnd> {
    return this.send(copy, copy.headers, 0)
  }

  /** Nearly every copy is stored at once, which takes one callback and no loop. */
  private send(copy: Copy, headers: Headers, round: number, refusals = 0): Effect.Effect<CopyEnd> {
    return Effect.callback((resume) => {
      if (copy.lost()) return resume(lost)
      const shipment = new CopyShipment(copy, headers, (outcome) =>
        resume(
          outcome._tag === "Confirmed"
            ? stored
            : outcome._tag === "Invalid" || outcome._tag === "Denied"
              ? this.refuse(copy, round, refusals + 1, outcome.message)
              : this.sendAgain(copy, round, refusals, outcome._tag)
        )
      )
      this.outbox.submit(shipment)
      return Effect.sync(() => shipment.withdraw())
    })
  }

  /**
   * The broker, or its client, does not take it: trying harder does not help, and declaring does not either. Its
   * original must not wait for ever: where the queue has a place for dead letters, the broker moves it there by itself.
   */
  private refuse(copy: Copy, round: number, refusals: number, detail: string): Effect.Effect<CopyEnd> {
    const { leave, message, span, subscriber } = copy
    const { messageId: id, type: event } = message.properties
    const fields = { subscriber, event, id, to: message.to._tag, span, detail }
    if (copy.isOptional) {
      this.log.warning("a copy was refused, its event stays where it is", fields)
      return refused
    }
    if (refusals < maxRefusals) this.log.warning("a copy was refused", fields)
    else if (copy.lost()) return lost
    else if (leave !== undefined) {
      this.log.error("a copy can never be stored: the broker dead-letters the event itself", fields)
      this.refused.left(copy, { subscriber, id, detail })
      return Effect.sync(() => {
        leave()
        return "left"
      })
    } else {
      if (refusals === maxRefusals) this.log.error("a copy is refused, its event waits", fields)
      this.refused.waits(copy, { subscriber, id, detail })
    }
    return Backoff.wait(refusedBackoff, refusals).pipe(
      Effect.andThen(Effect.suspend(() => this.send(copy, copy.leastHeaders(), round, refusals))),
      Effect.ensuring(Effect.sync(() => this.refused.ended(copy)))
    )
  }

  /** A copy that reached no queue was not stored: its topology is repaired first. */
  private sendAgain(
    copy: Copy,
    round: number,
    refusals: number,
    reason: PublishReason["_tag"]
  ): Effect.Effect<CopyEnd> {
    const { message, repair, span, subscriber } = copy
    this.log.warning("a copy was not stored", {
      subscriber,
      event: message.properties.type,
      id: message.properties.messageId,
      to: message.to._tag,
      span,
      reason
    })
    return repair.pipe(
      Effect.catch((error) =>
        Effect.sync(() => this.log.error("topology cannot be repaired", { subscriber, detail: error.message }))
      ),
      Effect.andThen(Backoff.wait(backoff, round)),
      Effect.andThen(
        Effect.suspend(() => {
          const next = copy.again?.() ?? copy
          const { headers } = next
          return this.send(next, refusals === 0 ? headers : next.leastHeaders(), round + 1, refusals)
        })
      )
    )
  }
}
