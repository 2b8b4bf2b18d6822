/** A service with every failure that has an alert, except those of its broker and its Redis. */
import { Duration, Effect, Layer, Schedule, Schema } from "effect"
import { Migrations, Outbox, OutboxRelay, SqliteFile } from "../../src/outbox/index.ts"
import { Event, EventBus, httpEndpoints, Reject, runMain, Subscriber, Telemetry } from "../../src/index.ts"

export interface SickOptions {
  readonly url: string
  readonly redisUrl: string
  readonly namespace: string
  readonly port: number
}

// Written by the test that started it.
const { port, ...bus } = JSON.parse(process.argv[2] ?? "{}") as SickOptions

const eventOf = (name: string) => Event.make(`sick.${name}`, { version: 1, data: Schema.Struct({ n: Schema.Finite }) })
const Steady = eventOf("steady")
const Never = eventOf("never")
const Slow = eventOf("slow")
const Hung = eventOf("hung")
const Rejected = eventOf("rejected")
const Deaf = eventOf("deaf")
const Unwanted = eventOf("unwanted")

const Subscribers = Layer.mergeAll(
  // The test replaces its queue: after two restarts it is exhausted.
  Subscriber.layer("sick.failed", { events: [Never], handler: () => Effect.void, restarts: { max: 1 } }),
  Subscriber.layer("sick.slow", {
    events: [Slow],
    handler: () => Effect.sleep("1 second"),
    concurrency: 1,
    prefetch: 1
  }),
  Subscriber.layer("sick.hung", { events: [Hung], handler: () => Effect.never, deadline: "5 minutes" }),
  Subscriber.layer("sick.rejecting", {
    events: [Rejected],
    handler: () => Effect.fail(new Reject({ reason: "as ordered" }))
  }),
  Subscriber.layer("sick.deaf", {
    events: [Deaf],
    handler: () => Effect.uninterruptible(Effect.never),
    deadline: "1 second",
    retry: Schedule.recurs(0)
  })
)

const Publishing = Layer.effectDiscard(
  Effect.gen(function* () {
    const { publish, publishAll } = yield* EventBus
    yield* publishAll(
      Slow,
      Array.from({ length: 300 }, (_, n) => ({ n }))
    )
    yield* publish(Hung, { n: 0 })
    yield* publish(Deaf, { n: 0 })
    yield* publish(Unwanted, { n: 0 }, { delay: "1 second" })
    const round = Effect.gen(function* () {
      yield* Effect.ignore(publish(Rejected, { n: 0 }))
      // Not a finite number: refused before anything is sent.
      yield* Effect.ignore(publish(Steady, { n: Number.NaN }))
    })
    yield* Effect.forkScoped(Effect.repeat(round, Schedule.spaced("200 millis")))
    // Concurrently: while the broker blocks, some wait at the in-flight limit.
    const steady = Effect.ignore(publish(Steady, { n: 0 }))
    yield* Effect.forkScoped(
      Effect.forever(Effect.andThen(Effect.forkChild(steady), Effect.sleep(Duration.millis(100))))
    )
  })
)

const Appending = Layer.effectDiscard(
  Effect.gen(function* () {
    yield* Migrations.migrate
    const { append } = yield* Outbox
    // Nobody is bound: it is set aside.
    yield* append(Unwanted, { n: 0 }, { mandatory: true })
    const steady = Effect.ignore(append(Steady, { n: 0 }))
    yield* Effect.forkScoped(Effect.repeat(steady, Schedule.spaced("200 millis")))
  })
).pipe(
  Layer.merge(OutboxRelay.layer()),
  Layer.provide(Outbox.layer({ source: "sick" })),
  Layer.provide(SqliteFile.layer({ filename: ":memory:" }))
)

runMain(
  Layer.mergeAll(Publishing, Appending, httpEndpoints({ port })).pipe(
    Layer.provide(Subscribers),
    Layer.provide(EventBus.layerAmqp({ ...bus, source: "sick", publishTimeout: "2 seconds", heartbeat: "2 seconds" })),
    Layer.provide(Telemetry.layer({ service: "sick", logs: "none" }))
  )
)
