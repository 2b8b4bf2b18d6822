/** What an operator does with single dead letters beyond the walks: correct one, bring exported ones back, see new ones. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { read, sourceOf as port } from "../../bus/deadletter/DeadLetter.ts"
import type { ReplayError } from "../../bus/deadletter/DeadLettersError.ts"
import { walk } from "../../bus/deadletter/LetterWalk.ts"
import * as Replay from "../../bus/deadletter/Replay.ts"
import type { Broker } from "../../bus/port/Broker.ts"
import type { BrokerError } from "../../bus/port/BrokerError.ts"
import type { Examiner } from "../../bus/port/Examination.ts"
import { PublishError } from "../../bus/send/PublishError.ts"
import * as PublishReason from "../../bus/send/PublishReason.ts"
import type * as Event from "../../event/Event.ts"
import type { EventDefinitionError } from "../../event/EventError.ts"
import type { OpenBus } from "../Bus.ts"
import { sourceOf, undeliverableName } from "./DeadLetterOperations.ts"
import * as EditLetter from "./EditLetter.ts"
import { importLetters, type ImportRequest } from "./ImportLetters.ts"
import { parse } from "../publish/JsonLines.ts"
import * as Letters from "./Letters.ts"
import { feed } from "../live/LiveFeed.ts"
import { named } from "../live/LiveOperations.ts"
import type * as LiveReports from "../LiveReports.ts"
import {
  type ContractMissing,
  type ContractThere,
  type InputFailed,
  LetterMissing,
  RequestInvalid,
  type RightsMissing
} from "../OperationsError.ts"
import { contractOf } from "../publish/PublishData.ts"
import type * as Reports from "../Reports.ts"

export interface EditRequest {
  readonly id: string
  /** JSON: the whole data, or a merge patch. */
  readonly data: { readonly _tag: "Data" | "Patch"; readonly json: Buffer }
  readonly contracts: ReadonlyMap<string, Event.Any>
  /** Sends it. Without it the report says what would change. */
  readonly apply: boolean
  /** Also a letter without a valid signature. */
  readonly unsigned?: boolean | undefined
  /** How long from now on it may be handled, if it expires. */
  readonly expiresAfter?: Duration.Input
}

type EditFailure =
  | BrokerError
  | ReplayError
  | PublishError
  | LetterMissing
  | ContractMissing
  | ContractThere
  | EventDefinitionError
  | RequestInvalid

export type WatchItem =
  | typeof LiveReports.TailBegun.Type
  | typeof Reports.LetterDetail.Type
  | typeof LiveReports.Gap.Type

export interface LetterOperations {
  readonly edit: (source: string, request: EditRequest) => Effect.Effect<typeof Reports.Edit.Type, EditFailure>
  readonly importLetters: (
    request: ImportRequest
  ) => Effect.Effect<typeof Reports.Import.Type, BrokerError | InputFailed>
  /** Shows each letter as it comes, and takes none. */
  readonly watchLetters: (
    source: string,
    limit: number | undefined,
    onItem: (item: WatchItem) => Effect.Effect<void>
  ) => Effect.Effect<typeof LiveReports.Tail.Type, BrokerError | RightsMissing>
}

export const make = (bus: OpenBus, examiner: Examiner["Service"]): LetterOperations => ({
  edit: (source, request) => Effect.flatMap(bus, ({ broker }) => edit(broker, source, request)),
  importLetters: (request) => Effect.flatMap(bus, ({ broker }) => Effect.scoped(importLetters(broker, request))),
  watchLetters: (source, limit, onItem) =>
    Effect.flatMap(bus, ({ broker }) => named(watchLetters(broker, source, limit, onItem), examiner))
})

const edit = Effect.fnUntraced(function* (broker: Broker["Service"], source: string, request: EditRequest) {
  const { apply, contracts, data, expiresAfter, id, unsigned = false } = request
  if (source === undeliverableName)
    return yield* new RequestInvalid({
      problem:
        "an undeliverable event has no subscriber whose history could say what changed: publish it anew, and discard this one"
    })
  const json = parse(data.json)
  const event = yield* eventOf(broker, source, id)
  const contract = yield* Effect.fromResult(contractOf({ event, contracts }))
  if (Result.isFailure(json))
    return yield* new PublishError({
      event,
      id,
      reason: new PublishReason.Invalid({ faults: [{ path: "data", expected: json.failure }] })
    })
  let changed: ReadonlyArray<string> = []
  const rewrite = EditLetter.rewriter(
    contract,
    { _tag: data._tag, json: json.success },
    (paths) => void (changed = paths)
  )
  const replay = yield* Replay.make(broker)
  const options = {
    ids: [id],
    limit: 1,
    dryRun: !apply,
    unsigned,
    maxReplays: Number.POSITIVE_INFINITY,
    ...(expiresAfter !== undefined && { expiresAfter })
  }
  const { refusals, replayed, replayId } = yield* replay(sourceOf(source), options, rewrite)
  const [refusal] = refusals
  if (refusal !== undefined) return yield* new RequestInvalid({ problem: refusal })
  if (replayed === 0) return yield* new LetterMissing({ source, id })
  return {
    kind: "dead-letters.edit" as const,
    version: 1 as const,
    source,
    id,
    event,
    dryRun: !apply,
    changed,
    replayId
  }
})

/** The name of the event, by which its contract is found. Several letters may have one id: an edit is of one. */
const eventOf = Effect.fnUntraced(function* (broker: Broker["Service"], source: string, id: string) {
  const letters = yield* findById(broker, source, id)
  const [letter, another] = letters
  if (letter === undefined) return yield* new LetterMissing({ source, id })
  if (another !== undefined)
    return yield* new RequestInvalid({
      problem: `${letters.length} dead letters have the id ${id}: replay or discard the others first`
    })
  return letter
})

const findById = Effect.fnUntraced(function* (broker: Broker["Service"], source: string, id: string) {
  const letters: Array<string> = []
  yield* walk<never>(broker, {
    source: sourceOf(source),
    withKeys: false,
    workers: 1,
    each: ({ eventId, eventType }) =>
      Effect.sync(() => {
        if (eventId === id) letters.push(eventType)
        return true
      })
  })
  return letters
})

const watchLetters = Effect.fnUntraced(function* (
  broker: Broker["Service"],
  source: string,
  limit: number | undefined,
  onItem: (item: WatchItem) => Effect.Effect<void>
) {
  const counts = { events: 0, gaps: 0 }
  const from = sourceOf(source)
  const withoutBody: Letters.Bodies = { shown: false, contracts: new Map() }
  yield* Stream.runForEachWhile(feed(broker, { patterns: [], letters: [port(from)] }), (item) => {
    if (item._tag === "Begun") return Effect.as(onItem({ kind: "tail.begun", version: 1, pattern: source }), true)
    if (item._tag === "Gap") {
      counts.gaps++
      return Effect.clockWith((clock) =>
        Effect.as(
          onItem({ kind: "tail.gap", version: 1, at: new Date(clock.currentTimeMillisUnsafe()).toISOString() }),
          true
        )
      )
    }
    counts.events++
    const letter = Letters.detailOf(source, read(item.delivery, from), withoutBody)
    return Effect.as(onItem(letter), limit === undefined || counts.events < limit)
  })
  return { kind: "tail" as const, version: 1 as const, pattern: source, ...counts }
})
