/** Publishes requests, and hands each answer to the request that it is about. */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Semaphore from "effect/Semaphore"
import type * as Event from "../../event/Event.ts"
import type * as Meter from "../../observe/Meter.ts"
import type { PublishOptions } from "../publish/PublishOptions.ts"
import type { Publisher } from "../publish/Publisher.ts"
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

/** Gets each answer until it calls `done`. */
export type Answered<A> = (answer: Reply.Answer, done: (result: A) => void) => void

/** The requests that wait for answers, by their ids. */
export class Waiting {
  private readonly late: Meter.Series
  private readonly byId = new Map<string, (answer: Reply.Answer) => void>()

  constructor(late: Meter.Series) {
    this.late = late
  }

  get isFull(): boolean {
    return this.byId.size >= mostWaiting
  }

  has(id: string): boolean {
    return this.byId.has(id)
  }

  add(id: string, answered: (answer: Reply.Answer) => void): void {
    this.byId.set(id, answered)
  }

  remove(id: string): void {
    this.byId.delete(id)
  }

  readonly answered = (id: string | undefined, answer: Reply.Answer): void => {
    const waits = id === undefined ? undefined : this.byId.get(id)
    if (waits === undefined) this.late.update(1)
    else waits(answer)
  }
}

/** Publishes requests and waits for their answers. */
export class Asking {
  private readonly clock: Clock.Clock
  private readonly publish: Publisher["publish"]
  private readonly inbox: ReplyInbox.ReplyInbox
  private readonly waiting: Waiting
  private readonly permits = Semaphore.makeUnsafe(mostWaiting)

  constructor(clock: Clock.Clock, publish: Publisher["publish"], inbox: ReplyInbox.ReplyInbox, waiting: Waiting) {
    this.clock = clock
    this.publish = publish
    this.inbox = inbox
    this.waiting = waiting
  }

  /** Waits for its turn and for the inbox, then asks. `atTheEnd` is the outcome when its time is over. */
  ask<A>(
    call: Call,
    answered: Answered<A>,
    atTheEnd: () => Effect.Effect<A, RequestError.RequestError>
  ): Effect.Effect<A, RequestError.RequestError> {
    const { clock, inbox, permits, waiting } = this
    return Effect.suspend(() => {
      // What it waits for before it is sent is part of its time, for both sides.
      const until = clock.currentTimeMillisUnsafe() + call.millis
      let isSent = false
      const asked = Effect.suspend(() => {
        isSent = true
        return this.exchange(call, until, answered)
      })
      const tooLate = Effect.suspend(() => {
        if (isSent) return atTheEnd()
        const detail = inbox.problem() ?? (waiting.isFull ? tooMany : noInbox)
        return Effect.fail(call.error(new RequestError.Unavailable({ detail })))
      })
      return Semaphore.withPermit(permits, Effect.andThen(inbox.ready, asked)).pipe(
        Effect.timeoutOrElse({ duration: call.millis, orElse: () => tooLate })
      )
    })
  }

  /** Publishes a request. The first of its answers may come before its confirm. */
  private exchange<A>(call: Call, until: number, answered: Answered<A>): Effect.Effect<A, RequestError.RequestError> {
    const { clock, inbox, waiting } = this
    const { data, error, event, id } = call
    return Effect.callback((resume) => {
      if (waiting.has(id)) return resume(Effect.fail(error(new RequestError.Invalid(alreadyAsked))))
      let isOpen = true
      // The id may be asked for again as soon as this request has ended.
      const close = (): void => {
        if (isOpen) waiting.remove(id)
        isOpen = false
      }
      const end = (outcome: Exit.Exit<A, RequestError.RequestError>): void => {
        close()
        resume(outcome)
      }
      waiting.add(id, (answer) => answered(answer, (result) => end(Exit.succeed(result))))
      const timeout = Math.max(1, until - clock.currentTimeMillisUnsafe())
      const headers = { ...call.options.headers, ...headersOf({ address: inbox.address, until }) }
      const options = { ...call.options, id, headers, mandatory: true, timeout }
      // This function runs in the fiber that asks.
      const context = Fiber.getCurrent()?.context ?? Context.empty()
      const published = Effect.runForkWith(context)(this.publish(event, data, options))
      published.addObserver((exit) => {
        if (Exit.isFailure(exit))
          end(
            Exit.failCause(Cause.map(exit.cause, (failed) => error(new RequestError.NotPublished({ error: failed }))))
          )
      })
      return Effect.sync(() => {
        close()
        published.interruptUnsafe()
      })
    })
  }
}

const alreadyAsked = {
  option: "id",
  problem: "a request with this id waits for its answer in this process",
  remedy: "Give each its own, or none"
}
const noInbox = "the queue for its answers did not open in time"
const tooMany = `${mostWaiting} requests of this process wait for their answers: ask more slowly`
