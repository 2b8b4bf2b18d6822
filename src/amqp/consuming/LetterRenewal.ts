/**
 * Sends letters again to the end of their queue, as they are, in order, so that nothing counts against them any more.
 * Each is acknowledged when its copy is confirmed: at worst it is there twice. RabbitMQ counts each return of a message
 * (until 4.3), and a policy of an operator may set how many it allows.
 */
import type { ConfirmChannel, Message, Options } from "amqplib"
import * as Effect from "effect/Effect"
import { BrokerError } from "../../bus/port/BrokerError.ts"
import { BrokerRefused } from "../../bus/port/BrokerReason.ts"
import * as AmqpError from "../AmqpError.ts"
import * as AmqplibInternals from "../AmqplibInternals.ts"
import * as BoundedClose from "../connection/BoundedClose.ts"
import type { Link } from "../connection/Link.ts"
import * as ScopedChannel from "../connection/ScopedChannel.ts"
import * as Refusals from "../publishing/Refusals.ts"

/** Where a letter has to be sent to come back into its queue. */
export interface LetterPlace {
  readonly queue: string
  readonly exchange: string
  /** Undefined when each letter keeps its own. */
  readonly routingKey: string | undefined
}

/** Copies without a confirm. */
const most = { count: 256, bytes: 8 * 1024 * 1024 }
const confirmMillis = 10_000
const closeMillis = 1000

export class LetterRenewal {
  private readonly channel: ConfirmChannel
  private readonly place: LetterPlace
  private readonly username: string
  private readonly onTooLarge: (maxBytes: number) => void
  private count = 0
  private bytes = 0
  private closing = false
  private problem: BrokerError | undefined
  private wake = (): void => {}

  /** `onTooLarge` is called with the size of the largest message that the broker takes. */
  constructor(channel: ConfirmChannel, place: LetterPlace, username: string, onTooLarge: (maxBytes: number) => void) {
    this.channel = channel
    this.place = place
    this.username = username
    this.onTooLarge = onTooLarge
    channel.on("error", (error: unknown) => this.fail(error))
    channel.once("close", () => this.fail(undefined))
    // It comes before the confirm of the copy, which then does not count.
    channel.on("return", () => this.end(notRenewed(place, `no queue is bound to exchange ${place.exchange}`)))
  }

  /** `stored` is called when the copy is confirmed. */
  send({ content, fields, properties }: Message, stored: () => void): void {
    if (this.problem !== undefined) return
    const { exchange, routingKey = fields.routingKey } = this.place
    this.count++
    this.bytes += content.length
    const confirmed = (error: unknown): void => {
      this.count--
      this.bytes -= content.length
      if (error !== null && error !== undefined) this.fail(error)
      else if (this.problem === undefined) stored()
      this.wake()
    }
    try {
      this.channel.publish(exchange, routingKey, content, optionsOf(properties), confirmed)
    } catch (error) {
      this.count--
      this.bytes -= content.length
      this.fail(error)
    }
  }

  /** Waits until there is room for one more copy; fails when none can be stored. */
  readonly room: Effect.Effect<void, BrokerError> = this.until(() => this.count < most.count && this.bytes < most.bytes)

  /** Waits until all copies are confirmed; fails when one cannot be stored. */
  readonly done: Effect.Effect<void, BrokerError> = this.until(() => this.count === 0)

  get close(): Effect.Effect<void> {
    return BoundedClose.closeWithin(closeMillis, () => {
      this.closing = true
      return this.channel.close()
    })
  }

  private until(holds: () => boolean): Effect.Effect<void, BrokerError> {
    return Effect.callback<void, BrokerError>((resume) => {
      const look = (): void => {
        if (this.problem !== undefined) return resume(Effect.fail(this.problem))
        if (holds()) resume(Effect.void)
      }
      this.wake = look
      look()
    }).pipe(
      Effect.timeoutOrElse({
        duration: confirmMillis,
        orElse: () => Effect.fail(notRenewed(this.place, `no confirm within ${confirmMillis} ms`))
      })
    )
  }

  private fail(error: unknown): void {
    const refusal = Refusals.read(error)
    if (refusal?._tag === "TooLarge") this.onTooLarge(refusal.maxBytes)
    const { reason } = AmqpError.refused(error, "renewing letters", `exchange ${this.place.exchange}`, this.username)
    this.end(reason._tag === "Permission" ? new BrokerError({ reason }) : notRenewed(this.place, reason.message))
  }

  private end(problem: BrokerError): void {
    if (this.closing || this.problem !== undefined) return
    this.problem = problem
    this.wake()
  }
}

export const notRenewed = ({ queue }: LetterPlace, detail: string): BrokerError =>
  new BrokerError({
    reason: new BrokerRefused({
      operation: `looking at queue ${queue}`,
      detail: `${detail}. On RabbitMQ before 4.3 each look counts against a letter, so it is stored anew before it is returned, which failed: the letters are left alone`
    })
  })

/** Opens a channel to renew letters by. */
export const open = (
  link: Link,
  place: LetterPlace,
  onTooLarge: (maxBytes: number) => void
): Effect.Effect<LetterRenewal, BrokerError> =>
  link
    .call("opening a channel", "a channel", () =>
      AmqplibInternals.openChannel(link.model, () => link.model.createConfirmChannel())
    )
    .pipe(
      Effect.flatMap((opened) => ScopedChannel.stillOpen(link, opened)),
      // Nothing yields in between, so its listeners find what comes later.
      Effect.map((channel) => new LetterRenewal(channel, place, link.username, onTooLarge))
    )

/**
 * All of it stays but what the broker would act upon: a copy must not expire, belong to another user or go elsewhere, and
 * the broker counts anew. `x-death` stays: it says why the broker made the letter, and leads nowhere from here.
 */
const optionsOf = (properties: Message["properties"]): Options.Publish => {
  const { expiration: _expiration, headers, userId: _userId, ...kept } = properties
  return { ...kept, persistent: true, mandatory: true, headers: headersOf(headers ?? {}) }
}

const acted: ReadonlySet<string> = new Set(["CC", "BCC", "x-delivery-count", "x-acquired-count"])

const headersOf = (headers: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !acted.has(name)))
