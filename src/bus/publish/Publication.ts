/**
 * One publish that was sent to the outbox, until its caller, the cache, the metrics, the span and the log have
 * its outcome. It is its own record in flight: each event has one.
 */
import * as Duration from "effect/Duration"
import * as Exit from "effect/Exit"
import type { Body } from "../../event/Body.ts"
import type * as Event from "../../event/Event.ts"
import type { CacheEntry } from "../port/CacheStore.ts"
import type { OutgoingMessage } from "../port/OutgoingMessage.ts"
import type { Confirmed as ConfirmedSend } from "../port/SendOutcome.ts"
import type { Outcome } from "../send/Outcome.ts"
import { PublishError } from "../send/PublishError.ts"
import type { PublishReason } from "../send/PublishReason.ts"
import { Shipment } from "../send/Shipment.ts"
import type { CallOrder } from "./CallOrder.ts"
import type { PreparedContract } from "./PreparedContract.ts"
import type { Confirmed, PublishOptions } from "./PublishOptions.ts"
import type { PublishTelemetry } from "./PublishTelemetry.ts"

export type Resume = (outcome: Exit.Exit<Confirmed, PublishError>) => void

export class Publication extends Shipment {
  private readonly contract: PreparedContract
  private readonly telemetry: PublishTelemetry
  private readonly resume: Resume
  /** Of a `publishAll`. */
  private readonly order: CallOrder | undefined
  private isInterrupted = false

  constructor(
    contract: PreparedContract,
    message: OutgoingMessage,
    options: PublishOptions,
    telemetry: PublishTelemetry,
    privileged: boolean,
    resume: Resume,
    order: CallOrder | undefined
  ) {
    const { timeout } = options
    const millis = timeout === undefined ? contract.tools.timeoutMillis : Duration.toMillis(timeout)
    const deadline = telemetry.beganAt + millis
    super(message, message.bytes, deadline, options.mandatory === true, privileged)
    this.contract = contract
    this.telemetry = telemetry
    this.resume = resume
    this.order = order
  }

  /** Its caller does not wait any more. What was sent already still has its outcome, in the log. */
  interrupt(): void {
    this.isInterrupted = true
    this.withdraw()
  }

  override get endsWhenDenied(): boolean {
    return true
  }

  override get keepsOrder(): boolean {
    return this.order !== undefined
  }

  /** To send it again would put it behind a later event of its key: other queues may have that even if it was rejected. */
  override get endsWhenRejected(): boolean {
    const { message, order, sequence } = this
    const { key } = message
    if (order === undefined || key === undefined) return false
    if (order.hasFailed || order.isOvertaken(key, sequence)) return true
    for (let other = this.after; other !== undefined; other = other.after)
      if (other.message.key === key && other.sends > 0 && other instanceof Publication && other.order === order)
        return true
    return false
  }

  finished(outcome: Outcome): void {
    if (outcome._tag === "Confirmed") this.confirmed(outcome)
    else this.failed(outcome)
  }

  private confirmed({ routed }: ConfirmedSend): void {
    const { contract, message, telemetry } = this
    const { cache } = contract.event
    const { messageId: id, timestamp: time } = message.properties
    const isDelayed = message.to._tag === "DelayedEvent"
    telemetry.confirmed(id, time, routed)
    if (cache !== false && !isDelayed)
      contract.tools.store.write(new PublishedEntry(contract.name, message.key ?? "", id, time, message.body, cache))
    const exit = Exit.succeed<Confirmed>({ id, routed: isDelayed ? "later" : routed })
    telemetry.endSpan(exit, undefined)
    this.end(exit)
  }

  private failed(reason: PublishReason): void {
    const id = this.message.properties.messageId
    const exit = Exit.fail(new PublishError({ event: this.contract.name, id, reason }))
    this.telemetry.failed(id, reason)
    this.telemetry.endSpan(exit, reason._tag)
    this.end(exit)
  }

  private end(exit: Exit.Exit<Confirmed, PublishError>): void {
    if (this.isInterrupted) this.telemetry.interrupted(exit)
    else this.resume(exit)
  }
}

/** What the cache remembers of a publish. A class and not a literal, for the reason in `OutgoingMessage`. */
export class PublishedEntry implements CacheEntry {
  readonly event: string
  readonly key: string
  readonly id: string
  readonly time: number
  readonly body: Body
  readonly settings: Event.CachePolicy

  constructor(event: string, key: string, id: string, time: number, body: Body, settings: Event.CachePolicy) {
    this.event = event
    this.key = key
    this.id = id
    this.time = time
    this.body = body
    this.settings = settings
  }
}
