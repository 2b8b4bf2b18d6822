/** Each endpoint calls one operation and answers with its report. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as Lifetime from "../event/options/Lifetime.ts"
import { guarded, type Known, version } from "../operations/Known.ts"
import { Operations } from "../operations/Operations.ts"
import { RequestInvalid } from "../operations/OperationsError.ts"
import { filterOf } from "../operations/Selection.ts"
import { api, Failed, Malformed, Missing, openApiPath, Refused } from "./Api.ts"
import { operatorHeader } from "./Guard.ts"
import { RunningWork } from "./RunningWork.ts"

/** Letters in one answer, at most; and remembered events, which come with their data. */
const mostLetters = 1000
const mostEvents = 100
const usualEvents = 20

/** What the server that answers knows and allows. */
export interface Served {
  readonly known: Known
  readonly isReadOnly: boolean
}

interface Fault {
  readonly _tag: string
  readonly message: string
}

/** Reasons that are mended by asking for something else. */
const ofCaller: ReadonlySet<string> = new Set(["Settings", "Invalid"])

const failureOf = (fault: Fault): Refused | Missing | Failed => {
  const told = { error: fault._tag, problem: fault.message }
  if (fault._tag === "LetterMissing") return new Missing(told)
  if (Predicate.hasProperty(fault, "isMistake")) return new Refused(told)
  const reason = Predicate.hasProperty(fault, "reason") ? fault.reason : undefined
  const tag = Predicate.hasProperty(reason, "_tag") ? String(reason._tag) : ""
  return ofCaller.has(tag) ? new Refused(told) : new Failed(told)
}

const told = <A, R>(work: Effect.Effect<A, Fault, R>): Effect.Effect<A, Refused | Missing | Failed, R> =>
  Effect.mapError(work, failureOf)

/** Whoever was let in has a name; it may be empty. */
const operatorOf = ({ headers }: { readonly headers: Readonly<Record<string, string | undefined>> }): string => {
  const name = decodeURIComponent(headers[operatorHeader] ?? "")
  return name.trim() === "" ? "an operator over HTTP" : name
}

/** Either the whole data or a patch of it. */
const changeOf = (
  data: unknown,
  patch: unknown
): Effect.Effect<{ readonly _tag: "Data" | "Patch"; readonly json: Buffer }, RequestInvalid> =>
  (data === undefined) === (patch === undefined)
    ? Effect.fail(new RequestInvalid({ problem: "give `data` or `patch`, one of them" }))
    : Effect.succeed({
        _tag: data === undefined ? "Patch" : "Data",
        json: Buffer.from(JSON.stringify(data === undefined ? patch : data))
      })

const looksOf = ({ isReadOnly, known }: Served, operations: Operations["Service"]) => ({
  session: (operator: string) => ({
    kind: "session" as const,
    version: 1 as const,
    operator,
    readOnly: isReadOnly,
    ...version,
    events: [...known.contracts.keys()].toSorted(),
    subscribers: known.subscribers
  }),
  doctor: operations.doctor({ subscribers: known.subscribers, events: [...known.contracts.keys()] }),
  topology: told(operations.topology.plan({ specs: known.specs, names: known.subscribers })),
  sources: told(operations.sources(known.subscribers)),
  letter: (source: string, id: string, shown: boolean) =>
    told(
      Effect.map(operations.show(source, id, { shown, contracts: known.contracts }), (letter) => guarded(known, letter))
    ),
  last: (event: string, keys: ReadonlyArray<string>) =>
    told(operations.last(event, keys, { contracts: known.contracts, bodies: false })),
  history: (event: string, key: string | undefined, limit: number) =>
    told(
      operations.history({
        event,
        key,
        limit: Math.max(1, Math.min(limit, mostEvents)),
        contracts: known.contracts,
        bodies: false
      })
    )
})

