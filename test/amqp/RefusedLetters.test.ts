/** Dead letters that RabbitMQ does not take: above its largest message, or without the right to write there. */
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as AmqpBroker from "../../src/amqp/AmqpBroker.ts"
import * as Event from "../../src/event/Event.ts"
import * as Schema from "effect/Schema"
import { Reject } from "../../src/bus/subscriber/HandlerError.ts"
import * as MemoryCache from "../../src/memory/MemoryCache.ts"
import { processOver, start } from "../../src/ports/conformance/setup/BusProcess.ts"
import { describeLive, freshNamespace } from "../support/live.ts"
import { awaitStartup, ownRabbit } from "../support/OwnRabbit.ts"
import { isLookCounted, maxMessageSize } from "./setup/NodeSettings.ts"
import { untilEffect } from "./setup/Until.ts"

const Noted = Event.make("thing.noted", { version: 1, data: Schema.Struct({ text: Schema.String }), cache: false })
const rejecting = { events: [Noted], handler: () => Effect.fail(new Reject({ reason: "no" })) }
const handling = { events: [Noted], handler: () => Effect.never }

describeLive(
  "letters that RabbitMQ refuses",
  () => {
    const node = ownRabbit({}, awaitStartup)
    const process = (url: string, namespace: string, topology: "assert" | "verify" = "assert") =>
      start(
        processOver(
          Layer.merge(AmqpBroker.layer({ servers: url, namespace, source: "test", topology }), MemoryCache.layer)
        )
      )

    it.live("PUB12, P3: a letter above max_message_size is dead-lettered by the broker, with its body", () =>
      Effect.gen(function* () {
        const namespace = freshNamespace()
        const before = yield* process(node().url, namespace)
        yield* before.subscribe("a", handling)
        yield* before.bus.publish(Noted, { text: "x".repeat(5000) })
        yield* before.stop
        // It holds for channels that are opened from now on.
        yield* maxMessageSize(node(), 1000)
        const { letters, subscribe, bus } = yield* process(node().url, namespace)
        const subscription = yield* subscribe("a", rejecting)
        yield* bus.publish(Noted, { text: "small" })
        // The small one may be there twice: it shared a channel that the large one closed.
        yield* untilEffect(
          () => "both letters",
          Effect.map(letters.list("a"), (found) => new Set(found.map(({ eventId }) => eventId)).size === 2)
        )
        const found = yield* letters.list("a")
        const large = found.find(({ body }) => body.length > 5000)
        assert.strictEqual(large?.reason, "LetterRefused")
        assert.isDefined(large?.lastFailure)
        assert.include(
          found.map(({ reason }) => reason),
          "Rejected"
        )
        assert.strictEqual((yield* subscription.stats).held, 0)
        const report = yield* letters.replay("a", { reason: "LetterRefused" })
        assert.deepInclude(report, { replayed: 0, refused: 1 })
        assert.match(report.refusals[0] ?? "", /max_message_size/)
      })
    )

    it.live("T2, P3: without the right to write dead letters the broker dead-letters the event itself", () =>
      Effect.gen(function* () {
        const namespace = freshNamespace()
        const declaring = yield* process(node().url, namespace)
        yield* declaring.subscribe("a", handling)
        yield* declaring.stop
        const url = yield* Effect.promise(() =>
          node().addUser(namespace, "p", { write: `^${namespace}\\.(events|delay.*|sub.*|canary)$` })
        )
        const { bus, letters, subscribe } = yield* process(url, namespace, "verify")
        const subscription = yield* subscribe("a", rejecting)
        for (let n = 0; n < 70; n++) yield* bus.publish(Noted, { text: String(n) })
        yield* untilEffect(
          () => "the letters",
          Effect.map(letters.count("a"), (count) => count === 70)
        )
        assert.strictEqual((yield* subscription.stats).held, 0)
        const owner = yield* process(node().url, namespace)
        // RabbitMQ 4 hands a letter over with the count of its old queue. Where a look counts, it has to be stored anew.
        if (yield* Effect.promise(() => isLookCounted(node()))) {
          const { reason } = yield* Effect.flip(letters.list("a", { limit: 1 }))
          assert.strictEqual(reason._tag, "Permission")
        } else assert.strictEqual((yield* letters.list("a", { limit: 1 }))[0]?.reason, "LetterRefused")
        const [letter] = yield* owner.letters.list("a", { limit: 1 })
        assert.strictEqual(letter?.reason, "LetterRefused")
      })
    )
  },
  ["rabbitNode"]
)
