/** Events of other programs, as the CloudEvents specification and W3C trace context have them. */
import { brokerCase, type BrokerCase } from "./BrokerCase.ts"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Tracer from "effect/Tracer"
import { shared } from "../setup/BusProcess.ts"
import { fresh, numbered } from "../setup/TestEvents.ts"
import { makeLedger } from "../setup/HandlerLedger.ts"
import { lettersOf, until } from "../setup/Waiting.ts"
import { assert } from "../Assert.ts"
import { sendRaw } from "../setup/RawMessage.ts"
import * as Event from "../../../event/Event.ts"

const sentAt = Date.UTC(2026, 2, 4, 5, 6, 7)

export const foreignCases: ReadonlyArray<BrokerCase> = [
  brokerCase("data_base64 is decoded by its media type", () =>
    Effect.gen(function* () {
      const { broker, bus } = yield* shared
      const data = { page: Schema.Struct({ n: Schema.Finite }), note: Schema.String, image: Schema.Uint8Array }
      const [Page, Note, Image] = [
        Event.make(fresh("page"), { version: 1, data: data.page }),
        Event.make(fresh("note"), { version: 1, data: data.note }),
        Event.make(fresh("image"), { version: 1, data: data.image })
      ]
      const seen = new Map<string, unknown>()
      yield* bus.subscribe(fresh(), {
        events: [Page, Note, Image],
        handler: ({ data, id }) => Effect.sync(() => void seen.set(id, data))
      })
      const emit = (type: string, id: string, datacontenttype: string, bytes: Buffer) =>
        sendRaw(
          broker,
          type,
          JSON.stringify({
            specversion: "1.0",
            id,
            source: "/scanner",
            type,
            datacontenttype,
            data_base64: bytes.toString("base64")
          })
        )
      yield* emit(Page.name, "json", "application/json", Buffer.from('{"n":7}'))
      yield* emit(Page.name, "suffix", "application/vnd.page+json; charset=utf-8", Buffer.from('{"n":8}'))
      yield* emit(Note.name, "text", "text/plain", Buffer.from("read me"))
      yield* emit(Image.name, "bytes", "image/png", Buffer.from([1, 2, 255]))
      yield* until(
        () => `${[...seen.keys()]}`,
        () => seen.size === 4
      )
      assert.deepStrictEqual(
        ["json", "suffix", "text", "bytes"].map((id) => seen.get(id)),
        [{ n: 7 }, { n: 8 }, "read me", new Uint8Array([1, 2, 255])]
      )
    })
  ),
  brokerCase("a missing time is the timestamp of the message, also of a retry", () =>
    Effect.gen(function* () {
      const { broker, bus } = yield* shared
      const Happened = numbered()
      const ledger = makeLedger()
      yield* bus.subscribe(fresh(), {
        events: [Happened],
        retry: Schedule.spaced("1 second").pipe(Schedule.upTo({ times: 1 })),
        handler: (event, info) =>
          Effect.andThen(ledger.handler(event, info), info.attempt === 1 ? Effect.fail("once more") : Effect.void)
      })
      const body = { specversion: "1.0", id: "e", source: "s", type: Happened.name, data: { n: 1 } }
      yield* sendRaw(broker, Happened.name, JSON.stringify(body), {}, { timestamp: sentAt })
      yield* ledger.reaches(2)
      assert.deepStrictEqual(
        ledger.entries.map(({ event }) => event.time.getTime()),
        [sentAt, sentAt]
      )
    })
  ),
  brokerCase(
    "an event in binary mode is read from its headers: by its handler, a retry on the broker, a dead letter and its replay",
    ({ publishForeign }) =>
      Effect.gen(function* () {
        const process = yield* shared
        for (const prefix of ["cloudEvents:", "cloudEvents_", "ce-"]) {
          const Happened = numbered()
          const name = fresh()
          const ledger = makeLedger()
          yield* process.bus.subscribe(name, {
            events: [Happened],
            retry: Schedule.spaced("1 second").pipe(Schedule.upTo({ times: 1 })),
            handler: (event, info) =>
              Effect.andThen(ledger.handler(event, info), info.replays === 0 ? Effect.fail("no") : Effect.void)
          })
          const attributes = {
            specversion: "1.0",
            id: `id of ${prefix}`,
            source: "/doors",
            type: Happened.name,
            time: "2026-03-04T05:06:07Z",
            subject: "door-7"
          }
          const headers = Object.fromEntries(Object.entries(attributes).map(([key, value]) => [prefix + key, value]))
          yield* publishForeign(
            { name: Happened.name, body: `{"n":7}`, headers, messageId: "transport" },
            process.broker
          )
          const [letter] = yield* lettersOf(process, name, 1)
          assert.deepInclude(letter, { reason: "Exhausted", eventId: attributes.id, key: "door-7" })
          assert.strictEqual((yield* process.letters.replay(name)).replayed, 1)
          yield* ledger.reaches(3)
          for (const { event } of ledger.entries)
            assert.deepInclude(event, {
              id: attributes.id,
              source: "/doors",
              time: new Date(sentAt),
              key: "door-7",
              data: { n: 7 }
            })
        }
      })
  ),
  brokerCase("an event in binary mode that is not valid is refused by name, never taken for plain JSON", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const Happened = numbered()
      const name = fresh()
      const ledger = makeLedger()
      yield* process.bus.subscribe(name, { events: [Happened], handler: ledger.handler })
      const send = (headers: Readonly<Record<string, string>>, contentType = "application/json") =>
        sendRaw(process.broker, Happened.name, `{"n":1}`, headers, { contentType })
      yield* send({ "cloudEvents:specversion": "0.3" })
      yield* send({ "cloudEvents:specversion": "1.0", "cloudEvents:type": Happened.name, "cloudEvents:id": "e" })
      yield* send({}, "application/cloudevents+avro")
      const letters = yield* lettersOf(process, name, 3)
      assert.deepStrictEqual(
        letters.map(({ error }) => /specversion|source|avro/.exec(error.message)?.[0]).toSorted(),
        ["avro", "source", "specversion"]
      )
      assert.strictEqual(ledger.entries.length, 0)
    })
  ),
  brokerCase("plain JSON with a field specversion is plain JSON", () =>
    Effect.gen(function* () {
      const { broker, bus } = yield* shared
      const Happened = numbered()
      const ledger = makeLedger()
      yield* bus.subscribe(fresh(), { events: [Happened], handler: ledger.handler })
      yield* sendRaw(broker, Happened.name, `{"n":5,"specversion":"1.0"}`, {}, { messageId: "m-5", appId: "python" })
      yield* ledger.reaches(1)
      assert.deepInclude(ledger.entries[0]?.event, { id: "m-5", source: "python", data: { n: 5 } })
    })
  ),
  brokerCase("a handler joins the trace of later traceparents, and of those in bytes", ({ publishForeign }) =>
    Effect.gen(function* () {
      const { broker, bus } = yield* shared
      const Happened = numbered()
      const traces = new Map<string, string | undefined>()
      yield* bus.subscribe(fresh(), {
        events: [Happened],
        handler: ({ id }) =>
          Effect.map(Effect.serviceOption(Tracer.ParentSpan), (span) => {
            traces.set(id, span._tag === "Some" ? span.value.traceId : undefined)
          })
      })
      const traceId = "0af7651916cd43dd8448eb211c80319c"
      const ids = `${traceId}-b7ad6b7169203331-01`
      const sent: Readonly<Record<string, unknown>> = {
        text: `00-${ids}`,
        later: `01-${ids}-what-comes-later`,
        bytes: Buffer.from(`00-${ids}`),
        invalid: `ff-${ids}`
      }
      for (const [messageId, traceparent] of Object.entries(sent))
        yield* publishForeign({ name: Happened.name, body: `{"n":1}`, headers: { traceparent }, messageId }, broker)
      yield* until(
        () => `${[...traces.keys()]}`,
        () => traces.size === 4
      )
      assert.deepStrictEqual(
        ["text", "later", "bytes", "invalid"].map((id) => traces.get(id)),
        [traceId, traceId, traceId, undefined]
      )
    })
  )
]
