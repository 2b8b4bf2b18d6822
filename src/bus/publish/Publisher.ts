/**
 * From an event's data to its outcome: checks and encoding, the outbox, the broker's confirm, then the cache, the
 * span, the metric and the log line. Everything up to the send is synchronous; one publish is one
 * `Effect.callback`.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import { sizeOf } from "../../event/Body.ts"
import * as WireFormat from "../../event/WireFormat.ts"
import * as Event from "../../event/Event.ts"
import * as Later from "../../event/standard/Later.ts"
import type * as Log from "../../observe/Log.ts"
import * as Stopwatch from "../../observe/Stopwatch.ts"
import * as Trace from "../../observe/Trace.ts"
import type { Address } from "../port/Broker.ts"
import type { CacheStore } from "../port/CacheStore.ts"
import { MessageProperties, OutgoingMessage } from "../port/OutgoingMessage.ts"
import type { Outbox } from "../send/Outbox.ts"
import { type PublishAllError, PublishError, textOfId } from "../send/PublishError.ts"
import * as PublishReason from "../send/PublishReason.ts"
import * as RuntimeHeaders from "../send/RuntimeHeaders.ts"
import { CurrentIds, type EventIds } from "../support/EventIds.ts"
import type { KnownEvents } from "../support/KnownEvents.ts"
import type { CallOrder } from "./CallOrder.ts"
import { Origin } from "./Origin.ts"
import * as EncodedPublisher from "./EncodedPublisher.ts"
import { makePrepare, type PreparedContract, type PublishTools } from "./PreparedContract.ts"
import { Publication, type Resume } from "./Publication.ts"
import { type Items, pipelined } from "./PublishAll.ts"
import * as PublishChecks from "./PublishChecks.ts"
import {
  type Confirmed,
  expiryOf,
  optionFault,
  type PublishOptions,
  secondsOf,
  unknownFault
} from "./PublishOptions.ts"
import { PublishTelemetry } from "./PublishTelemetry.ts"
import { type Encoded, type Given, givenOf, timeoutOf, Validating } from "./Validating.ts"

export interface PublisherSettings {
  readonly source: string
  readonly timeout: Duration.Duration
  readonly authorise: PublishChecks.Authorise
  readonly trace: Trace.Trace
  readonly log: Log.Log
  readonly known: KnownEvents
}

/**
 * Begins a publish without a fiber of its own. `resume` is called once with the outcome, possibly within the call; what is
 * returned ends the wait for it. `context` is that of the fiber that publishes.
 */
export type Start = (
  event: Event.Any,
  data: unknown,
  options: PublishOptions,
  context: Context.Context<never>,
  resume: Resume
) => { readonly interrupt: () => void } | undefined

/** The same for a publish that is an Effect, as within hooks. */
export const startOf =
  (publish: Publisher["publish"]): Start =>
  (event, data, options, context, resume) => {
    const fiber = Effect.runForkWith(context)(publish(event, data, options))
    fiber.addObserver(resume)
    return { interrupt: () => fiber.interruptUnsafe() }
  }

export interface Publisher {
  readonly publish: <A>(
    event: Event.Event<string, unknown, A>,
    data: A,
    options?: PublishOptions
  ) => Effect.Effect<Confirmed, PublishError>
  readonly publishAll: <A>(
    event: Event.Event<string, unknown, A>,
    items: Items<A>,
    options?: Omit<PublishOptions, "id">
  ) => Effect.Effect<number, PublishAllError>
}

export const make = Effect.fnUntraced(function* (
  store: CacheStore["Service"],
  outbox: Outbox,
  settings: PublisherSettings
) {
  const clock = yield* Clock.Clock
  const context = yield* Effect.context<never>()
  const submitter = new Submitter(outbox, settings.authorise, yield* CurrentIds, {
    store,
    clock,
    context,
    log: settings.log,
    known: settings.known,
    source: settings.source,
    stopwatch: Stopwatch.of(clock),
    timeoutMillis: Duration.toMillis(settings.timeout),
    trace: settings.trace
  })

  const publish: Publisher["publish"] = (event, data, options = noOptions) =>
    Effect.callback<Confirmed, PublishError>((resume) => {
      // This function runs in the fiber that publishes.
      const context = Fiber.getCurrent()?.context ?? Context.empty()
      const publication = submitter.start(event, data, options, context, resume)
      return publication === undefined ? undefined : Effect.sync(() => publication.interrupt())
    })

  const { known, log, source, trace } = settings
  const encoded = EncodedPublisher.make({ store, outbox, clock, context, known, log, source, trace })
  const start: Start = (...of) => submitter.start(...of)
  return { publish, publishAll: pipelined(submitter), start, encoded, newId: submitter.newId } satisfies Publisher & {
    readonly start: Start
    readonly encoded: EncodedPublisher.EncodedPublisher
    readonly newId: () => string
  }
})

