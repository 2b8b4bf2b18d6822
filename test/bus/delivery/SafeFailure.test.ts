/** Secrets are searched for in the texts of failures only: a handled event costs nothing (P14). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, References, Schema } from "effect"
import { Event, EventBus, Reject, sensitive } from "../../../src/index.ts"

describe("the search for secrets", () => {
  it.live("P14: runs for an event that failed, and never for one that was handled", () =>
    Effect.gen(function* () {
      const made = Event.make("a.searched", { version: 1, data: Schema.Struct({ m: sensitive(Schema.String) }) })
      const searched: Array<unknown> = []
      const { dataCodec } = made
      const Searched: typeof made = {
        ...made,
        dataCodec: {
          ...dataCodec,
          collectSecrets: (into, data) => {
            searched.push(data)
            dataCodec.collectSecrets(into, data)
          }
        }
      }
      const bus = yield* EventBus
      const subscription = yield* bus.subscribe("searched.by", {
        events: [Searched],
        handler: ({ data }) =>
          data.m === "bad" ? Effect.fail(new Reject({ reason: `no such account: ${data.m}` })) : Effect.void
      })
      for (let n = 0; n < 50; n++) yield* bus.publish(Searched, { m: `good-${n}` })
      yield* bus.publish(Searched, { m: "bad" })
      yield* Effect.repeat(subscription.stats, {
        until: ({ deadLettered, handled }) => deadLettered === 1 && handled === 50
      })
      assert.isNotEmpty(searched)
      assert.deepStrictEqual(
        searched.filter((data) => JSON.stringify(data) !== '{"m":"bad"}'),
        []
      )
    }).pipe(Effect.scoped, Effect.provide(EventBus.layerMemory()))
  )
})

describe("a retry policy that fails", () => {
  it.live("P14: does not show in the log what it quotes of the event", () =>
    Effect.gen(function* () {
      const Quoted = Event.make("a.quoted", { version: 1, data: Schema.Struct({ m: sensitive(Schema.String) }) })
      const seen: Array<unknown> = []
      const logger = Logger.make(({ fiber, message }) => {
        seen.push(message, fiber.getRef(References.CurrentLogAnnotations))
      })
      const run = Effect.gen(function* () {
        const bus = yield* EventBus
        const subscription = yield* bus.subscribe("quoted.by", {
          events: [Quoted],
          handler: ({ data }) => Effect.fail(data.m),
          retry: (error) => {
            throw new Error(`no policy for ${encodeURIComponent(String(error))}`)
          }
        })
        yield* bus.publish(Quoted, { m: "c4n4ry/hunter2" })
        yield* Effect.repeat(subscription.stats, { until: ({ deadLettered }) => deadLettered === 1 })
      })
      yield* run.pipe(Effect.scoped, Effect.provide(Layer.provideMerge(EventBus.layerMemory(), Logger.layer([logger]))))
      const log = JSON.stringify(seen)
      assert.include(log, "no policy for <redacted>")
      assert.notInclude(log, "c4n4ry")
    })
  )
})
