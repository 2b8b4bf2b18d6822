/** Last known events and their history over HTTP, on a real Redis. */
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Schedule, Schema } from "effect"
import { Event, EventBus, operations, sensitive } from "../../src/index.ts"
import { byCommand } from "../../src/operations/Reports.ts"
import { describeLive, freshNamespace, redisUrl } from "../support/live.ts"

const Changed = Event.make("test.changed", {
  version: 1,
  data: Schema.Struct({ of: Schema.String, to: Schema.Int, pin: sensitive(Schema.String) }),
  key: ({ of }) => of,
  cache: { history: 10, perKey: true }
})
const Other = Event.make("test.other", { version: 1, data: Schema.Struct({ text: Schema.String }) })

describeLive(
  "last known events over HTTP",
  () => {
    it.live("are found by key, without what is sensitive; a history is newest first, and bounded", () =>
      Effect.gen(function* () {
        const live = { url: "memory://", redisUrl: redisUrl(), namespace: freshNamespace() }
        let address = ""
        yield* Layer.build(
          operations(
            {
              port: 0,
              contracts: [Changed],
              authorize: () => Effect.succeed({ name: "on call" }),
              onListen: (url) => (address = url)
            },
            live
          )
        )
        const ask = <A, I>(schema: Schema.Codec<A, I>, path: string) =>
          Effect.promise(async () => (await fetch(`${address}/api/${path}`)).json() as Promise<unknown>).pipe(
            Effect.flatMap(Schema.decodeUnknownEffect(schema))
          )
        yield* Effect.gen(function* () {
          const bus = yield* EventBus
          for (const to of [1, 2, 3]) yield* bus.publish(Changed, { of: "a/b ä", to, pin: "1234" })
          yield* bus.publish(Changed, { of: "c", to: 7, pin: "1234" })
          yield* bus.publish(Other, { text: "hidden without a contract" })
        }).pipe(Effect.provide(EventBus.layerAmqp(live)))
        const path = `last/test.changed?key=${encodeURIComponent("a/b ä")}&key=c&key=nobody`
        const { found } = yield* Effect.repeat(ask(byCommand.last, path), {
          until: ({ found }) => found.filter(({ seen }) => seen !== null).length === 2,
          schedule: Schedule.upTo(Schedule.spaced("20 millis"), { times: 1000 })
        })
        assert.deepStrictEqual(
          found.map(({ key, seen }) => [key, seen?.data?.value]),
          [
            ["a/b ä", { of: "a/b ä", to: 3, pin: "<redacted>" }],
            ["c", { of: "c", to: 7, pin: "<redacted>" }],
            ["nobody", undefined]
          ]
        )
        assert.lengthOf((yield* ask(byCommand.last, "last/test.changed?key=c")).found, 1)
        const history = yield* ask(byCommand.history, `history/test.changed?key=${encodeURIComponent("a/b ä")}&limit=2`)
        assert.deepStrictEqual(
          history.events.map(({ data }) => data?.value),
          [
            { of: "a/b ä", to: 3, pin: "<redacted>" },
            { of: "a/b ä", to: 2, pin: "<redacted>" }
          ]
        )
        const [other] = (yield* ask(byCommand.last, "last/test.other")).found
        assert.isNull(other?.seen?.data)
      })
    )
  },
  ["redis"]
)
