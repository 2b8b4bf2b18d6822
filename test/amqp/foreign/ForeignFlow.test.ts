/** Tenant, actor and baggage in messages of other systems: read where their form has a place for them, and written there. */
import { assert, it } from "@effect/vitest"
import type { ConsumeMessage } from "amqplib"
import { Effect, Schedule } from "effect"
import { BusInternals } from "../../../src/bus/BusInternals.ts"
import { EventBus } from "../../../src/bus/EventBus.ts"
import * as Foreign from "../../../src/bus/Foreign.ts"
import { fresh } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { type Entry, makeLedger } from "../../../src/ports/conformance/setup/HandlerLedger.ts"
import { lettersOf, until } from "../../../src/ports/conformance/setup/Waiting.ts"
import { describeLive } from "../../support/live.ts"
import { order, service, theirExchange, theirQueue } from "./OtherSystem.ts"

const flowOf = ({ event, info }: Entry) => [event.tenant, event.actor, info.baggage?.text] as const

/** What a message of ours in their queue says. */
const written = ({ properties: { headers = {} } }: ConsumeMessage) => ({
  tenant: headers["cloudEvents:tenant"],
  actor: headers["cloudEvents:actor"],
  role: headers["cloudEvents:actorrole"],
  status: headers["cloudEvents:actorstatus"],
  baggage: headers["baggage"]
})
const nothing = { tenant: undefined, actor: undefined, role: undefined, status: undefined, baggage: undefined }

/** A service, a queue of theirs that it publishes into, and what comes there. */
const answering = Effect.gen(function* () {
  const [ours, answers] = [yield* service(), yield* theirQueue()]
  const seen: Array<ConsumeMessage> = []
  yield* Effect.promise(() =>
    answers.channel.consume(answers.name, (message) => void (message && seen.push(message)), { noAck: true })
  )
  const Answered = order()
  const answer = (options: Foreign.PublishOptions) =>
    Foreign.publish({ queue: answers.name }, Answered, { n: 1 }, options).pipe(
      Effect.provideService(EventBus, ours.bus),
      Effect.provideService(BusInternals, ours.internals)
    )
  return { ours, seen, answer }
})

describeLive(
  "what flows with messages of other systems",
  () => {
    it.live("CloudEvents in binary mode: kept by retries, dead letters and replays, and passed on", () =>
      Effect.gen(function* () {
        const { answer, ours, seen } = yield* answering
        const [theirs, Paid, ledger, name] = [yield* theirExchange("topic"), order(), makeLedger(), fresh()]
        const codec = Foreign.cloudEvents()
        yield* ours.subscribe(name, {
          events: Foreign.exchange(theirs.name, { topic: "order.*" }, { codec, types: { "Order/Paid": Paid } }),
          retry: Schedule.spaced("1 second").pipe(Schedule.upTo({ times: 1 })),
          handler: (event, info) =>
            Effect.gen(function* () {
              yield* ledger.handler(event, info)
              if (info.replays === 0) return yield* Effect.fail("down")
              yield* answer({ codec })
              yield* answer({ codec, tenant: undefined, actor: undefined, baggage: undefined })
              return yield* answer({})
            })
        })
        const attributes = { specversion: "1.0", id: "1", source: "shop", type: "Order/Paid" }
        const flow = { tenant: 7, actor: "u-1", actorrole: "clerk", actorstatus: "active" }
        const headers = Object.fromEntries(
          Object.entries({ ...attributes, ...flow }).map(([key, value]) => [`cloudEvents:${key}`, value])
        )
        const baggage = "cohort=2026%2F1 ; ttl=30 , bad member, channel=app"
        theirs.send("order.paid", { n: 1 }, { contentType: "application/json", headers: { ...headers, baggage } })
        yield* lettersOf(ours, name, 1)
        yield* ours.letters.replay(name)
        yield* until(
          () => `${seen.length} of 3`,
          () => seen.length === 3
        )
        const actor = { id: "u-1", role: "clerk", status: "active" }
        const kept = "cohort=2026%2F1 ; ttl=30,channel=app"
        const all = ["7", actor, kept] as const
        assert.deepStrictEqual(ledger.entries.map(flowOf), [all, all, all])
        assert.deepStrictEqual(seen.map(written), [
          { tenant: "7", actor: "u-1", role: "clerk", status: "active", baggage: kept },
          nothing,
          // Plain JSON has no place for a tenant or an actor.
          { ...nothing, baggage: kept }
        ])
      })
    )

    it.live("a queue of plain JSON: baggage is read, beyond its bounds it is cut, and it never refuses a message", () =>
      Effect.gen(function* () {
        const { answer, ours, seen } = yield* answering
        const [theirs, Created, ledger, name] = [yield* theirQueue(), order(), makeLedger(), fresh()]
        yield* ours.subscribe(name, {
          events: Foreign.queue(theirs.name, { types: { "*": Created } }),
          concurrency: 1,
          handler: (event, info) => Effect.andThen(ledger.handler(event, info), answer({}))
        })
        const long = `a=1,b=${"x".repeat(8_000)},c=${"y".repeat(8_000)}`
        theirs.send({ n: 1 }, { messageId: "1", headers: { baggage: "a=1" } })
        theirs.send({ n: 2 }, { messageId: "2", headers: { baggage: long } })
        theirs.send({ n: 3 }, { messageId: "3", headers: { baggage: Buffer.from("b=2") } })
        yield* ledger.reaches(3)
        yield* until(
          () => `${seen.length} of 3`,
          () => seen.length === 3
        )
        const sorted = ledger.entries.toSorted((one, other) => one.event.data.n - other.event.data.n)
        const kept = ["a=1", `a=1,b=${"x".repeat(8_000)}`, "b=2"]
        assert.deepStrictEqual(
          sorted.map(flowOf),
          kept.map((text) => [undefined, undefined, text] as const)
        )
        assert.deepStrictEqual(new Set(seen.map((message) => written(message).baggage)), new Set(kept))
        assert.strictEqual(yield* ours.letters.count(name), 0)
      })
    )
  },
  ["rabbit"]
)
