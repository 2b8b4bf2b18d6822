/**
 * From an event's data to its outcome: limits and encoding, authorisation, the door, the broker's
 * confirm, then the cache, the span, the metric and the log line. Everything up to the send is
 * synchronous; one publish is one `Effect.callback`.
 */
import { Clock, Context, Duration, Effect, Exit, Fiber, Result, type Stream } from "effect"
import { sizeOf } from "../event/Body.ts"
import { CurrentActor } from "../event/Actor.ts"
import * as Codec from "../event/Codec.ts"
import * as Event from "../event/Event.ts"
import type { Fault } from "../event/EventError.ts"
import * as Limits from "../event/Limits.ts"
import type * as Log from "../observe/Log.ts"
import * as Meters from "../observe/Meters.ts"
import * as Spans from "../observe/Spans.ts"
import * as Stopwatch from "../observe/Stopwatch.ts"
import * as Trace from "../observe/Trace.ts"
import type { Address, Headers } from "./Broker.ts"
import * as BusError from "./BusError.ts"
import * as Delayed from "./Delayed.ts"
import type { EventCache } from "./EventCache.ts"
import { CurrentHandling } from "./Handling.ts"
import { CurrentIds } from "./Ids.ts"
import { Message, MessageProperties } from "./Message.ts"
import type { Outbox } from "./Outbox.ts"
import { pipelined } from "./PublishAll.ts"
import * as Publications from "./Publication.ts"
import { type Confirmed, optionFault, type PublishOptions, secondsOf } from "./PublishOptions.ts"

export interface PublisherSettings {
  readonly source: string
  readonly timeout: Duration.Duration
  readonly authorise: "contracts" | "declared-only"
  readonly trace: Trace.Trace
  readonly log: Log.Log
}

/** What a contract needs at every publish, made at its first. */
interface Prepared {
  readonly encode: ReturnType<typeof Codec.encoder>
  readonly metrics: Meters.PublisherMetrics
  readonly span: Spans.PublisherSpans
  readonly to: Address
}

export interface Publisher {
  readonly publish: <A>(
    event: Event.Event<string, A>,
    data: A,
    options?: PublishOptions
  ) => Effect.Effect<Confirmed, BusError.PublishError>
  readonly publishAll: <A>(
    event: Event.Event<string, A>,
    items: Iterable<A> | Stream.Stream<A>,
    options?: Omit<PublishOptions, "id">
  ) => Effect.Effect<number, BusError.PublishAllError>
}

