/**
 * What DeadLetters does: walks over the letters of a queue, and tells, replays or discards those that were
 * chosen.
 */
import { Effect, Layer } from "effect"
import { Broker } from "./Broker.ts"
import { BrokerError, SettingsInvalid } from "./BrokerError.ts"
import { DeadLettersError } from "./BusError.ts"
import { beyondReturned, type DeadLetter, nameOf, type Source, sourceOf, walk } from "./DeadLetter.ts"
import { DeadLetters, type DiscardOptions, type ListOptions } from "./DeadLetters.ts"
import * as Replay from "./Replay.ts"
import { compile } from "./Selection.ts"
import * as Tally from "./Tally.ts"

const page = { count: 100, bytes: 8 * 1024 * 1024 }
const discarders = 16

const make = Effect.gen(function* () {
  const broker = yield* Broker
  const replay = yield* Replay.make(broker)

  const list = Effect.fnUntraced(function* (source: Source, options: ListOptions) {
    const { fits, limit } = yield* compile({ limit: page.count, ...options })
    const found: Array<DeadLetter> = []
    let reached = options.after === undefined
    let bytes = 0
    let full = limit <= 0
    yield* walk(broker, {
      source,
      workers: 1,
      each: (letter, delivery) =>
        Effect.sync(() => {
          if (!reached) reached = letter.eventId === options.after
          else if (!full && fits(letter)) {
            found.push(letter)
            bytes += letter.body.length
            full = found.length >= limit || bytes >= page.bytes
          }
          return !full || !beyondReturned(delivery)
        })
    })
    return found
  })

  const discard = Effect.fnUntraced(function* (source: Source, { all, dryRun = false, ...selection }: DiscardOptions) {
    const { fits, limit, narrowed } = yield* compile(selection)
    if (!narrowed && all !== true) return yield* unsaid
    const tally = Tally.make(dryRun)
    yield* walk(broker, {
      source,
      workers: dryRun ? 1 : discarders,
      begin: tally.begin,
      each: (letter, delivery) =>
        Effect.sync(() => {
          const full = tally.doneSoFar() >= limit
          if (full) return dryRun && !beyondReturned(delivery)
          if (!fits(letter)) tally.skip()
          else {
            tally.done(letter)
            if (!dryRun) delivery.ack()
          }
          return true
        })
    })
    const { done, ...counts } = tally.counts()
    return { discarded: done, ...counts }
  })

  return DeadLetters.of({
    count: (source) => broker.deadLetterDepth(sourceOf(source)).pipe(told(source)),
    list: Effect.fn("DeadLetters.list")((source: Source, options: ListOptions = {}) =>
      list(source, options).pipe(told(source))
    ),
    replay: Effect.fn("DeadLetters.replay")((source: Source, options: Replay.ReplayOptions = {}) =>
      replay(source, options)
    ),
    // Who has no types may leave out what to discard: that is refused, and not everything.
    discard: Effect.fn("DeadLetters.discard")((source: Source, options: DiscardOptions = {}) =>
      discard(source, options).pipe(told(source))
    )
  })
})

const unsaid = new BrokerError({
  reason: new SettingsInvalid({
    setting: "discard",
    problem: "it was not said which dead letters",
    remedy: "Select some, or say { all: true }"
  })
})

const told = (source: Source) =>
  Effect.mapError((error: BrokerError) => new DeadLettersError({ source: nameOf(source), reason: error.reason }))

/** Over a broker that is there already: built at once, without loading anything. */
export const layer: Layer.Layer<DeadLetters, never, Broker> = Layer.effect(DeadLetters, make)