class Submitter {
  private readonly outbox: Outbox
  private readonly rule: PublishChecks.Authorise
  private readonly ids: EventIds
  private readonly tools: PublishTools
  private readonly prepare: (event: Event.Any) => PreparedContract

  constructor(outbox: Outbox, rule: PublishChecks.Authorise, ids: EventIds, tools: PublishTools) {
    this.outbox = outbox
    this.rule = rule
    this.ids = ids
    this.tools = tools
    this.prepare = makePrepare(tools)
  }

  get timeoutMillis(): number {
    return this.tools.timeoutMillis
  }

  /** An id for an event that was refused without one. */
  readonly newId = (): string => this.ids.next(this.tools.clock.currentTimeMillisUnsafe())

  /** Publishes one event. Data of a Standard Schema is validated first, which may take its time. */
  start(
    event: Event.Any,
    data: unknown,
    options: PublishOptions,
    context: Context.Context<never>,
    resume: Resume
  ): { readonly interrupt: () => void } | undefined {
    // Callers come from outside of TypeScript too.
    const validate = event?.dataCodec?.validate
    if (validate === undefined) return this.submit(event, data, options, context, resume)
    const outcome = validate(data)
    const submit = ({ encoded, output }: Given): Publication | undefined =>
      this.submit(event, output, options, context, resume, undefined, encoded)
    if (Later.waiting(outcome) === undefined) return submit(givenOf(outcome))
    const millis = timeoutOf(options?.timeout, this.tools.timeoutMillis)
    return new Validating(event.name, outcome, millis, context, submit)
  }

  /**
   * Submits one event. `resume` is called once with its outcome; undefined when that was within this call. `given` is what
   * `data` is sent as, where it was validated already.
   */
  submit(
    event: Event.Any,
    data: unknown,
    options: PublishOptions,
    context: Context.Context<never>,
    resume: Resume,
    order?: CallOrder,
    given?: Encoded
  ): Publication | undefined {
    if (!isContract(event)) {
      resume(Exit.fail(PublishError.refused(event, options, this.newId, notAContract)))
      return undefined
    }
    const contract = this.prepare(event)
    const time = this.tools.clock.currentTimeMillisUnsafe()
    const telemetry = new PublishTelemetry(this.tools, contract)
    const badOptions = options === noOptions ? undefined : unknownFault(options)
    const id = options?.id ?? this.ids.next(time)
    const refuse = (reason: PublishReason.PublishReason): undefined => {
      telemetry.refused(reason)
      resume(Exit.fail(new PublishError({ event: contract.name, id: textOfId(id), reason })))
      return undefined
    }

    if (badOptions !== undefined) return refuse(new PublishReason.Invalid({ faults: [badOptions] }))
    const encoded = given ?? event.dataCodec.encode(data)
    if (Result.isFailure(encoded)) return refuse(PublishChecks.invalidData(encoded.failure))
    const origin = new Origin(context, options)
    const authorised = PublishChecks.authorise(event, data, options.key, origin.publisher, this.rule)
    if (Result.isFailure(authorised)) return refuse(authorised.failure)
    const key = authorised.success
    const badOption = optionFault(id, key, origin, options, event.expiresAfter)
    if (badOption !== undefined) return refuse(new PublishReason.Invalid({ faults: [badOption] }))
    const { actor, causationId, correlationId, tenant } = origin
    const expiryTime = expiryOf(time, options, event.expiresAfter)
    const head = { id, time, key, correlationId, causationId, actor, expiryTime, tenant }
    const written = PublishChecks.write(contract, head, encoded.success)
    if (Result.isFailure(written)) return refuse(written.failure)
    const body = written.success
    const bytes = sizeOf(body)
    const badBody = PublishChecks.bodyFault(event, encoded.success, body, bytes)
    if (badBody !== undefined) return refuse(new PublishReason.Invalid({ faults: [badBody] }))

    telemetry.startSpan(Trace.current(context), id, correlationId)
    const seconds = options.delay === undefined ? 0 : Math.ceil(secondsOf(options.delay))
    const to: Address = seconds > 0 ? { _tag: "DelayedEvent", name: event.name, seconds } : contract.to
    const own = seconds > 0 ? { ...options.headers, ...RuntimeHeaders.delayedMark } : options.headers
    const headers = telemetry.headers(origin.headers(own))
    const { source } = this.tools
    const properties = new MessageProperties(id, event.name, time, source, correlationId, WireFormat.contentType)
    const message = new OutgoingMessage(to, key, body, bytes, properties, headers)
    const publication = new Publication(contract, message, options, telemetry, origin.isHandler, resume, order)
    this.outbox.submit(publication)
    return publication
  }
}

/** Callers come from outside of TypeScript too. */
const isContract = (event: unknown): boolean =>
  typeof event === "object" && event !== null && Object.hasOwn(event, Event.TypeId)

const notAContract = { path: "event", expected: "unknown event: expected a contract made by Event.make" }

const noOptions: PublishOptions = {}
