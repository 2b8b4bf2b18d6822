/**
 * Implements DeadLetters over a broker: walks over the letters of a queue, and lists, replays or discards the
 * selected ones.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { quoted } from "../../event/EventError.ts"
import * as Kinds from "../../event/options/OptionKinds.ts"
import { Broker } from "../port/Broker.ts"
import { BrokerError } from "../port/BrokerError.ts"
import { SettingsInvalid } from "../port/BrokerReason.ts"
import { type ListedLetter, nameOf, type Source, sourceOf } from "./DeadLetter.ts"
import { DeadLetters } from "./DeadLetters.ts"
import { DeadLettersError } from "./DeadLettersError.ts"
import { LetterCounter } from "./LetterCounts.ts"
import { compile } from "./LetterFilter.ts"
import { LetterProgress } from "./LetterProgress.ts"
import { beyondReturned, page, walk } from "./LetterWalk.ts"
import * as Replay from "./Replay.ts"

const discardWorkers = 16

const make = Effect.gen(function* () {
  const broker = yield* Broker
  const replay = yield* Replay.make(broker)
  const list = lister(broker)
  const discard = discarder(broker)
  return DeadLetters.of({
    count: (source) => broker.deadLetterDepth(sourceOf(source)).pipe(withSource(source)),
    list: Effect.fn("DeadLetters.list")((source: Source, options: DeadLetters.ListOptions = {}) =>
      list(source, options).pipe(withSource(source))
    ),
    replay: Effect.fn("DeadLetters.replay")((source: Source, options: DeadLetters.ReplayOptions = {}) =>
      replay(source, options)
    ),
    // Callers without types may leave out the options: that is refused and does not discard everything.
    discard: Effect.fn("DeadLetters.discard")((source: Source, options: DeadLetters.DiscardOptions = {}) =>
      discard(source, options).pipe(withSource(source))
    )
  })
})

const lister = (broker: Broker["Service"]) =>
  Effect.fnUntraced(function* (source: Source, options: DeadLetters.ListOptions) {
    const { limit, matches } = yield* compile(options, { after: Kinds.text }, page.count)
    const { after } = options
    if (after !== undefined && !isCursor.test(after)) return yield* notACursor(after)
    const found: Array<ListedLetter> = []
    const sameIds = new Map<string, number>()
    let reached = after === undefined
    let bytes = 0
    let full = limit <= 0
    yield* walk(broker, {
      source,
      workers: 1,
      each: (letter, delivery) =>
        Effect.sync(() => {
          const before = sameIds.get(letter.eventId) ?? 0
          sameIds.set(letter.eventId, before + 1)
          const cursor = `${before}:${letter.eventId}`
          if (!reached) reached = cursor === after
          else if (!full && matches(letter)) {
            found.push({ ...letter, cursor })
            bytes += letter.body.length
            full = found.length >= limit || bytes >= page.bytes
          }
          return !full || !beyondReturned(delivery)
        })
    })
    return after === undefined || reached ? found : yield* hasLeft(after)
  })

const isCursor = /^\d+:/

const notACursor = (after: string) =>
  new BrokerError({
    reason: new SettingsInvalid({
      setting: "after",
      problem: `"${quoted(after)}" is not the place of a letter`,
      remedy: "Pass the `cursor` of the last letter of the page before"
    })
  })

const hasLeft = (after: string) =>
  new BrokerError({
    reason: new SettingsInvalid({
      setting: "after",
      problem: `the letter "${quoted(after)}" is not in the queue any more, or another reader holds it`,
      remedy: "List again from the oldest letter on, without `after`"
    })
  })

const discarder = (broker: Broker["Service"]) =>
  Effect.fnUntraced(function* (source: Source, options: DeadLetters.DiscardOptions) {
    const { isNarrowed, limit, matches } = yield* compile(options, { all: Kinds.bool, dryRun: Kinds.bool })
    const { all, dryRun = false } = options
    if (!isNarrowed && all !== true) return yield* nothingSelected
    const counter = new LetterCounter(dryRun, yield* LetterProgress)
    yield* walk(broker, {
      source,
      workers: dryRun ? 1 : discardWorkers,
      begin: (count) => counter.begin(count),
      each: (letter, delivery) =>
        Effect.sync(() => {
          if (counter.done >= limit) return dryRun && !beyondReturned(delivery)
          if (!matches(letter)) counter.skip()
          else {
            counter.add(letter)
            if (!dryRun) delivery.ack()
          }
          return true
        })
    })
    return { discarded: counter.done, ...counter.counts() }
  })

const nothingSelected = new BrokerError({
  reason: new SettingsInvalid({
    setting: "discard",
    problem: "no dead letters are selected",
    remedy: "Select some, or pass { all: true }"
  })
})

const withSource = (source: Source) =>
  Effect.mapError((error: BrokerError) => new DeadLettersError({ source: nameOf(source), reason: error.reason }))

/** Over a broker that exists already, without loading anything. */
export const layer: Layer.Layer<DeadLetters, never, Broker> = Layer.effect(DeadLetters, make)
