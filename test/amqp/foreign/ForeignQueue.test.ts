/** A subscriber of a queue that another system declared: nothing of it changes, and everything of ours holds. */
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Schedule } from "effect"
import * as Foreign from "../../../src/bus/Foreign.ts"
import { makeLedger } from "../../../src/ports/conformance/setup/HandlerLedger.ts"
import { fresh, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { lettersOf, untilEffect } from "../../../src/ports/conformance/setup/Waiting.ts"
import { describeLive } from "../../support/live.ts"
import { assertUnchanged, order, service, theirQueue } from "./OtherSystem.ts"

const oneRetry = Schedule.spaced("1 second").pipe(Schedule.upTo({ times: 1 }))

const emptied = ({ count, name }: { readonly count: Effect.Effect<number>; readonly name: string }) =>
  untilEffect(
    () => `queue ${name} is empty`,
    Effect.map(count, (left) => left === 0)
  )

describeLive(
  "a foreign queue",
  () => {
    for (const [kind, options] of [
      ["classic", {}],
      ["quorum", { arguments: { "x-queue-type": "quorum", "x-delivery-limit": 2 } }]
    ] as const)
      it.live(`P3, P8: a ${kind} one: handled, retried on our ladder, dead-lettered with us, replayed`, () =>
        Effect.gen(function* () {
          const ours = yield* service()
          const theirs = yield* theirQueue(options)
          const [Ordered, name, ledger] = [order(), fresh(), makeLedger()]
          theirs.send({ pattern: "ORDER_CREATED", data: { n: 1 } })
          yield* ours.subscribe(name, {
            events: Foreign.queue(theirs.name, { codec: Foreign.nest(), types: { ORDER_CREATED: Ordered } }),
            retry: oneRetry,
            handler: (event, info) =>
              Effect.andThen(
                ledger.handler(event, info),
                event.data.n === 2 && info.replays === 0 ? Effect.fail("no") : Effect.void
              )
          })
          theirs.send({ pattern: "ORDER_CREATED", data: { n: 2 } }, { messageId: "theirs-2", headers: { tenant: "a" } })
          const [letter] = yield* lettersOf(ours, name, 1)
          assert.deepInclude(letter, { reason: "Exhausted", attempts: 2, eventId: "theirs-2", eventType: Ordered.name })
          assert.strictEqual((yield* ours.letters.replay(name)).replayed, 1)
          yield* ledger.reaches(4)
          assert.deepStrictEqual(ledger.attempts(), [1, 1, 2, 1])
          const replayed = ledger.entries.at(-1)
          assert.deepInclude(replayed?.event, { id: "theirs-2", type: Ordered.name, data: { n: 2 } })
          assert.deepInclude(replayed?.info, { replays: 1, headers: { tenant: "a" } })
          yield* emptied(theirs)
          yield* assertUnchanged(theirs.channel, theirs.name, options)
        })
      )

    it.live("P9: what its codec cannot read is a dead letter with its own bytes, and a replay reads it anew", () =>
      Effect.gen(function* () {
        const ours = yield* service()
        const theirs = yield* theirQueue()
        const [Ordered, name, ledger] = [order(), fresh(), makeLedger()]
        let understands = false
        const codec: Foreign.Codec = {
          ...Foreign.json(),
          read: (message) =>
            understands
              ? Foreign.json({ type: ({ headers }) => String(headers["x-kind"]) }).read(message)
              : Foreign.unreadable("kind", "another one")
        }
        yield* ours.subscribe(name, {
          events: Foreign.queue(theirs.name, { codec, types: { "Order/Created": Ordered } }),
          handler: ledger.handler
        })
        const body = Buffer.from('{ "n":  7 }')
        theirs.send(body, { type: "A Type", headers: { "x-kind": "Order/Created" }, contentType: "text/plain" })
        const [letter] = yield* lettersOf(ours, name, 1)
        assert.deepInclude(letter, { reason: "Invalid", attempts: 1, body })
        assert.include(letter?.error.message, "kind: another one")
        understands = true
        assert.strictEqual((yield* ours.letters.replay(name)).replayed, 1)
        yield* ledger.reaches(1)
        assert.deepStrictEqual(ledger.numbers(), [7])
      })
    )

    it.live("data that the contract refuses is a dead letter with its own bytes", () =>
      Effect.gen(function* () {
        const ours = yield* service()
        const theirs = yield* theirQueue()
        const name = fresh()
        yield* ours.subscribe(name, {
          events: Foreign.queue(theirs.name, { types: { "*": order() } }),
          handler: () => Effect.void
        })
        const body = Buffer.from('{ "n": "seven" }')
        theirs.send(body)
        const [letter] = yield* lettersOf(ours, name, 1)
        assert.deepInclude(letter, { reason: "Invalid", body })
        assert.include(letter?.error.message, "data.n")
      })
    )

    it.live("P6: by key, two processes keep the order of the queue, and the other takes over", () =>
      Effect.gen(function* () {
        const [first, theirs] = [yield* service(), yield* theirQueue()]
        const second = yield* service(first.namespace)
        const [Ordered, name, ledger] = [order(), fresh(), makeLedger()]
        const options = {
          events: Foreign.queue(theirs.name, { types: { "*": Ordered } }),
          ordering: "key",
          handler: ledger.handler
        } as const
        const send = (from: number) => upTo(100).forEach((n) => theirs.send({ n: from + n, customer: `c${n % 7}` }))
        yield* first.subscribe(name, options)
        yield* second.subscribe(name, options)
        send(0)
        yield* ledger.reaches(100)
        yield* first.stop
        send(100)
        yield* ledger.reaches(200)
        for (const customer of upTo(7).map((n) => `c${n}`)) {
          const numbers = ledger.entries.filter(({ event }) => event.key === customer).map(({ event }) => event.data.n)
          assert.deepStrictEqual(
            numbers,
            numbers.toSorted((a, b) => a - b)
          )
        }
      })
    )

    it.live("other consumers of the queue go on: each message reaches one of the two", () =>
      Effect.gen(function* () {
        const [ours, theirs] = [yield* service(), yield* theirQueue()]
        const ledger = makeLedger()
        const seen: Array<number> = []
        yield* Effect.promise(async () => {
          await theirs.channel.prefetch(1)
          await theirs.channel.consume(theirs.name, (message) => {
            if (message === null) return
            seen.push(JSON.parse(message.content.toString()).n)
            theirs.channel.ack(message)
          })
        })
        yield* ours.subscribe(fresh(), {
          events: Foreign.queue(theirs.name, { types: { "*": order() } }),
          handler: ledger.handler
        })
        upTo(300).forEach((n) => theirs.send({ n }))
        yield* untilEffect(
          () => `${ledger.entries.length} and ${seen.length} of 300`,
          Effect.sync(() => ledger.entries.length + seen.length >= 300)
        )
        assert.deepStrictEqual(
          [...ledger.numbers(), ...seen].toSorted((a, b) => a - b),
          upTo(300)
        )
        assert.isAbove(seen.length, 0)
        assert.isAbove(ledger.entries.length, 0)
      })
    )

    it.live("a queue that is not there fails the start with its name, and declares nothing", () =>
      Effect.gen(function* () {
        const ours = yield* service()
        const theirs = yield* theirQueue()
        const name = fresh()
        const exit = yield* Effect.exit(
          ours.subscribe(name, {
            events: Foreign.queue("theirs.nowhere", { types: { "*": order() } }),
            handler: () => Effect.void
          })
        )
        assert.isTrue(Exit.isFailure(exit))
        assert.include(String(exit), "queue theirs.nowhere does not exist: it belongs to another system")
        const missing = yield* Effect.promise(() =>
          theirs.channel.checkQueue(`${ours.namespace}.sub.${name}`).then(
            () => "there",
            ({ code }: { readonly code: number }) => code
          )
        )
        assert.strictEqual(missing, 404)
      })
    )

    it.live("a stream is refused with the remedy, and keeps what it has", () =>
      Effect.gen(function* () {
        const [ours, theirs] = [yield* service(), yield* theirQueue({ arguments: { "x-queue-type": "stream" } })]
        const subscription = yield* ours.subscribe(fresh(), {
          events: Foreign.queue(theirs.name, { types: { "*": order() } }),
          handler: () => Effect.die("nothing of it is handled")
        })
        theirs.send({ n: 1 })
        let fault: string | undefined
        yield* untilEffect(
          () => `a fault: ${fault}`,
          Effect.map(subscription.tree, ({ lag }) => (fault = lag.fault)?.includes("is a stream") === true)
        )
        assert.include(fault, "Foreign.exchange")
      })
    )

    it.live("P11: a queue that its owner deletes is reported, and read again when it is back", () =>
      Effect.gen(function* () {
        const [ours, theirs] = [yield* service(), yield* theirQueue()]
        const ledger = makeLedger()
        const subscription = yield* ours.subscribe(fresh(), {
          events: Foreign.queue(theirs.name, { types: { "*": order() } }),
          handler: ledger.handler
        })
        yield* Effect.promise(() => theirs.channel.deleteQueue(theirs.name))
        yield* untilEffect(
          () => "it is reported",
          Effect.map(subscription.tree, ({ lag }) => lag.fault?.includes(theirs.name) === true)
        )
        yield* Effect.promise(() => theirs.channel.assertQueue(theirs.name, { durable: true }))
        theirs.send({ n: 5 })
        yield* ledger.reaches(1)
        assert.isUndefined((yield* subscription.tree).lag.fault)
      })
    )
  },
  ["rabbit"]
)
