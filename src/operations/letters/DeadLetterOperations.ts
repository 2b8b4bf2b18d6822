/** What an operator does with dead letters: count, look, replay, discard, export. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { type Source, undeliverable } from "../../bus/deadletter/DeadLetter.ts"
import type { DeadLetters } from "../../bus/deadletter/DeadLetters.ts"
import type { DeadLettersError, ReplayError } from "../../bus/deadletter/DeadLettersError.ts"
import { compile, type LetterFilter } from "../../bus/deadletter/LetterFilter.ts"
import { LetterProgress } from "../../bus/deadletter/LetterProgress.ts"
import { beyondReturned, page, walk } from "../../bus/deadletter/LetterWalk.ts"
import type { Broker } from "../../bus/port/Broker.ts"
import { BrokerError } from "../../bus/port/BrokerError.ts"
import { BrokerRefused } from "../../bus/port/BrokerReason.ts"
import type { Examiner } from "../../bus/port/Examination.ts"
import type { Bus, OpenBus } from "../Bus.ts"
import * as Letters from "./Letters.ts"
import { LetterMissing } from "../OperationsError.ts"
import type * as Reports from "../Reports.ts"

/** How far an operation has come. */
export type Progress = (done: number, found: number) => void

export interface ReplayRequest extends LetterFilter {
  /** Sends them. Without it the report says what would be sent. */
  readonly apply: boolean
  readonly rate?: number
  readonly maxReplays?: number
  readonly unsigned?: boolean
  readonly expiresAfter?: Duration.Input
  readonly progress?: Progress
}

export interface DiscardRequest extends LetterFilter {
  /** Deletes them. Without it the report says what would be deleted. */
  readonly apply: boolean
  /** Confirms that every letter is meant. */
  readonly all?: true
  readonly progress?: Progress
}

type LetterError = BrokerError | DeadLettersError

export interface DeadLetterOperations {
  /** Counts the letters of these subscribers, or of all of them where the broker lists its queues. */
  readonly sources: (subscribers: ReadonlyArray<string>) => Effect.Effect<typeof Reports.Sources.Type, BrokerError>
  readonly list: (
    source: string,
    options: DeadLetters.ListOptions
  ) => Effect.Effect<typeof Reports.Letters.Type, LetterError>
  readonly show: (
    source: string,
    id: string,
    bodies: Letters.Bodies
  ) => Effect.Effect<typeof Reports.LetterDetail.Type, LetterError | LetterMissing>
  readonly replay: (
    source: string,
    request: ReplayRequest
  ) => Effect.Effect<typeof Reports.Replay.Type, BrokerError | ReplayError>
  readonly discard: (source: string, request: DiscardRequest) => Effect.Effect<typeof Reports.Discard.Type, LetterError>
  /** Hands each selected letter to `write`, in order and in one walk; all letters stay. Returns how many there were. */
  readonly export: <E>(
    source: string,
    filter: LetterFilter,
    bodies: Letters.Bodies,
    write: (letter: typeof Reports.LetterDetail.Type) => Effect.Effect<void, E>
  ) => Effect.Effect<number, BrokerError | E>
}

/** The name by which delayed events without a subscriber are asked for. */
export const undeliverableName = "undeliverable"

export const sourceOf = (name: string): Source => (name === undeliverableName ? undeliverable : name)

export const make = (bus: OpenBus, examiner: Examiner["Service"]): DeadLetterOperations => ({
  sources: (subscribers) => Effect.flatMap(bus, (live) => sources(live, examiner, subscribers)),
  list: (source, options) => Effect.flatMap(bus, ({ letters }) => list(letters, source, options)),
  show: (source, id, bodies) => Effect.flatMap(bus, ({ letters }) => show(letters, source, id, bodies)),
  replay: (source, request) => Effect.flatMap(bus, ({ letters }) => replay(letters, source, request)),
  discard: (source, request) => Effect.flatMap(bus, ({ letters }) => discard(letters, source, request)),
  export: (source, filter, bodies, write) =>
    Effect.flatMap(bus, ({ broker }) => exportAll(broker, source, filter, bodies, write))
})

