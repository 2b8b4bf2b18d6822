/**
 * Many events in order, pipelined: a bounded number of them is in flight at once. The first failure stops it, of an
 * event or of the source that the events come from.
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { DataCodec } from "../../event/DataCodec.ts"
import type * as Event from "../../event/Event.ts"
import { fromInput } from "../../event/flow/Baggage.ts"
import { PublishAllError, PublishError } from "../send/PublishError.ts"
import { CallOrder } from "./CallOrder.ts"
import type { Publication, Resume } from "./Publication.ts"
import * as Validation from "../support/Validation.ts"
import { type Encoded, givenOf, timeoutOf } from "./Validating.ts"
import { type OptionFault, optionFault, type PublishOptions, unknownFault } from "./PublishOptions.ts"

export interface Submitter {
  /** An id for an event that was refused without one. */
  readonly newId: () => string
  /** Submits one event. `resume` is called once with its outcome; undefined when that was within this call. */
  readonly submit: (
    event: Event.Any,
    data: unknown,
    options: PublishOptions,
    context: Context.Context<never>,
    resume: Resume,
    order: CallOrder,
    given?: Encoded
  ) => Publication | undefined
  /** How long a validator may take unless the options say it. */
  readonly timeoutMillis: number
}

/** Where the data of many events comes from. It may fail on the way. */
export type Items<A> = Iterable<A> | AsyncIterable<A> | Stream.Stream<A, unknown>

/** How many events of one call are in flight at once; the in-flight limit bounds all calls together. */
const window = 512

export const pipelined =
  (submitter: Submitter) =>
  <A>(
    event: Event.Event<string, unknown, A>,
    items: Items<A>,
    options: Omit<PublishOptions, "id"> = {}
  ): Effect.Effect<number, PublishAllError> =>
    Effect.contextWith((context: Context.Context<never>) => {
      const fault = faultOf(options)
      return fault === undefined
        ? new Pipeline(submitter, event, options, context).run(items)
        : Effect.fail(PublishAllError.refused(PublishError.refused(event, options, submitter.newId, fault)))
    })

/** What is wrong with the options, whatever the events are, and even if there is none. */
const faultOf = (options: Omit<PublishOptions, "id">): OptionFault | undefined => {
  const unknown = unknownFault(options)
  if (unknown !== undefined) return unknown
  // Callers without types may pass it: every event of the call would have the same identity.
  if (Reflect.get(options, "id") !== undefined)
    return { path: "id", expected: "expected no `id` here: publishAll gives each event an id of its own" }
  const { actor, baggage, causationId, correlationId, key, tenant } = options
  return optionFault("any", key, { causationId, correlationId, actor, tenant, baggage: fromInput(baggage) }, options)
}

/** One call: the events in flight, and what became of the others. */
class Pipeline {
  private readonly submitter: Submitter
  private readonly event: Event.Any
  private readonly options: PublishOptions
  private readonly context: Context.Context<never>
  /** Validates an item where the contract asks for it, and submits it. */
  private readonly take: (data: unknown) => Effect.Effect<void>
  private readonly failures: Array<{ readonly index: number; readonly error: PublishError }> = []
  private readonly publications = new Map<number, Publication>()
  private readonly order = new CallOrder()
  /** How the source failed. */
  private broken: { readonly error: unknown } | undefined
  private confirmed = 0
  private next = 0
  /** Position of the first event that is open. */
  private oldest = 0
  /** Position of the event that is being submitted. */
  private submitting = -1
  private open = 0
  private wake: (() => void) | undefined

  constructor(submitter: Submitter, event: Event.Any, options: PublishOptions, context: Context.Context<never>) {
    this.submitter = submitter
    this.event = event
    this.options = options
    this.context = context
    // Callers come from outside of TypeScript too.
    const validate = event?.dataCodec?.validate
    this.take =
      validate === undefined
        ? (data) => this.submit(data)
        : (data) => Effect.suspend(() => this.validated(data, validate))
  }

  run(items: Items<unknown>): Effect.Effect<number, PublishAllError> {
    return this.takeAll(items).pipe(
      Effect.andThen(this.below(1)),
      // Wherever it is interrupted, even while it waits for the source: what was not sent never will be.
      Effect.onExit(() => Effect.sync(() => this.withdrawAll())),
      Effect.andThen(Effect.suspend(() => this.outcome()))
    )
  }

  private outcome(): Effect.Effect<number, PublishAllError> {
    const { broken, confirmed, failures, next } = this
    if (broken === undefined && failures.length === 0) return Effect.succeed(confirmed)
    return Effect.fail(
      new PublishAllError({ confirmed, next, failures, ...(broken !== undefined && { cause: broken.error }) })
    )
  }

