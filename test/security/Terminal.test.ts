/**
 * What other programs send reaches no terminal as it is: whatever id, type, key, header or message they choose, no log line
 * holds a character that a terminal obeys, and none is forged. So it is with each logger that a service may have.
 */
import { assert, describe, it } from "@effect/vitest"
import {
  ConfigProvider,
  Console as EffectConsole,
  Duration,
  Effect,
  Layer,
  Logger,
  References,
  Schedule,
  Schema
} from "effect"
import { Console } from "node:console"
import { PassThrough } from "node:stream"
import { Broker } from "../../src/bus/port/Broker.ts"
import { layerWithInternals } from "../../src/bus/EventBus.ts"
import { Event, EventBus, EventGroup, Later, Reject, Telemetry } from "../../src/index.ts"
import * as MemoryBroker from "../../src/memory/MemoryBroker.ts"
import * as MemoryCache from "../../src/memory/MemoryCache.ts"
import * as MemoryClaims from "../../src/memory/MemoryClaims.ts"
import { sendRaw } from "../../src/ports/conformance/setup/RawMessage.ts"

/** Colours and cursors, C1, a carriage return, separators of lines, each mark that turns text, a line that is forged. */
const marks = "\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
const evil = (name: string): string => `${name}-\u001b[2J\u009b2K\u0085\r${marks}\n12:00:00.000 ERROR forged`

const Moved = Event.make("terminal.moved", {
  version: 1,
  data: Schema.Struct({ n: Schema.Finite }),
  key: ({ n }) => `${n}`
})
const Told = Event.make("terminal.told", {
  version: 1,
  data: Schema.Struct({ text: Schema.String }),
  key: ({ text }) => text
})

class Tagged extends Schema.TaggedError<Tagged>()("Tagged", { field: Schema.String }) {}

let sent = 0
const event = (more: Readonly<Record<string, unknown>> = {}) =>
  JSON.stringify({
    specversion: "1.0",
    id: `${evil("id")}${++sent}`,
    source: "/elsewhere",
    type: Told.name,
    dataversion: 1,
    data: { text: evil("key") },
    ...more
  })

/** Everything that the log says of what a stranger sent. */
const work = Effect.gen(function* () {
  const bus = yield* EventBus
  const broker = yield* Broker
  const failing = (error: (id: string) => unknown) => ({
    events: [Told],
    retry: Schedule.recurs(1),
    handler: ({ id }: { readonly id: string }) => Effect.fail(error(id))
  })
  const subscriptions = [
    yield* bus.subscribe(
      "text",
      failing((id) => `${id} ${evil("message")}`)
    ),
    yield* bus.subscribe(
      "error",
      failing((id) => new Error(`${id} ${evil("message")}`))
    ),
    yield* bus.subscribe(
      "tagged",
      failing((id) => new Tagged({ field: id }))
    ),
    yield* bus.subscribe(
      "reject",
      failing((id) => new Reject({ reason: id, cause: new Error(id) }))
    ),
    yield* bus.subscribe("later", {
      ...failing((id) => new Later({ in: Duration.millis(1), reason: id })),
      maxPostponed: 1
    }),
    yield* bus.subscribe("keyed", { ...failing((id) => new Error(id)), ordering: "key" }),
    yield* bus.subscribe("once", { ...failing((id) => new Error(id)), idempotent: true }),
    yield* bus.subscribe("batch", {
      events: [Told],
      retry: Schedule.recurs(1),
      batch: { size: 1, maxWait: "1 millis" },
      handler: (events) => Effect.fail<unknown>(new Error(events[0]?.id))
    }),
    yield* bus.subscribe("dies", {
      events: [Told],
      retry: Schedule.recurs(1),
      handler: ({ id }) => Effect.die(new Error(id))
    }),
    yield* bus.subscribe("pattern", {
      events: EventGroup.make(Moved, Told).match("terminal.#"),
      handler: () => Effect.void
    })
  ]
  yield* sendRaw(broker, Told.name, event(), { [evil("header")]: evil("value"), traceparent: evil("trace") })
  yield* sendRaw(broker, Told.name, event({ type: evil("type") }))
  yield* sendRaw(broker, Told.name, event({ source: evil("source"), time: evil("time"), subject: evil("subject") }))
  yield* sendRaw(broker, Told.name, event({ [evil("attribute")]: evil("value"), dataversion: 99 }))
  yield* sendRaw(broker, Told.name, event({ data: { [evil("field")]: 1 } }))
  yield* sendRaw(broker, Told.name, event({ datacontenttype: evil("media") }))
  yield* sendRaw(broker, Told.name, evil("no json"), {}, { messageId: evil("messageId"), type: Told.name })
  yield* sendRaw(
    broker,
    Told.name,
    event(),
    {},
    { contentType: evil("contentType"), type: evil("type"), appId: evil("app") }
  )
  yield* sendRaw(broker, `terminal.${evil("name")}`, event({ type: `terminal.${evil("name")}` }))
  yield* Effect.forEach(subscriptions, ({ stats }) =>
    Effect.repeat(Effect.delay(stats, 5), {
      until: ({ deadLettered, held, skipped }) => held === 0 && deadLettered + skipped > 0
    })
  )
}).pipe(Effect.scoped)

const ports = Layer.mergeAll(MemoryBroker.layer({ namespace: "terminal" }), MemoryCache.layer, MemoryClaims.layer)

/** What a terminal is given: Node writes it, as in a service. */
const written = (logs: Layer.Layer<never>) =>
  Effect.gen(function* () {
    const out = new PassThrough()
    const console = new Console({ stdout: out, stderr: out, colorMode: false })
    yield* Effect.provide(
      work,
      layerWithInternals({ source: "test" }).pipe(Layer.provideMerge(ports), Layer.provideMerge(Layer.fresh(logs)))
    ).pipe(
      Effect.provideService(EffectConsole.Console, console),
      Effect.provideService(References.MinimumLogLevel, "Debug"),
      Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord({})))
    )
    return String(out.read() ?? "")
  })

const loggers: Readonly<Record<string, Layer.Layer<never>>> = {
  "Effect's default one": Layer.empty,
  "Logger.defaultLogger": Logger.layer([Logger.defaultLogger]),
  "Logger.consolePretty": Logger.layer([Logger.consolePretty({ colors: false })]),
  "Logger.consoleLogFmt": Logger.layer([Logger.consoleLogFmt]),
  "Logger.consoleStructured": Logger.layer([Logger.consoleStructured]),
  "Logger.consoleJson": Logger.layer([Logger.consoleJson]),
  "Logger.formatSimple": Logger.layer([Logger.withConsoleLog(Logger.formatSimple)]),
  "Telemetry.layer, json": Telemetry.layer({ logs: "json" }),
  "Telemetry.layer, pretty": Telemetry.layer({ logs: "pretty" })
}

describe("log lines of what other programs sent", () => {
  for (const [name, logs] of Object.entries(loggers))
    it.live(`P15: ${name}: no character of theirs moves the cursor, turns the text or forges a line`, () =>
      Effect.gen(function* () {
        const text = yield* written(logs)
        for (const reached of ["dead-lettered", "failed", "id-", "key-", "message-"]) assert.include(text, reached)
        for (const line of text.split("\n")) {
          // oxlint-disable-next-line no-control-regex
          assert.notMatch(line, /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/)
          assert.notMatch(line, /^\s*12:00/)
        }
      })
    )
})