export const make = Effect.fnUntraced(function* (
  cache: EventCache["Service"],
  outbox: Outbox,
  settings: PublisherSettings
) {
  const context = yield* Effect.context<never>()
  const clock = yield* Clock.Clock
  const stopwatch = Stopwatch.of(clock)
  const ids = yield* CurrentIds
  const { log, trace } = settings
  const defaultTimeout = Duration.toMillis(settings.timeout)
  const prepared = new WeakMap<Event.Any, Prepared>()
  const prepare = (event: Event.Any): Prepared => {
    const made = {
      encode: Codec.encoder(event, settings.source),
      metrics: Meters.publisher(event.name, settings.trace.place, context),
      span: Spans.publisher(trace, event.name),
      to: { _tag: "Event", name: event.name } as const
    }
    prepared.set(event, made)
    return made
  }

  const { failed, Publication } = Publications.make({ cache, clock, defaultTimeout, log, stopwatch, trace })

  /** Submits one event; `resume` is called once with its outcome, and the result withdraws it. */
  const submit = (
    event: Event.Any,
    data: unknown,
    options: PublishOptions,
    fiberContext: Context.Context<never>,
    resume: Publications.Resume
  ): (() => void) => {
    if (!isContract(event)) {
      const faults = [{ path: "event", expected: "unknown event: expected a contract made by Event.make" }]
      resume(Exit.fail(new BusError.PublishError({ event: "?", id: "", reason: new BusError.Invalid({ faults }) })))
      return nothing
    }
    const { encode, metrics, span: begin, to: address } = prepared.get(event) ?? prepare(event)
    const startedAt = clock.currentTimeMillisUnsafe()
    const began = stopwatch()
    const id = options.id ?? ids.next(startedAt)
    const refuse = (...faults: ReadonlyArray<Fault>): (() => void) => {
      resume(failed(event, id, new BusError.Invalid({ faults }), metrics, began))
      return nothing
    }

    const encoded = event.contract.encode(data)
    if (Result.isFailure(encoded)) return refuse(...encoded.failure.faults)
    let key: string | undefined
    let denied: string | undefined
    const actor = Context.get(fiberContext, CurrentActor)
    try {
      key = options.key ?? event.keyOf(data)
      denied =
        settings.authorise === "declared-only" && !event.declaresPublishers && !event.name.startsWith("bus.")
          ? "the event declares no `publishers` and this bus publishes only events that do"
          : event.denial(actor, data)
    } catch {
      return refuse({ path: "key", expected: "the contract's `key` or `publishers.check` threw on this data" })
    }
    if (denied !== undefined) {
      resume(failed(event, id, new BusError.Denied({ role: actor?.role ?? "service", detail: denied }), metrics, began))
      return nothing
    }
    const handling = Context.get(fiberContext, CurrentHandling)
    const correlationId = options.correlationId ?? handling?.correlationId ?? handling?.id
    const causationId = options.causationId ?? handling?.id
    const fault = optionFault(id, key, { correlationId, causationId, actor }, options)
    if (fault !== undefined) return refuse(fault)

    let text: string
    try {
      text = encode({ id, time: startedAt, key, correlationId, causationId, actor }, encoded.success)
    } catch {
      return refuse({
        path: "data",
        expected:
          "it cannot be written as JSON: it refers to itself, or holds a bigint where the schema allows anything"
      })
    }
    const bytes = sizeOf(text)
    const shape = event.contract.open || bytes > largeBody ? Limits.bodyFault(text, Limits.defaults) : undefined
    if (shape !== undefined) return refuse({ path: "data", expected: shape })
    if (text.includes("__proto__") && Limits.hasForbiddenKey(encoded.success)) {
      return refuse({
        path: "data",
        expected: 'it has a key "__proto__", which no subscriber would accept: use another key'
      })
    }
    if (bytes > Limits.defaults.bodyBytes) {
      const most = Limits.defaults.bodyBytes
      return refuse({
        path: "data",
        expected: `the event has ${bytes} bytes, at most ${most} are allowed: publish a reference to large data instead`
      })
    }
    const seconds = options.delay === undefined ? 0 : Math.ceil(secondsOf(options.delay))
    const parent = Trace.current(fiberContext)
    const span = trace.enabled ? begin(parent, { id, correlationId }) : undefined
    const traced = span ?? parent
    const own = seconds > 0 ? { ...options.headers, ...Delayed.mark } : options.headers
    const headers: Headers = traced === undefined ? (own ?? noHeaders) : { ...own, ...Trace.inject(traced) }
    const to: Address = seconds > 0 ? { _tag: "DelayedEvent", name: event.name, seconds } : address
    const properties = new MessageProperties(
      id,
      event.name,
      startedAt,
      settings.source,
      correlationId,
      Codec.contentType
    )
    const message = new Message(to, key, text, properties, headers)
    const privileged = handling !== undefined
    return outbox.submit(
      new Publication(message, bytes, options, privileged, event, metrics, began, span, traced, resume)
    )
  }

  const publish: Publisher["publish"] = (event, data, options = noOptions) =>
    Effect.callback<Confirmed, BusError.PublishError>((resume) => {
      let interrupted = false
      // Registering runs in the fiber that publishes.
      const context = Fiber.getCurrent()?.context ?? Context.empty()
      const withdraw = submit(event, data, options, context, (exit) => {
        // What its caller does not wait for any more is told here.
        if (!interrupted) resume(exit)
        else log.info("an interrupted publish ended", { event: event.name, outcome: exit._tag })
      })
      return Effect.sync(() => {
        interrupted = true
        withdraw()
      })
    })

  return { publish, publishAll: pipelined(submit) } satisfies Publisher
})

/** Callers come from outside of TypeScript too. */
const isContract = (event: unknown): boolean =>
  typeof event === "object" && event !== null && Object.hasOwn(event, Event.TypeId)

/** Below this a body of a closed schema can neither nest too deep nor hold too many values. */
const largeBody = 2 * Limits.defaults.values
const noOptions: PublishOptions = {}
const noHeaders: Headers = {}
const nothing = (): void => {}
