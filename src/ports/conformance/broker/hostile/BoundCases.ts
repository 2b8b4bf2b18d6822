/** What is received is bounded, whoever sends it (P13). */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import { assert } from "../../Assert.ts"
import { shared } from "../../setup/BusProcess.ts"
import { makeLedger } from "../../setup/HandlerLedger.ts"
import { sendRaw } from "../../setup/RawMessage.ts"
import { fresh, keyed, upTo } from "../../setup/TestEvents.ts"
import { lettersOf, statsBecome, until, untilEffect } from "../../setup/Waiting.ts"
import { brokerCase, type BrokerCase } from "../BrokerCase.ts"

const mebibyte = 1024 * 1024
/** The most that one consumer holds. */
const most = 64

const boundedBodies = (ordering: "none" | "key") =>
  brokerCase(`P3, P13: the bodies that one consumer holds are bounded, and none is lost; ordering "${ordering}"`, () =>
    Effect.gen(function* () {
      const process = yield* shared
      const Changed = keyed()
      const name = fresh()
      const open = Latch.makeUnsafe(false)
      const ledger = makeLedger()
      const subscription = yield* process.bus.subscribe(name, {
        events: [Changed],
        ordering,
        prefetch: 250,
        concurrency: 1,
        handler: (event, info) => Effect.andThen(open.await, ledger.handler(event, info))
      })
      const count = 72
      const filling = " ".repeat(mebibyte - 300)
      const body = (n: number): string => `{"n":${n},"k":"k"}${filling}`
      const post = (n: number) => sendRaw(process.broker, Changed.name, body(n), {}, { messageId: `m-${n}` })
      yield* Effect.forEach(upTo(count), post, { concurrency: ordering === "key" ? 1 : 4, discard: true })
      let held = 0
      yield* untilEffect(
        () => `${held} are held`,
        Effect.map(subscription.stats, (stats) => (held = stats.held) >= most)
      )
      // Nothing shows that no more comes: what would come without the bound is on its way.
      let polls = 0
      yield* untilEffect(
        () => `${polls} polls`,
        Effect.map(subscription.stats, (stats) => {
          held = Math.max(held, stats.held)
          return ++polls >= 40
        })
      )
      open.openUnsafe()
      yield* until(
        () => `${new Set(ledger.numbers()).size} of ${count} handled`,
        () => new Set(ledger.numbers()).size === count
      )
      // Without order a first consumer has one delivery, beside the one with the window.
      assert.isAtMost(held, ordering === "key" ? most : most + 1)
      if (ordering === "key") assert.deepStrictEqual([...new Set(ledger.numbers())], upTo(count))
      yield* statsBecome(subscription, { held: 0 })
      assert.strictEqual(yield* process.letters.count(name), 0)
    })
  )

export const boundCases: ReadonlyArray<BrokerCase> = [
  boundedBodies("none"),
  boundedBodies("key"),
  brokerCase("P9, P13: bodies far above the limit are dead letters, and let the events between them pass", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const Changed = keyed()
      const name = fresh()
      const ledger = makeLedger()
      yield* process.bus.subscribe(name, { events: [Changed], ordering: "key", prefetch: 250, handler: ledger.handler })
      const huge = Buffer.alloc(15 * mebibyte, 32)
      yield* Effect.forEach(
        upTo(10),
        (n) =>
          Effect.andThen(
            sendRaw(process.broker, Changed.name, huge),
            process.bus.publish(Changed, { n, k: `k-${n % 3}` })
          ),
        { discard: true }
      )
      yield* ledger.reaches(10)
      yield* untilEffect(
        () => "ten dead letters",
        Effect.map(process.letters.count(name), (found) => found === 10)
      )
      const [letter] = yield* lettersOf(process, name, 1)
      assert.deepInclude(letter, { reason: "Invalid" })
      assert.deepStrictEqual([...new Set(ledger.sorted())], upTo(10))
    })
  ),
  brokerCase(
    "P13: of the headers of another program 64 and 8 KiB are kept, and a publish with more is Invalid",
    ({ publishForeign }) =>
      Effect.gen(function* () {
        const process = yield* shared
        const Changed = keyed()
        const ledger = makeLedger()
        yield* process.bus.subscribe(fresh(), { events: [Changed], handler: ledger.handler })
        const many = Object.fromEntries(upTo(100).map((n) => [`h-${String(n).padStart(3, "0")}`, n]))
        const headers = {
          ...many,
          "h-000": "x".repeat(60_000),
          traceparent: `00-${"1".repeat(32)}-${"2".repeat(16)}-01`
        }
        yield* publishForeign(
          { name: Changed.name, body: `{"n":1,"k":"k"}`, headers, messageId: fresh() },
          process.broker
        )
        yield* ledger.reaches(1)
        const received = ledger.entries[0]?.info.headers ?? {}
        assert.deepStrictEqual(Object.values(received), upTo(65).slice(1))
        const refused = yield* Effect.flip(process.bus.publish(Changed, { n: 2, k: "k" }, { headers: many }))
        assert.deepInclude(refused.reason, { _tag: "Invalid" })
        assert.match(refused.message, /100 headers, at most 64/)
      })
  )
]
