/**
 * An HTTP client to the collector that the rest of the process never notices: each signal has at most two open
 * requests, each with a deadline; further exports are dropped and counted. Of a response only the status is read, so
 * a collector can neither fill the memory nor keep a request open.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import type { Health } from "../../observe/Health.ts"
import * as Meter from "../../observe/Meter.ts"
import * as Metrics from "../../observe/Metrics.ts"
import type { Signal } from "./OtelSettings.ts"

export interface CollectorClient {
  readonly client: HttpClient.HttpClient
  /** Whether an export would be dropped now, so that it need not be encoded. */
  readonly isFull: () => boolean
  readonly check: Effect.Effect<Health.ProbeResult>
}

const maxOpenRequests = 2
const retryIntervalMillis = 1000
/** Statuses after which the collector may accept the same request (https://opentelemetry.io/docs/specs/otlp/#failures-1). */
const retryableStatuses: ReadonlySet<number> = new Set([429, 502, 503, 504])

/** Why the collector did not accept a request; undefined if it did. */
type Problem = string | undefined

/**
 * `reportsFailures` makes a failed export fail for the exporter as well: an exporter of deltas has to send them again.
 */
export const make = Effect.fnUntraced(function* (signal: Signal, reportsFailures: boolean) {
  const context = yield* Effect.context<never>()
  const clock = yield* Clock.Clock
  const outcome = Meter.seriesBy(Metrics.exports, context, { "eventbus.signal": signal.name }, "eventbus.outcome")
  for (const name of ["accepted", "failed", "dropped"]) outcome(name)
  const state = new ExportState(signal, clock)

  const client = HttpClient.make((request) => {
    const accepted = Effect.sync(() => HttpClientResponse.fromWeb(request, new Response(null, { status: 200 })))
    const refused = Effect.suspend(() => Effect.fail(refusal(request)))
    if (state.isFull() || request.body._tag !== "Uint8Array") {
      outcome("dropped").update(1)
      return reportsFailures ? refused : accepted
    }
    state.open++
    // The exporter encoded it for this request alone, so its memory is not shared.
    const body = request.body.body as Uint8Array<ArrayBuffer>
    return send(signal, request, body, state).pipe(
      Effect.onExit(() => Effect.sync(() => void state.open--)),
      Effect.flatMap((problem) => {
        outcome(problem === undefined ? "accepted" : "failed").update(1)
        state.finished(problem)
        return problem !== undefined && reportsFailures ? refused : accepted
      })
    )
  })
  return { client, isFull: () => state.isFull(), check: Effect.sync(() => state.report()) } satisfies CollectorClient
})

/** The open requests of one signal, and since when the collector has not accepted any. */
class ExportState {
  open = 0
  private trouble: { readonly problem: string; readonly since: number } | undefined
  private readonly signal: Signal
  private readonly clock: Clock.Clock

  constructor(signal: Signal, clock: Clock.Clock) {
    this.signal = signal
    this.clock = clock
  }

  isFull(): boolean {
    return this.open >= maxOpenRequests
  }

  /** A request failed and is tried again. */
  retrying(problem: string): void {
    this.trouble ??= { problem, since: this.clock.currentTimeMillisUnsafe() }
  }

  finished(problem: Problem): void {
    this.trouble =
      problem === undefined
        ? undefined
        : { problem, since: this.trouble?.since ?? this.clock.currentTimeMillisUnsafe() }
  }

  /** The problem of a request that ran out of time. */
  timedOut(): string {
    return this.trouble?.problem ?? `no answer within ${this.signal.timeoutMillis} ms`
  }

  report(): Health.ProbeResult {
    const { name, url } = this.signal
    if (this.trouble === undefined) return { status: "up", detail: `${name} go to ${addressOf(url)}` }
    const { problem, since } = this.trouble
    return {
      status: "degraded",
      detail: `${name} do not reach ${addressOf(url)} since ${new Date(since).toISOString()}: ${problem}`
    }
  }
}

/** Sends until the collector accepts, refuses for good, or the deadline passes. */
const send = (
  signal: Signal,
  request: HttpClientRequest.HttpClientRequest,
  body: Uint8Array<ArrayBuffer>,
  state: ExportState
): Effect.Effect<Problem> =>
  Effect.gen(function* () {
    for (;;) {
      const answer = yield* Effect.result(post(signal.url, request, body))
      const status = Result.getOrUndefined(answer)
      if (status !== undefined && status < 300) return undefined
      const problem = Result.isFailure(answer) ? answer.failure : `it answers ${answer.success}`
      if (status !== undefined && !retryableStatuses.has(status)) return problem
      state.retrying(problem)
      yield* Effect.sleep(retryIntervalMillis * (1 + (yield* Random.next)))
    }
  }).pipe(Effect.timeoutOrElse({ duration: signal.timeoutMillis, orElse: () => Effect.sync(() => state.timedOut()) }))

/** The status of one request, or why there is none. */
const post = (url: string, request: HttpClientRequest.HttpClientRequest, body: Uint8Array<ArrayBuffer>) =>
  Effect.tryPromise({
    try: async (abort) => {
      const answer = await fetch(url, {
        method: "POST",
        headers: request.headers,
        body,
        redirect: "manual",
        signal: abort
      })
      void answer.body?.cancel().catch(() => {})
      return answer.status
    },
    // The cause may quote addresses and headers; its code is enough.
    catch: (error) => codeOf(error)
  })

/** Not a retryable error: retrying has been done here. */
const refusal = (request: HttpClientRequest.HttpClientRequest) =>
  new HttpClientError.HttpClientError({
    reason: new HttpClientError.EncodeError({ request, description: "the collector did not accept it" })
  })

/** Without user, password and query. */
const addressOf = (url: string): string => {
  const { host, pathname, protocol } = new URL(url)
  return `${protocol}//${host}${pathname}`
}

const codeOf = (error: unknown): string => {
  const cause = Predicate.isError(error) ? error.cause : undefined
  return Predicate.hasProperty(cause, "code") && Predicate.isString(cause.code) ? cause.code : "no connection"
}
