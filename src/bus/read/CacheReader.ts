/**
 * Reads what the store of an adapter remembers, and decodes it by the contract that asks.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type * as Envelope from "../../event/Envelope.ts"
import type * as Event from "../../event/Event.ts"
import * as Limits from "../../event/Limits.ts"
import * as Kinds from "../../event/options/OptionKinds.ts"
import { Later, type Outcome } from "../../event/standard/Later.ts"
import * as WireFormat from "../../event/WireFormat.ts"
import * as CacheReads from "../../observe/CacheReads.ts"
import { CacheError } from "../port/CacheError.ts"
import { CacheCorrupt, CacheOptionInvalid } from "../port/CacheReason.ts"
import * as Validation from "../support/Validation.ts"
import { defaultHistory } from "../port/CacheOrder.ts"
import type { CacheStore, HistoryRange, Position, Remembered } from "../port/CacheStore.ts"
import type { EventReads, HistoryOptions } from "./EventReads.ts"

export const make = (store: CacheStore["Service"]): EventReads => {
  const page = (event: Event.Any, range: HistoryRange) =>
    CacheReads.countReads(store.history(event.name, range), (found) => found.length > 0)
  return {
    last: (event, key = "") =>
      Effect.flatMap(CacheReads.countReads(store.last(event.name, key), Option.isSome), (found) =>
        Option.isNone(found) ? Effect.succeedNone : Effect.asSome(decode(event, found.value))
      ),
    lastMany: (event, keys) =>
      Effect.suspend(() => {
        const asked = [...new Set(keys)]
        return Effect.flatMap(
          CacheReads.countReads(store.lastMany(event.name, asked), (found) => found.some((one) => one !== undefined)),
          (found) => decodeMany(event, asked, found)
        )
      }),
    history: (event, options = {}) => {
      const wrong = optionFault(options, { ...rangeKinds, limit: Kinds.limit })
      if (wrong !== undefined) return Effect.fail(wrong)
      const { limit = defaultHistory } = options
      return Effect.flatMap(page(event, { ...rangeOf(options), limit }), (found) =>
        Effect.forEach(found, (one) => decode(event, one))
      )
    },
    historyStream: (event, options = {}) => {
      const wrong = optionFault(options, { ...rangeKinds, pageSize: Kinds.count })
      if (wrong !== undefined) return Stream.fail(wrong)
      const { pageSize: limit = defaultHistory } = options
      const range = rangeOf(options)
      return Stream.paginate<Position | undefined, Remembered, CacheError>(range.before, (before) =>
        Effect.map(page(event, { ...range, before, limit }), (found) => {
          const oldest = found[found.length - 1]
          return [found, oldest === undefined || found.length < limit ? Option.none() : Option.some(oldest)]
        })
      ).pipe(Stream.mapEffect((one) => decode(event, one)))
    }
  }
}

const rangeKinds: Kinds.Kinds = {
  key: Kinds.text,
  before: Kinds.date,
  after: Kinds.date
} satisfies Kinds.KindsOf<Omit<HistoryOptions, "limit">>

const optionFault = (options: unknown, kinds: Kinds.Kinds): CacheError | undefined => {
  const fault = Kinds.faultOf(options, kinds)
  return fault === undefined ? undefined : new CacheError({ reason: new CacheOptionInvalid(fault) })
}

const rangeOf = ({ after, before, key }: Omit<HistoryOptions, "limit">): Omit<HistoryRange, "limit"> => ({
  key,
  before: before === undefined ? undefined : { time: before.getTime() },
  after: after?.getTime()
})

const decodeMany = Effect.fnUntraced(function* <Name extends string, A>(
  event: Event.Event<Name, A, unknown>,
  keys: ReadonlyArray<string>,
  found: ReadonlyArray<Remembered | undefined>
) {
  const known = new Map<string, Envelope.Envelope<Name, A>>()
  for (const [i, key] of keys.entries()) {
    const one = found[i]
    if (one !== undefined) known.set(key, yield* decode(event, one))
  }
  return known
})

/** Decodes the event in a body by the contract that reads it. */
export const decode = <Name extends string, A>(
  event: Event.Event<Name, A, unknown>,
  { body }: Pick<Remembered, "body">
): Effect.Effect<Envelope.Envelope<Name, A>, CacheError> => {
  const parsed = WireFormat.parse(body, Limits.defaults)
  const decoded = Result.isFailure(parsed) ? Result.fail(parsed.failure) : WireFormat.decode(parsed.success, event)
  if (Result.isSuccess(decoded))
    // The contract of this event made the data of it.
    return Effect.succeed(decoded.success as Envelope.Envelope<Name, A>)
  const corrupt = ({ message }: { readonly message: string }): CacheError =>
    new CacheError({ reason: new CacheCorrupt({ event: event.name, detail: message }) })
  const { failure } = decoded
  if (!(failure instanceof Later)) return Effect.fail(corrupt(failure))
  // It waits for what `WireFormat.decode` makes.
  const later: Outcome<Envelope.Envelope<Name, A>> = Result.fail(failure)
  return Effect.flatMap(Validation.settled(event.name, later, Validation.defaultMillis), (known) =>
    Effect.mapError(Effect.fromResult(known), corrupt)
  )
}
