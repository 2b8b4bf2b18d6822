/** Publishes requests, and hands each answer to the request that it is about. */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Exit from "effect/Exit"
import type * as Event from "../../event/Event.ts"
import type * as Meter from "../../observe/Meter.ts"
import type { PublishOptions } from "../publish/PublishOptions.ts"
import type { Start } from "../publish/Publisher.ts"
import type { PublishError } from "../send/PublishError.ts"
import type { Alarm, Alarms } from "../support/Alarms.ts"
import type * as Reply from "./Reply.ts"
import { headersOf } from "./Reply.ts"
import type * as ReplyInbox from "./ReplyInbox.ts"
import * as RequestError from "./RequestError.ts"

/** Requests of one process that wait at the same time; more wait for their turn. */
const mostWaiting = 10_000

/** One request whose options are right. */
export interface Call {
  readonly event: Event.AnyRequest
  readonly data: unknown
  readonly id: string
  readonly millis: number
  /** Those of the publish. */
  readonly options: PublishOptions
  readonly error: (reason: RequestError.RequestError["reason"]) => RequestError.RequestError
}

type Ended<A> = Exit.Exit<A, RequestError.RequestError>

/** What becomes of a request. */
export interface Ends<A> {
  /** Gets each answer. What it returns, unless undefined, ends the request. */
  readonly answered: (answer: Reply.Answer) => Ended<A> | undefined
  /** The outcome when its time is over. */
  readonly atTheEnd: () => Ended<A>
  /** Called once with the outcome, unless the request is interrupted. */
  readonly ended: (outcome: Ended<A>) => void
}

/** One that can be answered. */
interface Waiter {
  readonly answer: (answer: Reply.Answer) => void
}

/** The requests that wait for answers, by their ids. */
export class Waiting {
  private readonly late: Meter.Series
  private readonly byId = new Map<string, Waiter>()

  constructor(late: Meter.Series) {
    this.late = late
  }

  get isFull(): boolean {
    return this.byId.size >= mostWaiting
  }

  has(id: string): boolean {
    return this.byId.has(id)
  }

  add(id: string, waiter: Waiter): void {
    this.byId.set(id, waiter)
  }

  remove(id: string): void {
    this.byId.delete(id)
  }

  readonly answered = (id: string | undefined, answer: Reply.Answer): void => {
    const waiter = id === undefined ? undefined : this.byId.get(id)
    if (waiter === undefined) this.late.update(1)
    else waiter.answer(answer)
  }
}

/** Publishes requests and waits for their answers. */
export class Asking {
  readonly clock: Clock.Clock
  readonly alarms: Alarms
  readonly publish: Start
  readonly inbox: ReplyInbox.ReplyInbox
  readonly waiting: Waiting
  /** Requests that wait for their turn, or for the inbox. */
  private readonly queue = new Set<{ readonly send: () => void }>()
  private isSending = false

  constructor(clock: Clock.Clock, alarms: Alarms, publish: Start, inbox: ReplyInbox.ReplyInbox, waiting: Waiting) {
    this.clock = clock
    this.alarms = alarms
    this.publish = publish
    this.inbox = inbox
    this.waiting = waiting
  }

  /** Asks at once, or when it is its turn. Returns what ends it without an outcome. `context` is that of the fiber that asks. */
  ask<A>(call: Call, context: Context.Context<never>, ends: Ends<A>): () => void {
    const exchange = new Exchange(this, call, context, ends)
    this.alarms.set(exchange)
    this.queue.add(exchange)
    if (!this.inbox.isOpen()) this.inbox.open()
    this.sendNext()
    return exchange.interrupt
  }

  /** Sends those whose turn it is. One of them may end within this call, and make it the turn of another. */
  readonly sendNext = (): void => {
    if (this.isSending || this.queue.size === 0) return
    this.isSending = true
    for (const next of this.queue) {
      if (this.waiting.isFull || !this.inbox.isOpen()) break
      this.queue.delete(next)
      next.send()
    }
    this.isSending = false
  }

  /** It waits for its turn no longer. */
  forget(exchange: { readonly send: () => void }): void {
    this.queue.delete(exchange)
  }
}

/** One request, from its turn until its outcome. */
class Exchange<A> implements Alarm, Waiter {
  readonly due: number
  private readonly asking: Asking
  private readonly call: Call
  private readonly context: Context.Context<never>
  private readonly ends: Ends<A>
  /** What it waits for before it is sent is part of its time, for both sides. In milliseconds since the epoch. */
  private readonly until: number
  private isSent = false
  private hasEnded = false
  private publication: { readonly interrupt: () => void } | undefined

  constructor(asking: Asking, call: Call, context: Context.Context<never>, ends: Ends<A>) {
    this.asking = asking
    this.call = call
    this.context = context
    this.ends = ends
    this.due = asking.alarms.now() + call.millis
    this.until = asking.clock.currentTimeMillisUnsafe() + call.millis
  }

  /** Publishes the request. The first of its answers may come before its confirm. */
  send(): void {
    const { alarms, inbox, publish, waiting } = this.asking
    const { data, error, event, id, options } = this.call
    if (waiting.has(id)) return this.end(Exit.fail(error(new RequestError.Invalid(alreadyAsked))))
    this.isSent = true
    waiting.add(id, this)
    const all: PublishOptions = {
      ...options,
      id,
      headers: { ...options.headers, ...headersOf({ address: inbox.address, until: this.until }) },
      mandatory: true,
      timeout: Math.max(1, this.due - alarms.now())
    }
    try {
      const publication = publish(event, data, all, this.context, this.published)
      if (!this.hasEnded) this.publication = publication
    } catch (defect) {
      this.end(Exit.die(defect))
    }
  }

  private readonly published = (exit: Exit.Exit<unknown, PublishError>): void => {
    if (Exit.isSuccess(exit)) return
    const { error } = this.call
    const cause = Cause.map(exit.cause, (failed) => error(new RequestError.NotPublished({ error: failed })))
    this.end(Exit.failCause(cause))
  }

  answer(answer: Reply.Answer): void {
    const outcome = this.ends.answered(answer)
    if (outcome !== undefined) this.end(outcome)
  }

  readonly ring = (): void => {
    if (this.hasEnded) return
    this.publication?.interrupt()
    this.end(this.isSent ? this.ends.atTheEnd() : Exit.fail(this.notSent()))
  }

  readonly interrupt = (): void => {
    if (this.hasEnded) return
    this.publication?.interrupt()
    this.close()
  }

  private notSent(): RequestError.RequestError {
    const { inbox, waiting } = this.asking
    const detail = inbox.problem() ?? (waiting.isFull ? tooMany : noInbox)
    return this.call.error(new RequestError.Unavailable({ detail }))
  }

  private end(outcome: Ended<A>): void {
    if (this.hasEnded) return
    this.close()
    this.ends.ended(outcome)
  }

  /** Its id may be asked for again as soon as it has ended. */
  private close(): void {
    const { alarms, waiting } = this.asking
    this.hasEnded = true
    alarms.takeBack(this)
    if (this.isSent) waiting.remove(this.call.id)
    else this.asking.forget(this)
    this.asking.sendNext()
  }
}

const alreadyAsked = {
  option: "id",
  problem: "a request with this id waits for its answer in this process",
  remedy: "Give each its own, or none"
}
const noInbox = "the queue for its answers did not open in time"
const tooMany = `${mostWaiting} requests of this process wait for their answers: ask more slowly`
