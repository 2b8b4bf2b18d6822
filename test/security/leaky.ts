/**
 * A service with accidents of every kind and secret data that shows everything it can: logs of every level, spans,
 * metrics, health, errors and services, inspected. Secrets.test.ts reads its output.
 */
import * as NodeSdk from "@effect/opentelemetry/NodeSdk"
import { InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { Cause, Data, Effect, Exit, Layer, Logger, Metric, References, Schedule, Schema, Stream } from "effect"
import { inspect } from "node:util"
import {
  DeadLetters,
  Event,
  EventBus,
  EventCache,
  EventDeadLettered,
  Health,
  httpEndpoints,
  Later,
  Reject,
  runMain,
  sensitive,
  Subscriber
} from "../../src/index.ts"

export interface Plan {
  readonly url: string
  readonly redisUrl: string
  readonly namespace: string
  /** The value of sensitive fields. */
  readonly secret: string
  /** Shown on purpose, wherever something can be shown. */
  readonly planted: string
  /** A header of its events: it travels with them and is shown nowhere else. */
  readonly session: string
}

const { namespace, planted, redisUrl, secret, session, url }: Plan = JSON.parse(process.argv[2] ?? "{}")

const Registered = Event.make("user.account.registered", {
  version: 1,
  data: Schema.Struct({
    userId: Schema.String,
    email: sensitive(Schema.String),
    card: sensitive(Schema.Struct({ number: Schema.String }))
  }),
  key: (account) => account.userId
})

class Leak extends Data.TaggedError("Leak")<{ readonly email: string; readonly message: string }> {}

const how = ["works", "fails", "text", "object", "dies", "throws", "rejects", "hangs", "later", "nested"] as const

const Mailer = Subscriber.layer("mail.welcome", {
  events: [Registered],
  deadline: "300 millis",
  maxPostponed: 1,
  retry: Schedule.spaced("50 millis").pipe(Schedule.upTo({ times: 1 })),
  handler: ({ data: { card, email, userId } }): Effect.Effect<unknown, unknown> => {
    const quoted = `cannot mail ${email} with card ${card.number}`
    switch (userId) {
      case "fails":
        return Effect.fail(new Leak({ email, message: quoted }))
      case "text":
        return Effect.fail(quoted)
      case "object":
        return Effect.fail({ _tag: "Odd", message: quoted, email })
      case "dies":
        return Effect.die(new Error(quoted))
      case "throws":
        throw new TypeError(quoted)
      case "rejects":
        return Effect.fail(new Reject({ reason: quoted }))
      case "hangs":
        return Effect.never
      case "later":
        return Effect.fail(Later.in("1 second", quoted))
      case "nested":
        // @effect-diagnostics-next-line globalErrorInEffectFailure:off
        return Effect.fail(new Error("outer", { cause: new Error(quoted) }))
      default:
        return Effect.void
    }
  }
})

const say = (what: string, value: unknown): Effect.Effect<void> =>
  Effect.sync(() => {
    const shown = inspect(value, { depth: 12, showHidden: true, getters: true, maxStringLength: null })
    process.stdout.write(`## ${what}\n${shown}\n`)
  })
const sayExit = (what: string, exit: Exit.Exit<unknown, unknown>) =>
  Effect.andThen(
    say(what, exit),
    say(
      `${what}, as text`,
      Exit.isFailure(exit) ? [Cause.pretty(exit.cause), String(Cause.squash(exit.cause)), JSON.stringify(exit)] : ""
    )
  )

const exporter = new InMemorySpanExporter()
const Otel = NodeSdk.layer(() => ({
  resource: { serviceName: "leaky" },
  spanProcessor: new SimpleSpanProcessor(exporter)
}))

const scene = Effect.gen(function* () {
  const bus = yield* EventBus
  const letters = yield* DeadLetters
  const cache = yield* EventCache
  const health = yield* Health
  yield* Effect.forkScoped(Stream.runForEach(bus.failures, (failure) => say("failure", failure)))
  yield* bus.subscribe("audit.dead", { events: [EventDeadLettered], handler: (event) => say("told", event) })
  yield* health.add({ name: "own", critical: false, check: Effect.succeed({ status: "up", detail: planted }) })
  yield* Metric.update(Metric.withAttributes(Metric.counter("own"), { own: planted }), 1)
  yield* Effect.logDebug(planted)
  for (const userId of how) {
    const account = { userId, email: secret, card: { number: secret } }
    yield* bus.publish(Registered, account, { headers: { session, planted } }).pipe(
      Effect.withSpan("request", { attributes: { planted } }),
      Effect.exit,
      Effect.flatMap((exit) => sayExit(`publish ${userId}`, exit))
    )
  }
  // Callers without TypeScript: the secret is where another value is expected.
  for (const wrong of [
    { userId: 7, email: secret, card: { number: secret } },
    { userId: "u", email: { deep: secret }, card: secret },
    { userId: "u", email: secret }
  ]) {
    yield* sayExit("publish wrong", yield* Effect.exit(bus.publish(Registered, wrong as never)))
  }
  process.stdout.write("PUBLISHED\n")
  const dead = how.length - 1
  yield* Effect.repeat(Effect.sleep("50 millis"), {
    until: () => Effect.map(letters.count("mail.welcome"), (count) => count >= dead + 3)
  })
  const listed = yield* letters.list("mail.welcome")
  for (const { body: _body, headers, ...letter } of listed) {
    const { session: _session, ...shown } = headers
    yield* say("dead letter", { ...letter, headers: shown })
  }
  yield* say("replayed", yield* letters.replay("mail.welcome", { errorTag: "Leak" }))
  yield* Effect.sleep("500 millis")
  yield* sayExit("no such", yield* Effect.exit(letters.list("no.such")))
  const show = Effect.gen(function* () {
    yield* say("health", yield* health.report)
    yield* sayExit("cache", yield* Effect.exit(Effect.asVoid(cache.last(Registered, "nobody"))))
    yield* say("tree", yield* bus.tree)
  })
  yield* show
  for (const why of ["NOPERM", "WRONGPASS", "ECONN"]) {
    process.stdout.write(`BREAK REDIS ${why}\n`)
    yield* Effect.repeat(
      Effect.andThen(
        bus.publish(Registered, { userId: "works", email: secret, card: { number: secret } }),
        Effect.sleep("50 millis")
      ),
      { until: () => Effect.map(health.report, ({ checks }) => checks.some(({ detail }) => detail.includes(why))) }
    )
    yield* show
  }
  yield* say("services", yield* Effect.context<EventBus | DeadLetters | EventCache | Health>())
  process.stdout.write("BREAK RABBIT\n")
  yield* Effect.repeat(Effect.sleep("50 millis"), { until: () => Effect.map(health.ready, (ready) => !ready) })
  yield* show
  const unsent = { userId: "works", email: secret, card: { number: secret } }
  yield* sayExit("publish", yield* Effect.exit(bus.publish(Registered, unsent, { timeout: "500 millis" })))
  for (const span of exporter.getFinishedSpans()) {
    yield* say("span", [span.name, span.attributes, span.events, span.status, span.links])
  }
  // The crash does not wait for what is on its way into the pipe.
  yield* Effect.promise(() => new Promise((resolve) => process.stdout.write("MENDED?\n", resolve)))
  return yield* Effect.die(new Error(`the end of this service is a crash ${planted}`))
})

const Endpoints = httpEndpoints({
  port: 0,
  details: true,
  onListen: (address) => {
    process.stdout.write(`LISTENS ${address}\n`)
  }
})

const Live = EventBus.layerAmqp({
  url,
  redisUrl,
  namespace,
  source: "leaky",
  drainTimeout: "2 seconds",
  heartbeat: "2 seconds"
})

runMain(
  Layer.effectDiscard(scene).pipe(
    Layer.provide(Mailer),
    Layer.provide(Endpoints),
    Layer.provide(Live),
    Layer.provide(Otel),
    Layer.provide(Logger.layer([Logger.consoleJson, Logger.consolePretty({ colors: false })])),
    Layer.provide(Layer.succeed(References.MinimumLogLevel, "All" as const))
  )
)
