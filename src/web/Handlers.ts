/** Each endpoint calls one operation and answers with its report. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import { guarded, type Known } from "../operations/Known.ts"
import { Operations } from "../operations/Operations.ts"
import { filterOf } from "../operations/Selection.ts"
import { api, Failed, Malformed, Missing, openApiPath, Refused } from "./Api.ts"
import { operatorHeader } from "./Guard.ts"

/** Letters in one answer, at most. */
const mostLetters = 1000

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
const operatorOf = (headers: Readonly<Record<string, string | undefined>>): string => {
  const name = decodeURIComponent(headers[operatorHeader] ?? "")
  return name.trim() === "" ? "an operator over HTTP" : name
}

const group = (known: Known) =>
  HttpApiBuilder.group(api, "operations", (handlers) =>
    Effect.map(Operations, (operations) =>
      handlers.handleAll({
        doctor: () => operations.doctor({ subscribers: known.subscribers, events: [...known.contracts.keys()] }),
        sources: () => told(operations.sources(known.subscribers)),
        list: ({ params, query }) =>
          told(
            operations.list(params.source, {
              ...filterOf(query),
              ...(query.after !== undefined && { after: query.after }),
              ...(query.limit !== undefined && { limit: Math.min(query.limit, mostLetters) })
            })
          ),
        show: ({ params, query }) =>
          told(
            Effect.map(
              operations.show(params.source, params.id, {
                shown: query.body === "true",
                contracts: known.contracts
              }),
              (letter) => guarded(known, letter)
            )
          ),
        replay: ({ params, payload, query }) =>
          told(
            operations.replay(params.source, {
              ...filterOf(payload),
              ...(payload.limit !== undefined && { limit: payload.limit }),
              ...(payload.rate !== undefined && { rate: payload.rate }),
              ...(payload.maxReplays !== undefined && { maxReplays: payload.maxReplays }),
              ...(payload.unsigned !== undefined && { unsigned: payload.unsigned }),
              apply: query.apply === "true"
            })
          ),
        discard: ({ params, payload, query }) =>
          told(
            operations.discard(params.source, {
              ...filterOf(payload),
              ...(payload.limit !== undefined && { limit: payload.limit }),
              ...(payload.all === true && { all: true as const }),
              apply: query.apply === "true"
            })
          ),
        ps: () => told(operations.ps),
        pause: ({ params, payload, query, request }) =>
          told(
            operations.pause(params.subscriber, {
              by: operatorOf(request.headers),
              reason: payload.reason,
              apply: query.apply === "true"
            })
          ),
        resume: ({ params, query }) => told(operations.resume(params.subscriber, { apply: query.apply === "true" })),
        release: ({ params, payload, query }) =>
          told(operations.release(params.subscriber, { key: payload.key, apply: query.apply === "true" }))
      })
    )
  )

/** Faults of the caller. `Body` and `ResponseHeaders` are those of an answer. */
const malformed = HttpApiMiddleware.layerSchemaErrorTransform(Malformed, (error) =>
  error.kind === "Body" || error.kind === "ResponseHeaders"
    ? Effect.die(error)
    : Effect.fail(new Refused({ error: "Malformed", problem: `${error.kind}: ${error.cause.message}` }))
)

/** The API as a handler of web requests. */
export const make = (known: Known, operations: Operations["Service"]) =>
  HttpRouter.toWebHandler(
    HttpApiBuilder.layer(api, { openapiPath: openApiPath }).pipe(
      Layer.provide(group(known)),
      Layer.provide(malformed),
      Layer.provide(Layer.succeed(Operations, operations)),
      Layer.provide(HttpServer.layerServices)
    ),
    { disableLogger: true }
  )
