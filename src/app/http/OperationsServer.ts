/**
 * The operations over HTTP, for those whom the service lets in: nothing is served that `authorize` did not accept. Who
 * changed what is logged.
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { BrokerError } from "../../bus/port/BrokerError.ts"
import type * as Event from "../../event/Event.ts"
import { printable } from "../../event/FieldValue.ts"
import { Operations } from "../../operations/Operations.ts"
import * as Guard from "../../web/Guard.ts"
import * as Handlers from "../../web/Handlers.ts"
import * as BoundedServer from "./BoundedServer.ts"

/** Who is asking, as the service found out. */
export interface Operator {
  /** It stands in the log beside what was changed. */
  readonly name: string
}

/** What is asked. */
export interface OperatorRequest {
  /** Looks and dry runs change nothing. */
  readonly verb: Guard.Verb
  readonly path: string
  readonly headers: Guard.Asked["headers"]
}

export interface OperationsOptions {
  /** `0` selects a free port. */
  readonly port: number
  /** Address to listen on. Default `"127.0.0.1"`. */
  readonly host?: string
  /** Names by which browsers and programs call this server, besides `host` and, there, `localhost`. */
  readonly hosts?: ReadonlyArray<string>
  /** Who may do it: the operator, or undefined for those who may not. */
  readonly authorize: (request: OperatorRequest) => Effect.Effect<Operator | undefined>
  /** Refuses what changes something, whoever asks. */
  readonly readOnly?: boolean
  /** Contracts of the events in dead letters: bodies are shown for these alone, without what they mark as sensitive. */
  readonly contracts?: ReadonlyArray<Event.Any>
  /** Names of subscribers that `doctor` looks at, and whose dead letters are counted. */
  readonly subscribers?: ReadonlyArray<string>
  /** Address of RabbitMQ's management API: with it all sources are found. */
  readonly management?: Redacted.Redacted<string>
  /** Called with the address once the server listens. */
  readonly onListen?: (address: string) => void
}

/** A replay of many letters says nothing until it is done. */
const silenceMillis = 900_000
const maxBodyBytes = 65_536

const safety = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer"
}

const refuse = (response: ServerResponse, { problem, status }: Guard.Refusal): void => {
  const body = JSON.stringify({ _tag: "Refused", error: "Refused", problem })
  response.writeHead(status, {
    ...safety,
    ...(status === 405 && { allow: "GET, POST" }),
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body)
  })
  response.end(body)
}

/** Serves the operations until the scope ends. */
export const layer = (options: OperationsOptions): Layer.Layer<never, BrokerError, Operations> => {
  const { contracts = [], host = "127.0.0.1", onListen, port, subscribers = [] } = options
  return Layer.effectDiscard(
    Effect.gen(function* () {
      const known = { contracts: new Map(contracts.map((event) => [event.name, event])), subscribers }
      const { dispose, handler } = Handlers.make(known, yield* Operations)
      yield* Effect.addFinalizer(() => Effect.promise(dispose))
      const respond = yield* responder(options, hostsOf(host, options.hosts ?? []), handler)
      yield* BoundedServer.serve({ host, port, onListen, silence: silenceMillis }, respond)
    })
  )
}

const loopback = ["127.0.0.1", "::1", "localhost"]

const hostsOf = (host: string, more: ReadonlyArray<string>): ReadonlySet<string> =>
  new Set([...(loopback.includes(host) ? loopback : [host]), ...more].map((name) => name.toLowerCase()))

type Handler = (request: Request) => Promise<Response>

const responder = (options: OperationsOptions, hosts: ReadonlySet<string>, handler: Handler) =>
  Effect.contextWith((context: Context.Context<never>) => {
    const run = Effect.runForkWith(context)
    return Effect.succeed((request: IncomingMessage, response: ServerResponse): void => {
      const { headers, method = "", url = "/" } = request
      const asked: Guard.Asked = { method, url: new URL(url, "http://operations"), headers }
      const refusal = Guard.refusalOf(asked, hosts, options.readOnly === true)
      if (refusal !== undefined) return refuse(response, refusal)
      const fiber = run(
        answer(options, asked, request, response, handler).pipe(
          Effect.catchCause((cause) => {
            if (!response.headersSent)
              refuse(response, { status: 500, problem: "it failed: see the log of the service" })
            return Cause.hasInterruptsOnly(cause)
              ? Effect.void
              : Effect.logError("an operation over HTTP failed", cause)
          })
        )
      )
      // A client that has left wants no answer; a replay ends, and may be run again.
      response.once("close", () => fiber.interruptUnsafe())
    })
  })

const answer = Effect.fnUntraced(function* (
  { authorize }: OperationsOptions,
  asked: Guard.Asked,
  request: IncomingMessage,
  response: ServerResponse,
  handler: Handler
) {
  const verb = Guard.verbOf(asked)
  const path = asked.url.pathname
  const operator = yield* authorize({ verb, path, headers: asked.headers })
  if (operator === undefined) return refuse(response, { status: 403, problem: "authorize did not accept this request" })
  const body = asked.method === "POST" ? yield* bodyOf(request) : undefined
  if (body === "too large")
    return refuse(response, { status: 413, problem: `the body has more than ${maxBodyBytes} bytes` })
  if (verb !== "look")
    yield* Effect.logInfo(
      asked.url.pathname.startsWith("/api/subscribers/")
        ? "an operator changes a subscriber"
        : "an operator changes dead letters",
      { operator: printable(operator.name), verb, path: printable(path) }
    )
  const found = yield* Effect.promise((signal) =>
    handler(
      new Request(asked.url, {
        method: asked.method,
        signal,
        headers: {
          [Guard.operatorHeader]: encodeURIComponent(operator.name.toWellFormed()),
          ...(body !== undefined && { "content-type": "application/json" })
        },
        ...(body !== undefined && { body: new Uint8Array(body) })
      })
    )
  )
  const bytes = Buffer.from(yield* Effect.promise(() => found.arrayBuffer()))
  response.writeHead(found.status, {
    ...safety,
    "content-type": found.headers.get("content-type") ?? "application/json",
    "content-length": bytes.length
  })
  response.end(bytes)
})

const bodyOf = (request: IncomingMessage): Effect.Effect<Buffer | "too large"> =>
  Effect.promise(async () => {
    const chunks: Array<Buffer> = []
    let size = 0
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > maxBodyBytes) return "too large"
      chunks.push(chunk)
    }
    return Buffer.concat(chunks)
  })
