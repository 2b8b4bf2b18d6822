/**
 * The operations that look and the dry runs, as tools of the Model Context Protocol. None of them changes anything: what
 * replays or deletes stays with the command line, where a person says yes.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import { guarded, type Known } from "../operations/Known.ts"
import { Operations } from "../operations/Operations.ts"
import * as Reports from "../operations/Reports.ts"
import { after, filterOf, selection, source } from "../operations/Selection.ts"
import * as Bounds from "./Bounds.ts"

/** What a tool could not do. */
export class ToolFailed extends Schema.TaggedError<ToolFailed>()("ToolFailed", {
  /** Tag of the error of the operation. */
  error: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `${this.error}: ${this.problem}`
  }
}

const looks = <T extends Tool.Any>(tool: T): T => {
  const annotated = tool
    .annotate(Tool.Readonly, true)
    .annotate(Tool.Destructive, false)
    .annotate(Tool.Idempotent, true)
    .annotate(Tool.OpenWorld, false)
  // An annotation changes nothing of a tool's type; its method gives the widest one.
  return annotated as T
}

const Doctor = looks(
  Tool.make("doctor", {
    description:
      "Looks at RabbitMQ and Redis as the service meets them: what is wrong, how bad it is, and which command mends it",
    success: Reports.Doctor,
    failure: ToolFailed
  })
)

const Sources = looks(
  Tool.make("dead_letter_sources", {
    description: "Which subscribers have dead letters, and how many",
    parameters: Schema.Struct({
      subscribers: Schema.optionalKey(
        Schema.Array(Schema.String).annotate({ description: "Names to count beside those that are known" })
      )
    }),
    success: Reports.Sources,
    failure: ToolFailed
  })
)

const List = looks(
  Tool.make("list_dead_letters", {
    description: `A page of the dead letters of a subscriber, oldest first, at most ${Bounds.letters}. All of them stay`,
    parameters: Schema.Struct({
      source,
      ...selection,
      limit: Schema.optionalKey(Schema.Int.annotate({ description: `At most ${Bounds.letters}` })),
      after
    }),
    success: Reports.Letters,
    failure: ToolFailed
  })
)

const Show = looks(
  Tool.make("show_dead_letter", {
    description:
      "One dead letter with its diagnosis: error, stack, each failure. It stays. Its body is shown where the contract is known, without what that marks as sensitive",
    parameters: Schema.Struct({
      source,
      id: Schema.String.annotate({ description: "Id of the event" }),
      body: Schema.optionalKey(Schema.Boolean.annotate({ description: "With the body" }))
    }),
    success: Reports.LetterDetail,
    failure: ToolFailed
  })
)

const TryReplay = looks(
  Tool.make("try_replay", {
    description:
      "What a replay of these dead letters would send. It sends nothing: a person replays on the command line",
    parameters: Schema.Struct({
      source,
      ...selection,
      maxReplays: Schema.optionalKey(
        Schema.Int.annotate({ description: "Letters that were replayed this often stay. Default: 3" })
      )
    }),
    success: Reports.Replay,
    failure: ToolFailed
  })
)

const TryDiscard = looks(
  Tool.make("try_discard", {
    description:
      "What a discard of these dead letters would delete. It deletes nothing: a person discards on the command line",
    parameters: Schema.Struct({ source, ...selection }),
    success: Reports.Discard,
    failure: ToolFailed
  })
)

const Ps = looks(
  Tool.make("ps", {
    description: `Which processes run, at most ${Bounds.processes}: their subscribers, versions, states and lag, and which subscribers operators have paused`,
    success: Reports.byCommand.ps,
    failure: ToolFailed
  })
)

export const toolkit = Toolkit.make(Doctor, Ps, Sources, List, Show, TryReplay, TryDiscard)

interface Fault {
  readonly _tag: string
  readonly message: string
}

const told = <A, R>(work: Effect.Effect<A, Fault, R>): Effect.Effect<A, ToolFailed, R> =>
  Effect.mapError(work, ({ _tag, message }) => new ToolFailed({ error: _tag, problem: message }))

export const handlers = (known: Known) =>
  toolkit.toLayer(
    Effect.map(Operations, (operations) =>
      toolkit.of({
        doctor: () => operations.doctor({ subscribers: known.subscribers, events: [...known.contracts.keys()] }),
        ps: () => told(Effect.map(operations.ps, Bounds.ps)),
        dead_letter_sources: ({ subscribers = [] }) => told(operations.sources([...known.subscribers, ...subscribers])),
        list_dead_letters: (given) =>
          told(
            Effect.map(
              operations.list(given.source, {
                ...filterOf(given),
                ...(given.after !== undefined && { after: given.after }),
                limit: Math.min(given.limit ?? Bounds.letters, Bounds.letters)
              }),
              Bounds.list
            )
          ),
        show_dead_letter: ({ body = false, id, source }) =>
          told(
            Effect.map(operations.show(source, id, { shown: body, contracts: known.contracts }), (letter) =>
              Bounds.detail(guarded(known, letter))
            )
          ),
        try_replay: (given) =>
          told(
            Effect.map(
              operations.replay(given.source, {
                ...filterOf(given),
                ...(given.maxReplays !== undefined && { maxReplays: given.maxReplays }),
                apply: false
              }),
              Bounds.replay
            )
          ),
        try_discard: (given) => told(operations.discard(given.source, { ...filterOf(given), all: true, apply: false }))
      })
    )
  )
