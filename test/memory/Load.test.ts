/** The embedded broker compared with a simple model over random histories, and under load (P3, P6, P13). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { type Delivery, inFlight } from "../../src/bus/port/Broker.ts"
import * as Stage from "./EmbeddedClients.ts"
import { fromCallback } from "../support/CallbackSend.ts"

const Which = Schema.Literals([0, 1, 2, 3])
const Step = Schema.Union([
  Schema.TaggedStruct("send", { count: Schema.Literals([1, 2, 5]) }),
  Schema.TaggedStruct("open", { prefetch: Schema.Literals([1, 2, 4]) }),
  Schema.TaggedStruct("ack", { which: Which, at: Which }),
  Schema.TaggedStruct("ack", { which: Which, at: Which }),
  Schema.TaggedStruct("cancel", { which: Which }),
  Schema.TaggedStruct("close", { which: Which }),
  Schema.TaggedStruct("cut", {})
])

for (const ordering of ["none", "key"] as const) {
  describe(`any history, ordering "${ordering}"`, () => {
    it.effect.prop(
      "P3, P6: no message is lost, doubled or early, and the oldest is always delivered first",
      [Schema.Array(Step)],
      ([steps]) =>
        Effect.gen(function* () {
          const { broker, server } = yield* Stage.make({ ordering })
          type Open = Effect.Success<ReturnType<typeof Stage.consume>> & {
            readonly prefetch: number
            cancelled: boolean
          }
          let open: Array<Open> = []
          const acked = new Set<string>()
          let sent = 0
          const held = (consumer: Open): ReadonlyArray<Delivery> =>
            consumer.got.filter((delivery) => !acked.has(Stage.text(delivery) ?? ""))
          const check = Effect.gen(function* () {
            yield* Stage.turns
            const out = open.flatMap((consumer) => held(consumer).map(Stage.text)).map(Number)
            assert.strictEqual(new Set(out).size, out.length)
            for (const consumer of open) assert.isAtMost(held(consumer).length, consumer.prefetch)
            const { ready } = yield* broker.depth("s")
            assert.strictEqual(out.length + ready + acked.size, sent)
            const live = open.filter(({ cancelled }) => !cancelled)
            const active = ordering === "key" ? live.slice(0, 1) : live
            // No consumer with room has a message left to take.
            if (active.some((consumer) => held(consumer).length < consumer.prefetch)) assert.strictEqual(ready, 0)
          })
          for (const step of steps) {
            const chosen = "which" in step ? open[step.which] : undefined
            const seen = open.map(({ got }) => got.length)
            if (step._tag === "send") {
              yield* Stage.sendAll(broker, Stage.event("e"), Stage.numbers(sent + step.count, sent + 1))
              sent += step.count
            } else if (step._tag === "open") {
              const consumer = yield* Stage.consume(broker, { prefetch: step.prefetch })
              open.push({ ...consumer, prefetch: step.prefetch, cancelled: false })
            } else if (step._tag === "cut") {
              server.disconnect("stored")
              server.reconnect()
              for (const consumer of open) assert.strictEqual(consumer.losses.length, 1)
              open = []
            } else if (chosen !== undefined && step._tag === "ack") {
              const delivery = held(chosen)[step.at]
              if (delivery !== undefined) {
                acked.add(Stage.text(delivery) ?? "")
                delivery.ack()
              }
            } else if (chosen !== undefined && step._tag === "cancel") {
              chosen.cancelled = true
              yield* chosen.cancel
            } else if (chosen !== undefined) {
              open = open.filter((consumer) => consumer !== chosen)
              yield* chosen.close
            }
            yield* check
            // A consumer gets the messages of one step in the order of the queue.
            for (const [index, consumer] of open.entries()) {
              const fresh = consumer.got.slice(seen[index] ?? 0).map((delivery) => Number(Stage.text(delivery)))
              if (chosen === undefined || step._tag !== "close")
                assert.deepStrictEqual(
                  fresh,
                  fresh.toSorted((a, b) => a - b)
                )
            }
          }
          server.disconnect("stored")
          server.reconnect()
          const last = yield* Stage.consume(broker, { prefetch: 0 })
          const all = Stage.numbers(sent).filter((n) => !acked.has(String(n)))
          const letters = yield* broker.deadLetterDepth(Stage.lettersOf("s"))
          assert.strictEqual(last.got.length + letters, all.length)
          if (letters === 0) assert.deepStrictEqual(last.ids(), all.join(" "))
        }),
      { arbitrary: { runs: 150, size: 40 } }
    )
  })
}

describe("a hundred thousand", () => {
  const run = Effect.fnUntraced(function* (broker: Stage.Service, count: number) {
    let got = 0
    let confirmed = 0
    let inOrder = true
    yield* Effect.scoped(
      Effect.gen(function* () {
        yield* broker.consume({
          subscriber: "s",
          prefetch: 250,
          onDelivery: (delivery) => {
            inOrder &&= delivery.properties.messageId === String(got)
            got++
            delivery.ack()
          },
          onLost: () => {}
        })
        for (let sent = 0; sent < count;) {
          for (const end = sent + 1000; sent < end; sent++) {
            broker.send(inFlight(Stage.outgoing(Stage.event("e"), String(sent)), () => void confirmed++))
          }
          yield* Stage.turns
        }
        while (got < count) yield* Stage.turns
      })
    )
    assert.deepStrictEqual([got, confirmed, inOrder], [count, count, true])
  })

  it.effect("P13: messages are delivered once and in order, and leave no memory behind", () =>
    Effect.gen(function* () {
      const { broker, server } = yield* Stage.make({ ordering: "key" })
      yield* run(broker, 20_000)
      const messages: Array<WeakRef<object>> = []
      const keep = (send: Stage.Service["send"]): Stage.Service["send"] =>
        fromCallback((message, done) => {
          if (messages.length < 1000) messages.push(new WeakRef(message))
          send(inFlight(message, done))
        })
      yield* run({ ...broker, send: keep(broker.send) }, 100_000)
      assert.deepStrictEqual(server.counts(), { sending: 0, unacked: 0, delayed: 0, ready: 0 })
      assert.deepStrictEqual(yield* broker.depth("s"), { ready: 0, consumers: 0 })
      assert.strictEqual(server.published().length, 0)
      yield* Stage.turns
      Stage.collect()
      assert.strictEqual(messages.filter((message) => message.deref() !== undefined).length, 0)
    })
  )

  it.effect("P13: messages that wait in a queue are held once, and are gone with it", () =>
    Effect.gen(function* () {
      const { broker } = yield* Stage.make()
      for (let round = 0; round < 100; round++) yield* Stage.sendAll(broker, Stage.event("e"), Stage.numbers(1000))
      assert.strictEqual((yield* broker.depth("s")).ready, 100_000)
      const consumer = yield* Stage.consume(broker, { prefetch: 0, ack: true })
      assert.strictEqual(consumer.got.length, 100_000)
      assert.strictEqual((yield* broker.depth("s")).ready, 0)
    })
  )

  it.effect("the memory of published events is bounded", () =>
    Effect.gen(function* () {
      const { broker, server } = yield* Stage.make({ remember: 3 })
      yield* Stage.sendAll(broker, Stage.event("e"), Stage.numbers(5))
      yield* Stage.sendAll(broker, Stage.copyTo("s"), [6])
      assert.deepStrictEqual(
        server.published().map(({ body }) => body.toString()),
        ["3", "4", "5"]
      )
    })
  )
})