const sources = Effect.fnUntraced(function* (
  { letters }: Bus,
  examiner: Examiner["Service"],
  subscribers: ReadonlyArray<string>
) {
  const listed = yield* Effect.mapError(
    examiner.deadLetterSources,
    (problem) => new BrokerError({ reason: new BrokerRefused({ operation: "listing queues", detail: problem }) })
  )
  const names = [...new Set([...(listed ?? []), ...subscribers])].toSorted()
  const counted = yield* Effect.forEach(
    [...names, undeliverableName],
    (source) =>
      Effect.match(letters.count(sourceOf(source)), {
        onSuccess: (count) => ({ source, letters: count, problem: null }),
        onFailure: (error) => ({ source, letters: null, problem: error.reason.message })
      }),
    { concurrency: 16 }
  )
  return {
    kind: "dead-letters.sources" as const,
    version: 1 as const,
    sources: counted,
    complete: listed !== undefined
  }
})

const list = Effect.fnUntraced(function* (
  letters: DeadLetters["Service"],
  source: string,
  options: DeadLetters.ListOptions
) {
  const found = yield* letters.list(sourceOf(source), options)
  const bytes = found.reduce((sum, { body }) => sum + body.length, 0)
  const isFull = found.length >= (options.limit ?? page.count) || bytes >= page.bytes
  return {
    kind: "dead-letters.list" as const,
    version: 1 as const,
    source,
    letters: found.map(Letters.summaryOf),
    next: isFull ? (found.at(-1)?.cursor ?? null) : null
  }
})

const show = Effect.fnUntraced(function* (
  letters: DeadLetters["Service"],
  source: string,
  id: string,
  bodies: Letters.Bodies
) {
  const [letter] = yield* letters.list(sourceOf(source), { ids: [id], limit: 1 })
  return letter === undefined ? yield* new LetterMissing({ source, id }) : Letters.detailOf(source, letter, bodies)
})

const watched = <A, E, R>(work: Effect.Effect<A, E, R>, progress: Progress | undefined): Effect.Effect<A, E, R> =>
  progress === undefined ? work : Effect.provideService(work, LetterProgress, progress)

const replay = Effect.fnUntraced(function* (
  letters: DeadLetters["Service"],
  source: string,
  { apply, progress, ...options }: ReplayRequest
) {
  const report = yield* watched(letters.replay(sourceOf(source), { ...options, dryRun: !apply }), progress)
  return { kind: "dead-letters.replay" as const, version: 1 as const, source, ...report }
})

const discard = Effect.fnUntraced(function* (
  letters: DeadLetters["Service"],
  source: string,
  { apply, progress, ...options }: DiscardRequest
) {
  const report = yield* watched(letters.discard(sourceOf(source), { ...options, dryRun: !apply }), progress)
  return { kind: "dead-letters.discard" as const, version: 1 as const, source, ...report }
})

const exportAll = <E>(
  broker: Broker["Service"],
  source: string,
  filter: LetterFilter,
  bodies: Letters.Bodies,
  write: (letter: typeof Reports.LetterDetail.Type) => Effect.Effect<void, E>
): Effect.Effect<number, BrokerError | E> =>
  Effect.gen(function* () {
    const { limit, matches } = yield* compile(filter, {})
    let written = 0
    yield* walk<E>(broker, {
      source: sourceOf(source),
      workers: 1,
      each: (letter, delivery) => {
        const full = written >= limit
        if (full || !matches(letter)) return Effect.succeed(!full || !beyondReturned(delivery))
        written++
        return Effect.as(write(Letters.detailOf(source, letter, bodies, delivery)), true)
      }
    })
    return written
  })