const group = (served: Served) =>
  HttpApiBuilder.group(api, "operations", (handlers) =>
    Effect.map(Operations, (operations) => {
      const looks = looksOf(served, operations)
      const works = new RunningWork()
      return handlers.handleAll({
        session: ({ request }) => Effect.succeed(looks.session(operatorOf(request))),
        doctor: () => looks.doctor,
        topology: () => looks.topology,
        sources: () => looks.sources,
        list: ({ params, query }) =>
          told(
            operations.list(params.source, {
              ...filterOf(query),
              ...(query.after !== undefined && { after: query.after }),
              ...(query.limit !== undefined && { limit: Math.min(query.limit, mostLetters) })
            })
          ),
        show: ({ params, query }) => looks.letter(params.source, params.id, query.body === "true"),
        running: () => Effect.sync(() => works.report()),
        last: ({ params, query }) => looks.last(params.event, query.key ?? []),
        history: ({ params, query }) => looks.history(params.event, query.key, query.limit ?? usualEvents),
        replay: ({ params: { source }, payload, query, request }) => {
          const { apply, work } = asked(query)
          return told(
            works.during({ work, verb: "replay", source, by: operatorOf(request), dryRun: !apply }, (progress) =>
              operations.replay(source, { ...replayOf(payload), apply, progress })
            )
          )
        },
        discard: ({ params: { source }, payload, query, request }) => {
          const { apply, work } = asked(query)
          return told(
            works.during({ work, verb: "discard", source, by: operatorOf(request), dryRun: !apply }, (progress) =>
              operations.discard(source, {
                ...filterOf(payload),
                ...(payload.limit !== undefined && { limit: payload.limit }),
                ...(payload.all === true && { all: true as const }),
                apply,
                progress
              })
            )
          )
        },
        edit: ({ params: { id, source }, payload: { data, expiresAfter, patch, unsigned }, query }) =>
          told(
            Effect.flatMap(changeOf(data, patch), (change) =>
              operations.edit(source, {
                id,
                data: change,
                contracts: served.known.contracts,
                unsigned,
                ...Lifetime.ofText(expiresAfter),
                apply: query.apply === "true"
              })
            )
          ),
        ps: () => told(operations.ps),
        pause: ({ params, payload, query, request }) =>
          told(
            operations.pause(params.subscriber, {
              by: operatorOf(request),
              reason: payload.reason,
              apply: query.apply === "true"
            })
          ),
        resume: ({ params, query }) => told(operations.resume(params.subscriber, { apply: query.apply === "true" })),
        release: ({ params, payload, query }) =>
          told(operations.release(params.subscriber, { key: payload.key, apply: query.apply === "true" }))
      })
    })
  )

const asked = ({ apply, work }: { readonly apply?: string; readonly work?: string }) => ({
  apply: apply === "true",
  work: work ?? null
})

const replayOf = ({
  expiresAfter,
  limit,
  maxReplays,
  rate,
  unsigned,
  ...selection
}: Parameters<typeof filterOf>[0] & {
  readonly limit?: number
  readonly rate?: number
  readonly maxReplays?: number
  readonly unsigned?: boolean
  readonly expiresAfter?: string
}) => ({
  ...filterOf(selection),
  ...(limit !== undefined && { limit }),
  ...(rate !== undefined && { rate }),
  ...(maxReplays !== undefined && { maxReplays }),
  ...(unsigned !== undefined && { unsigned }),
  ...Lifetime.ofText(expiresAfter)
})

/** Faults of the caller. `Body` and `ResponseHeaders` are those of an answer. */
const malformed = HttpApiMiddleware.layerSchemaErrorTransform(Malformed, (error) =>
  error.kind === "Body" || error.kind === "ResponseHeaders"
    ? Effect.die(error)
    : Effect.fail(new Refused({ error: "Malformed", problem: `${error.kind}: ${error.cause.message}` }))
)

/** The API as a handler of web requests. */
export const make = (served: Served, operations: Operations["Service"]) =>
  HttpRouter.toWebHandler(
    HttpApiBuilder.layer(api, { openapiPath: openApiPath }).pipe(
      Layer.provide(group(served)),
      Layer.provide(malformed),
      Layer.provide(Layer.succeed(Operations, operations)),
      Layer.provide(HttpServer.layerServices)
    ),
    { disableLogger: true }
  )