  private takeAll(items: Items<unknown>): Effect.Effect<void> {
    if (Stream.isStream(items)) return this.takeStream(items)
    // Callers without types may pass anything.
    const source: unknown = items
    if (isIterable(source, Symbol.asyncIterator)) {
      return this.takeStream(Stream.fromAsyncIterable(items as AsyncIterable<unknown>, (error) => error))
    }
    if (isIterable(source, Symbol.iterator)) return this.takeIterable(items as Iterable<unknown>)
    this.fail(new TypeError("`items` is not an iterable, an async iterable or a Stream"))
    return Effect.void
  }

  private takeStream(items: Stream.Stream<unknown, unknown>): Effect.Effect<void> {
    return Stream.runForEachWhile(items, (data) =>
      this.failures.length > 0 ? Effect.succeed(false) : Effect.as(this.take(data), true)
    ).pipe(Effect.catchCause((cause) => Effect.sync(() => this.fail(Cause.squash(cause)))))
  }

  /** Takes one item at a time: a Stream would lose the items that it took together with the failure. */
  private takeIterable(items: Iterable<unknown>): Effect.Effect<void> {
    let iterator: Iterator<unknown> | undefined
    let item: unknown
    const take = (): boolean => {
      if (this.failures.length > 0) return false
      try {
        iterator ??= items[Symbol.iterator]()
        const result = iterator.next()
        if (result.done !== true) {
          item = result.value
          return true
        }
      } catch (error) {
        this.fail(error)
      }
      iterator = undefined
      return false
    }
    // What is left before its end may hold a file or a cursor open.
    const leave = (): void => {
      try {
        iterator?.return?.()
      } catch (error) {
        this.fail(error)
      }
    }
    return Effect.onExit(Effect.whileLoop({ while: take, body: () => this.take(item), step: () => {} }), () =>
      Effect.sync(leave)
    )
  }

  private fail(error: unknown): void {
    this.broken ??= { error: error ?? new Error("the source of the events failed without an error") }
  }

  /** In order: of a Standard Schema that validates asynchronously, each is submitted before the next is validated. */
  private validated(data: unknown, validate: NonNullable<DataCodec["validate"]>): Effect.Effect<void> {
    const millis = timeoutOf(this.options.timeout, this.submitter.timeoutMillis)
    return Effect.flatMap(Validation.settled(this.event.name, validate(data), millis), (known) => {
      const { encoded, output } = givenOf(known)
      return this.submit(output, encoded)
    })
  }

  private submit(data: unknown, given?: Encoded): Effect.Effect<void> {
    const index = this.next++
    this.submitting = index
    this.open++
    let ended = false
    const publication = this.submitter.submit(
      this.event,
      data,
      this.options,
      this.context,
      (exit) => {
        ended = true
        this.open--
        if (Exit.isSuccess(exit)) this.confirmed++
        else {
          this.order.hasFailed = true
          const error = Exit.findErrorOption(exit)
          if (Option.isSome(error)) this.failures.push({ index, error: error.value })
        }
        if (this.submitting !== index) this.leave(index, this.publications.get(index))
        this.wake?.()
      },
      this.order,
      given
    )
    this.submitting = -1
    if (ended || publication === undefined) this.leave(index, publication)
    else this.publications.set(index, publication)
    return this.open < window ? Effect.void : this.below(window)
  }

  /** An event has ended; it is undefined if it was refused before the outbox had it. */
  private leave(index: number, publication: Publication | undefined): void {
    this.publications.delete(index)
    if (index === this.oldest) {
      do this.oldest++
      while (this.oldest < this.next && this.oldest !== this.submitting && !this.publications.has(this.oldest))
      if (this.oldest === this.next) this.order.clear()
    } else if (publication !== undefined && publication.sends > 0 && publication.message.key !== undefined) {
      const oldest = this.publications.get(this.oldest)?.sequence ?? 0
      this.order.ended(publication.message.key, publication.sequence, oldest)
    }
  }

  /** Waits until fewer than `count` events are in flight. */
  private below(count: number): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      const check = (): void => {
        if (this.open >= count) return
        this.wake = undefined
        resume(Effect.void)
      }
      this.wake = check
      check()
      return Effect.sync(() => {
        this.wake = undefined
      })
    })
  }

  /** The newest first: one that leaves may let in the one behind it. */
  private withdrawAll(): void {
    for (const publication of [...this.publications.values()].reverse()) publication.withdraw()
  }
}

const isIterable = (value: unknown, symbol: symbol): boolean =>
  value !== undefined && value !== null && typeof Reflect.get(Object(value), symbol) === "function"
