/**
 * Checks and encodes an event for the outbox, as a publish does: what an append accepts, a publish would have accepted, and
 * the bytes are the same.
 */
import type * as Context from "effect/Context"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as PublishChecks from "../bus/publish/PublishChecks.ts"
import {
  expiryOf,
  optionFault,
  optionNames,
  type PublishOptions,
  secondsOf,
  unknownFault
} from "../bus/publish/PublishOptions.ts"
import { Origin } from "../bus/publish/Origin.ts"
import type { Encoded } from "../bus/publish/Validating.ts"
import { PublishError } from "../bus/send/PublishError.ts"
import * as PublishReason from "../bus/send/PublishReason.ts"
import type { EventIds } from "../bus/support/EventIds.ts"
import { sizeOf } from "../event/Body.ts"
import * as Event from "../event/Event.ts"
import * as WireFormat from "../event/WireFormat.ts"
import * as Trace from "../observe/Trace.ts"
import type { AppendedEvent } from "./OutboxRow.ts"

/** An append has no deadline: it is over when the statement is. */
export type AppendOptions = Omit<PublishOptions, "timeout">

const names: ReadonlySet<string> = new Set([...optionNames].filter((name) => name !== "timeout"))

export interface EncoderSettings {
  readonly source: string
  readonly authorise: PublishChecks.Authorise
  readonly ids: EventIds
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

export type Encode = (
  event: Event.Any,
  data: unknown,
  options: AppendOptions,
  /** Of the fiber that appends. */
  context: Context.Context<never>,
  /** What the data is written as, where it was validated already. */
  given?: Encoded
) => Result.Result<AppendedEvent, PublishError>

export const encoder = ({ authorise, ids, now, source }: EncoderSettings): Encode => {
  const writers = new WeakMap<Event.Any, ReturnType<typeof WireFormat.encoder>>()
  const writerOf = (event: Event.Any) => {
    const known = writers.get(event)
    if (known !== undefined) return known
    const made = WireFormat.encoder(event, source)
    writers.set(event, made)
    return made
  }

  return (event, data, options, context, given) => {
    const time = now()
    const { id = ids.next(time), key: ownKey } = Predicate.isObject(options) ? options : {}
    const fail = (reason: PublishReason.PublishReason) =>
      Result.fail(new PublishError({ event: nameOf(event), id: String(id), reason }))
    if (!isContract(event))
      return fail(PublishChecks.invalid("event", "unknown event: expected a contract made by Event.make"))
    const unknown = unknownFault(options, names)
    if (unknown !== undefined) return fail(new PublishReason.Invalid({ faults: [unknown] }))
    const encoded = given ?? event.dataCodec.encode(data)
    if (Result.isFailure(encoded)) return fail(PublishChecks.invalidData(encoded.failure))
    const origin = new Origin(context, options)
    const authorised = PublishChecks.authorise(event, data, ownKey, origin.publisher, authorise)
    if (Result.isFailure(authorised)) return fail(authorised.failure)
    const key = authorised.success
    const wrong = optionFault(id, key, origin, options, event.expiresAfter)
    if (wrong !== undefined) return fail(new PublishReason.Invalid({ faults: [wrong] }))
    const { actor, causationId, correlationId, tenant } = origin
    const expiryTime = expiryOf(time, options, event.expiresAfter)
    const head = { id, time, key, correlationId, causationId, actor, expiryTime, tenant }
    const written = PublishChecks.write({ encode: writerOf(event) }, head, encoded.success)
    if (Result.isFailure(written)) return fail(written.failure)
    const body = written.success
    const tooLarge = PublishChecks.bodyFault(event, encoded.success, body, sizeOf(body))
    if (tooLarge !== undefined) return fail(new PublishReason.Invalid({ faults: [tooLarge] }))
    const seconds = options.delay === undefined ? 0 : Math.ceil(secondsOf(options.delay))
    return Result.succeed({
      name: event.name,
      id,
      key,
      time,
      source,
      correlationId,
      body,
      headers: { ...origin.headers(options.headers), ...Trace.inject(Trace.current(context)) },
      mandatory: options.mandatory === true,
      dueAt: seconds > 0 ? time + seconds * 1000 : undefined,
      cache: event.cache
    })
  }
}

/** Callers come from outside of TypeScript too. */
const isContract = (event: unknown): boolean => Predicate.isObject(event) && Object.hasOwn(event, Event.TypeId)

const nameOf = (event: unknown): string => (Predicate.hasProperty(event, "name") ? String(event.name) : "?")
