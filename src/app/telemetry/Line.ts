/**
 * The way to the collector, which the rest of the process never feels: at most two requests are open for a
 * signal, each with a deadline, and what comes meanwhile is dropped and counted. Nothing that a collector
 * answers is read but its status, so that it can neither fill the memory nor keep a request open.
 */
import { Clock, Effect, Random, Result } from "effect"
import { HttpClient, HttpClientError, type HttpClientRequest, HttpClientResponse } from "effect/http"
import type * as Health from "../../observe/Health.ts"
import * as Meter from "../../observe/Meter.ts"
import * as Metrics from "../../observe/Metrics.ts"
import type { Signal } from "./Settings.ts"

export interface Line {
  readonly client: HttpClient.HttpClient
  /** Whether what is sent now would be dropped: then it need not be written. */
  readonly full: () => boolean
  readonly check: Effect.Effect<Health.ProbeResult>
}

const maxOpen = 2
const retryEveryMillis = 1000
/** Those that may be accepted later (https://opentelemetry.io/docs/specs/otlp/#failures-1). */
const passing: ReadonlySet<number> = new Set([429, 502, 503, 504])

/** `honest` lets the exporter know of a failure: one that sends differences has to send them again. */
export const make = Effect.fnUntraced(function* (signal: Signal, honest: boolean) {
  const context = yield* Effect.context<never>()
  const clock = yield* Clock.Clock
  const outcome = Meter.bindBy(Metrics.exports, context, { "eventbus.signal": signal.name }, "eventbus.outcome")
  for (const one of ["accepted", "failed", "dropped"]) outcome(one)
  let open = 0
  let trouble: { readonly what: string; readonly since: number } | undefined

  const told = (what: string | undefined): void => {
    outcome(what === undefined ? "accepted" : "failed").update(1)
    trouble = what === undefined ? undefined : { what, since: trouble?.since ?? clock.currentTimeMillisUnsafe() }
  }

  /** Its status, or why there is none. */
  const once = (request: HttpClientRequest.HttpClientRequest, body: Uint8Array<ArrayBuffer>) =>
    Effect.tryPromise({
      try: async (abort) => {
        const answer = await fetch(signal.url, {
          method: "POST",
          headers: request.headers,
          body,
          redirect: "manual",
          signal: abort
        })
        void answer.body?.cancel().catch(() => {})
        return answer.status
      },
      // The cause tells of addresses and headers; its code is enough.
      catch: (error) => codeOf(error)
    })

  const send = (request: HttpClientRequest.HttpClientRequest, body: Uint8Array<ArrayBuffer>) =>
    Effect.gen(function* () {
      for (;;) {
        const answer = yield* Effect.result(once(request, body))
        const status = Result.getOrUndefined(answer)
        if (status !== undefined && status < 300) return undefined
        const what = Result.isFailure(answer) ? answer.failure : `it answers ${answer.success}`
        if (status !== undefined && !passing.has(status)) return what
        trouble ??= { what, since: clock.currentTimeMillisUnsafe() }
        yield* Effect.sleep(retryEveryMillis * (1 + (yield* Random.next)))
      }
    }).pipe(
      Effect.timeoutOrElse({
        duration: signal.timeoutMillis,
        orElse: () => Effect.sync(() => trouble?.what ?? `no answer within ${signal.timeoutMillis} ms`)
      })
    )

  const client = HttpClient.make((request) => {
    const accepted = () => HttpClientResponse.fromWeb(request, new Response(null, { status: 200 }))
    const refused = new HttpClientError.HttpClientError({
      // Not one that is tried again: that has been done here.
      reason: new HttpClientError.EncodeError({ request, description: "the collector did not take it" })
    })
    if (open >= maxOpen || request.body._tag !== "Uint8Array") {
      outcome("dropped").update(1)
      return honest ? Effect.fail(refused) : Effect.sync(accepted)
    }
    open++
    // Written by the exporter itself, so not shared.
    const body = request.body.body as Uint8Array<ArrayBuffer>
    return send(request, body).pipe(
      Effect.onExit(() => Effect.sync(() => void open--)),
      Effect.flatMap((what) => {
        told(what)
        return what !== undefined && honest ? Effect.fail(refused) : Effect.sync(accepted)
      })
    )
  })

  return {
    client,
    full: () => open >= maxOpen,
    check: Effect.sync(() =>
      trouble === undefined
        ? { status: "up", detail: `${signal.name} go to ${whereOf(signal.url)}` }
        : {
            status: "degraded",
            detail: `${signal.name} do not reach ${whereOf(signal.url)} since ${new Date(trouble.since).toISOString()}: ${trouble.what}`
          }
    )
  } satisfies Line
})

/** Without user, password and query. */
const whereOf = (url: string): string => {
  const { host, pathname, protocol } = new URL(url)
  return `${protocol}//${host}${pathname}`
}

const codeOf = (error: unknown): string => {
  const cause = error instanceof Error ? error.cause : undefined
  const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined
  return typeof code === "string" ? code : "no connection"
}
