/**
 * Deliveries whose data is read later, because their contract validates asynchronously. Without ordering each goes on when
 * its own data is read. By key they go on in the order of their arrival, also those that are read at once: keys are known
 * only when data is read.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { ParsedEvent } from "../../event/CloudEvent.ts"
import type { Envelope } from "../../event/Envelope.ts"
import type { InvalidEvent } from "../../event/EventError.ts"
import * as Later from "../../event/standard/Later.ts"
import type { Origin, Unknown } from "./Work.ts"
import type { Delivery } from "../port/Broker.ts"
import * as Validation from "../support/Validation.ts"

/** A delivery that was read: what could be parsed of it, and its event. */
export interface Read {
  readonly delivery: Delivery
  readonly origin: Origin
  readonly parsed: ParsedEvent | undefined
  readonly decoded: Result.Result<Envelope, InvalidEvent | Unknown>
}

export interface LaterReadsParts {
  readonly keyed: boolean
  /** Longest time that a validator may take. */
  readonly deadlineMillis: number
  readonly fork: (effect: Effect.Effect<void>) => void
  readonly goOn: (read: Read) => void
}

export class LaterReads {
  private readonly parts: LaterReadsParts
  /** Of a keyed subscriber, in the order of arrival; undefined until it is read. */
  private readonly waiting: Array<{ read: Read | undefined }> = []

  constructor(parts: LaterReadsParts) {
    this.parts = parts
  }

  /** Whether a delivery has to wait for others that arrived before it. */
  get isBusy(): boolean {
    return this.waiting.length > 0
  }

  /** A delivery that has to wait for others. */
  behind(read: Read): void {
    const { decoded } = read
    if (Result.isFailure(decoded) && decoded.failure instanceof Later.Later) this.add(read, decoded.failure)
    else this.waiting.push({ read })
  }

  /** A delivery that is read later. */
  add({ delivery, origin, parsed }: Omit<Read, "decoded">, later: Later.Later): void {
    const { deadlineMillis, fork, goOn, keyed } = this.parts
    const entry: { read: Read | undefined } = { read: undefined }
    if (keyed) this.waiting.push(entry)
    // It waits for an envelope: `WireFormat.decode` made it.
    const outcome: Later.Outcome<Envelope> = Result.fail(later)
    fork(
      Effect.map(Validation.settled(later.event, outcome, deadlineMillis), (decoded) => {
        const read = { delivery, origin, parsed, decoded }
        if (!keyed) return goOn(read)
        entry.read = read
        this.next()
      })
    )
  }

  private next(): void {
    for (let first = this.waiting[0]; first?.read !== undefined; first = this.waiting[0]) {
      this.waiting.shift()
      this.parts.goOn(first.read)
    }
  }
}
