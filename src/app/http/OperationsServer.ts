/**
 * The operations over HTTP and their page, for those whom the service lets in: nothing but the page itself, which holds no
 * data, is served that `authorize` did not accept. Who changed what is logged.
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { SubscriberSpec } from "../../bus/port/Broker.ts"
import { BrokerError } from "../../bus/port/BrokerError.ts"
import { SettingsInvalid } from "../../bus/port/BrokerReason.ts"
import type { SubscriberOptions } from "../../bus/subscriber/SubscriberOptions.ts"
import type * as Event from "../../event/Event.ts"
import { printable } from "../../event/FieldValue.ts"
import { Operations } from "../../operations/Operations.ts"
import { specsIn } from "../../operations/Specs.ts"
import * as Guard from "../../web/Guard.ts"
import * as Handlers from "../../web/Handlers.ts"
import * as PageFiles from "../../web/PageFiles.ts"
import * as BoundedServer from "./BoundedServer.ts"

/** Who is asking, as the service found out. */
export interface Operator {
  /** It stands in the log beside what was changed. */
  readonly name: string
}

/** A subscriber with what it declares, as `Subscriber.layer` takes it. */
export interface KnownSubscriber extends Pick<
  SubscriberOptions<Event.Any, never, never>,
  "events" | "ordering" | "onBlocked" | "retired"
> {
  readonly name: string
}

/** What is asked. */
export interface OperatorRequest {
  /** Looks and dry runs change nothing. */
  readonly verb: Guard.Verb
  readonly path: string
  readonly headers: Guard.Asked["headers"]
  /** Of the process that connects: behind a proxy, the proxy's. */
  readonly address: string
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
  /**
   * Subscribers that `doctor` looks at, and whose dead letters are counted. With their events, the topology says as well
   * what of their queues and bindings is missing.
   */
  readonly subscribers?: ReadonlyArray<string | KnownSubscriber>
  /** Serves the page for people at `/`. Default true. */
  readonly page?: boolean
  /** Address of RabbitMQ's management API: with it all sources are found. */
  readonly management?: Redacted.Redacted<string>
  /** Called with the address once the server listens. */
  readonly onListen?: (address: string) => void
}

/** A replay of many letters says nothing until it is done. */
export const silenceMillis = 900_000
const maxBodyBytes = 65_536

const safety = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin"
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
  const { host = "127.0.0.1", onListen, port } = options
  return Layer.effectDiscard(
    Effect.flatMap(make(options), (respond) =>
      BoundedServer.serve({ host, port, onListen, silence: silenceMillis }, respond)
    )
  )
}

/** Answers the requests of one server until the scope ends. */
export const make = Effect.fnUntraced(function* (options: Omit<OperationsOptions, "port" | "onListen">) {
  const { contracts = [], host = "127.0.0.1", readOnly = false, subscribers = [] } = options
  const known = {
    contracts: new Map(contracts.map((event) => [event.name, event])),
    subscribers: subscribers.map((one) => (typeof one === "string" ? one : one.name)),
    specs: yield* specsOf(subscribers)
  }
  const { dispose, handler } = Handlers.make({ known, isReadOnly: readOnly }, yield* Operations)
  yield* Effect.addFinalizer(() => Effect.promise(dispose))
  return yield* responder(options, hostsOf(host, options.hosts ?? []), handler)
})

const specsOf = (
  subscribers: NonNullable<OperationsOptions["subscribers"]>
): Effect.Effect<ReadonlyArray<SubscriberSpec>, BrokerError> =>
  Effect.try({
    try: () => specsIn(subscribers),
    catch: (error) =>
      new BrokerError({
        reason: new SettingsInvalid({
          setting: "subscribers",
          problem: error instanceof Error ? error.message : "a subscriber cannot work as it is given",
          remedy: "Give each as `Subscriber.layer` takes it, or its name alone"
        })
      })
  })

const loopback = ["127.0.0.1", "::1", "localhost"]

const hostsOf = (host: string, more: ReadonlyArray<string>): ReadonlySet<string> =>
  new Set([...(loopback.includes(host) ? loopback : [host]), ...more].map((name) => name.toLowerCase()))

type Handler = (request: Request) => Promise<Response>

type Serving = Pick<OperationsOptions, "authorize" | "page" | "readOnly">

const responder = (options: Serving, hosts: ReadonlySet<string>, handler: Handler) =>
  Effect.contextWith((context: Context.Context<never>) => {
    const run = Effect.runForkWith(context)
    return Effect.succeed((request: IncomingMessage, response: ServerResponse): void => {
      const { headers, method = "", url: path = "/" } = request
      const url = URL.parse(path, "http://operations")
      if (url === null) return refuse(response, { status: 400, problem: "the address of the request cannot be read" })
      const asked: Guard.Asked = { method, url, headers }
      const refusal = Guard.refusalOf(asked, hosts, options.readOnly === true)
      if (refusal !== undefined) return refuse(response, refusal)
      if (options.page !== false && method === "GET" && isOfPage(url)) return sendPage(response, url)
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

/** Everybody may have it: a browser that follows a link sends no token, and it is the same for everybody. */
const isOfPage = ({ pathname }: URL): boolean => pathname === "/" || pathname.startsWith("/page/")

const sendPage = (response: ServerResponse, { pathname }: URL): void => {
  const file = PageFiles.load().get(pathname)
  if (file === undefined)
    return refuse(response, {
      status: 404,
      problem:
        pathname === "/"
          ? "the page is not beside the library: a bundler left out the folder `page` of the package"
          : "the page has no such file"
    })
  response.writeHead(200, {
    ...safety,
    "content-security-policy": PageFiles.policy,
    "content-type": file.type,
    "content-length": file.bytes.length
  })
  response.end(file.bytes)
}

const answer = Effect.fnUntraced(function* (
  { authorize }: Serving,
  asked: Guard.Asked,
  request: IncomingMessage,
  response: ServerResponse,
  handler: Handler
) {
  const verb = Guard.verbOf(asked)
  const path = asked.url.pathname
  const operator = yield* authorize({
    verb,
    path,
    headers: asked.headers,
    address: request.socket.remoteAddress ?? ""
  })
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
