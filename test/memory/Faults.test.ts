/** Faults of the embedded broker: each has its effect, and nothing else fails (P1, P2, P3). */
import { inFlight } from "../../src/bus/port/Broker.ts"
import { assert, describe, it } from "@effect/vitest"
import { Effect, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import { CacheUnavailable } from "../../src/bus/port/CacheReason.ts"
import * as CacheFaults from "../../src/memory/CacheFaults.ts"
import * as Faults from "../../src/memory/Faults.ts"
import * as MemoryCache from "../../src/memory/MemoryCache.ts"
import * as Stage from "./EmbeddedClients.ts"

/** Faults at the first chance of each kind, then none. */
const first = (
  faults: Partial<Record<"send", Faults.SendFault>> &
    Partial<Record<"delivery", Faults.DeliveryFault>> &
    Partial<Record<"ack", Faults.AckFault>>
) => {
  const dead: Array<string> = []
  const left = { ...faults }
  const once = <K extends keyof typeof left>(kind: K) => {
    const fault = left[kind]
    delete left[kind]
    return fault ?? "none"
  }
  return {
    dead,
    faults: {
      onSend: () => once("send") as Faults.SendFault,
      onDelivery: () => once("delivery") as Faults.DeliveryFault,
      onAck: () => once("ack") as Faults.AckFault,
      lateTurns: () => 3,
      outageMillis: () => 500,
      crashed: (client: string) => void dead.push(client)
    } satisfies Faults.Faults
  }
}

describe("a send", () => {
  const cases: ReadonlyArray<readonly [Faults.SendFault, string, number]> = [
    ["lose-confirm", "Unknown", 1],
    ["drop-confirm", "", 1],
    ["delay-confirm", "Confirmed", 1],
    ["reject", "Rejected", 0],
    ["reject-but-store", "Rejected", 1],
    ["return", "Confirmed", 0],
    ["cut-before-store", "Unknown", 0],
    ["cut-after-store", "Unknown", 1],
    ["crash-before-store", "", 0],
    ["crash-after-store", "", 1]
  ]
  for (const [fault, outcome, stored] of cases) {
    it.effect(`P1: "${fault}" is answered with ${outcome === "" ? "nothing" : outcome}, and stores ${stored}`, () =>
      Effect.gen(function* () {
        const { dead, faults } = first({ send: fault })
        const { broker, server } = yield* Stage.make({ faults })
        const outcomes = Stage.sending(broker, Stage.event("e"), "1")
        yield* Stage.turns
        assert.strictEqual(Stage.tags(outcomes), outcome)
        assert.deepStrictEqual(dead, fault.startsWith("crash") ? ["client"] : [])
        // The next one works, once there is a connection again.
        const other = yield* Stage.client(server)
        assert.strictEqual((yield* other.broker.depth("s")).ready, stored)
        yield* Effect.andThen(TestClock.adjust(500), Stage.turns)
        const next = Stage.sending(broker, Stage.event("e"), "2")
        yield* Stage.turns
        assert.strictEqual(Stage.tags(next), fault.startsWith("crash") ? "NotSent" : "Confirmed")
        if (fault === "return") assert.deepInclude(outcomes[0], { routed: false })
      })
    )
  }

  it.effect("PUB2: a dropped confirm is lost with its connection, once", () =>
    Effect.gen(function* () {
      const { broker, server } = yield* Stage.make({ faults: first({ send: "drop-confirm" }).faults })
      const outcomes = Stage.sending(broker, Stage.event("e"), "1")
      yield* Stage.turns
      assert.strictEqual(server.counts().sending, 1)
      server.cut("client", "not-stored")
      yield* Stage.turns
      assert.deepStrictEqual([Stage.tags(outcomes), server.counts().sending], ["Unknown", 0])
    })
  )

  it.effect("a delayed confirm comes after later ones", () =>
    Effect.gen(function* () {
      const { broker } = yield* Stage.make({ faults: first({ send: "delay-confirm" }).faults })
      const order: Array<string> = []
      for (const id of ["1", "2", "3"])
        broker.send(inFlight(Stage.outgoing(Stage.event("e"), id), ({ _tag }) => void order.push(`${id} ${_tag}`)))
      yield* Stage.turns
      assert.deepStrictEqual(order, ["2 Confirmed", "3 Confirmed", "1 Confirmed"])
    })
  )
})

describe("a delivery", () => {
  for (const fault of ["cancel", "cut", "crash"] as const) {
    it.effect(`P3: comes again after "${fault}", with all held messages, in order`, () =>
      Effect.gen(function* () {
        const { faults } = first({ delivery: fault })
        const { broker, server } = yield* Stage.make({ faults })
        const other = yield* Stage.client(server)
        yield* Stage.sendAll(other.broker, Stage.event("e"), [1, 2, 3])
        const consumer = yield* Stage.consume(broker)
        // A consumer that leaves at the first of them had them all: each counts a return.
        assert.deepStrictEqual([consumer.ids(), consumer.losses.length], ["1", 1])
        const again = yield* Stage.consume(other.broker, { ack: true })
        assert.strictEqual(again.counts(), "1:1 2:1 3:1")
      })
    )
  }
})

describe("an acknowledgement", () => {
  const cases: ReadonlyArray<readonly [Faults.AckFault, string]> = [
    ["lose", "1:1 2:1"],
    ["crash-before", "1:1 2:1"],
    ["crash-after", "2:1"]
  ]
  for (const [fault, left] of cases) {
    it.effect(`after "${fault}" the messages without an acknowledgement are left`, () =>
      Effect.gen(function* () {
        const { broker, server } = yield* Stage.make({ faults: first({ ack: fault }).faults })
        const other = yield* Stage.client(server)
        yield* Stage.sendAll(other.broker, Stage.event("e"), [1, 2])
        const consumer = yield* Stage.consume(broker)
        consumer.ack(1, 2)
        yield* Stage.turns
        assert.strictEqual((yield* Stage.consume(other.broker, { ack: true })).counts(), left)
      })
    )
  }
})

describe("one client", () => {
  it.effect("is cut off alone, and comes back", () =>
    Effect.gen(function* () {
      const { broker, server } = yield* Stage.make()
      const other = yield* Stage.client(server, "test", "other")
      const mine = yield* Stage.consume(broker, { prefetch: 1 })
      yield* Stage.sendAll(other.broker, Stage.event("e"), [1])
      const outcomes = [broker, other.broker].map((one) => Stage.sending(one, Stage.event("e"), "2"))
      server.cut("client", "not-stored")
      yield* Stage.turns
      assert.deepStrictEqual(outcomes.map(Stage.tags), ["Unknown", "Confirmed"])
      assert.deepStrictEqual(
        [broker, other.broker].map(({ status }) => SubscriptionRef.getUnsafe(status)._tag),
        ["Connecting", "Up"]
      )
      assert.strictEqual(mine.losses.length, 1)
      assert.strictEqual((yield* Stage.consume(other.broker)).counts(), "1:1 2:0")
      server.restore("client")
      assert.strictEqual(SubscriptionRef.getUnsafe(broker.status)._tag, "Up")
    })
  )

  it.effect("P3, C2: settles nothing of its lost connection, in whatever order its parts are notified", () =>
    Effect.gen(function* () {
      const { broker, server } = yield* Stage.make()
      yield* broker.declare({ name: "s2", ordering: "none", patterns: ["e"] })
      let settle: (() => void) | undefined
      yield* broker.consume({
        subscriber: "s",
        prefetch: 1,
        onDelivery: () => {},
        // As the handler of another subscriber may do, which ends when this one is notified.
        onLost: () => settle?.()
      })
      const holder = yield* Stage.consume(broker, { subscriber: "s2" })
      yield* Stage.sendAll(broker, Stage.event("e"), [1])
      settle = () => holder.ack(1)
      server.cut("client", "not-stored")
      server.restore("client")
      assert.strictEqual((yield* broker.depth("s2")).ready, 1)
    })
  )

  it.effect(
    "P3: that is dead has no effect: its sends and acknowledgements reach nobody, and what it held comes again",
    () =>
      Effect.gen(function* () {
        const { broker, server } = yield* Stage.make()
        const other = yield* Stage.client(server, "test", "other")
        const mine = yield* Stage.consume(broker)
        yield* Stage.sendAll(other.broker, Stage.event("e"), [1])
        const before = Stage.sending(broker, Stage.event("e"), "2")
        server.sever("client", "not-stored")
        mine.ack(1)
        const after = Stage.sending(broker, Stage.event("e"), "3")
        server.reconnect()
        yield* Stage.turns
        assert.deepStrictEqual([Stage.tags(before), Stage.tags(after)], ["", "NotSent"])
        assert.strictEqual(SubscriptionRef.getUnsafe(broker.status)._tag, "Closed")
        assert.strictEqual((yield* Stage.consume(other.broker)).counts(), "1:1")
      })
  )

  it.effect("C5: is notified that the broker cancelled its consumer, and what that held comes again", () =>
    Effect.gen(function* () {
      const { broker, server } = yield* Stage.make()
      const consumer = yield* Stage.consume(broker)
      yield* Stage.sendAll(broker, Stage.event("e"), [1, 2])
      server.cancelConsumers("s")
      assert.deepStrictEqual(
        consumer.losses.map(({ reason }) => reason._tag),
        ["Refused"]
      )
      assert.strictEqual((yield* Stage.consume(broker)).counts(), "1:1 2:1")
    })
  )
})

describe("faults by chance", () => {
  const kinds = (seed: number): ReadonlyArray<string> => {
    const reported: Array<string> = []
    const faults = Faults.seeded({
      seed,
      rates: { send: { reject: 0.2, return: 0.2 }, delivery: { cut: 0.3 }, ack: { lose: 0.3 } },
      onFault: (what, client, id) => void reported.push(`${what} ${client} ${id}`)
    })
    for (let n = 0; n < 100; n++) {
      faults.onSend("a", String(n))
      faults.onDelivery("b", String(n))
      faults.onAck("c", String(n))
    }
    assert.strictEqual(faults.count(), reported.length)
    return reported
  }

  it("are the same for the same seed, and differ for another", () => {
    assert.deepStrictEqual(kinds(7), kinds(7))
    assert.notDeepEqual(kinds(7), kinds(8))
    for (const kind of ["reject", "return", "cut", "lose"]) {
      const share = kinds(7).filter((one) => one.startsWith(`${kind} `)).length
      assert.isTrue(share > 5 && share < 60, `${kind}: ${share}`)
    }
  })

  it("are at most as many as allowed, and none after `calm`", () => {
    const limited = Faults.seeded({ seed: 1, rates: { send: { reject: 1 } }, limit: 2 })
    assert.deepStrictEqual(
      [1, 2, 3].map(() => limited.onSend("a", "1")),
      ["reject", "reject", "none"]
    )
    const calm = Faults.seeded({ seed: 1, rates: { ack: { lose: 1 } } })
    assert.strictEqual(calm.onAck("a", "1"), "lose")
    calm.calm()
    assert.strictEqual(calm.onAck("a", "1"), "none")
  })

  it.effect("P4: of a cache make it forget, fail and be slow; a write never throws or waits", () =>
    Effect.gen(function* () {
      const store = CacheFaults.seeded(yield* MemoryCache.make(), { seed: 3, rate: 0.5 })
      const settings = { last: true }
      for (let n = 0; n < 50; n++)
        store.write({ event: "e", key: String(n), id: String(n), time: n, body: Buffer.from(String(n)), settings })
      const seen = { found: 0, forgotten: 0, failed: 0 }
      for (let n = 0; n < 50; n++) {
        const fiber = yield* Effect.forkChild(Effect.result(store.last("e", String(n))))
        yield* TestClock.adjust(1000)
        const exit = fiber.pollUnsafe()
        assert.isDefined(exit)
        if (exit?._tag !== "Success") return assert.fail("it died")
        if (exit.value._tag === "Failure") {
          assert.instanceOf(exit.value.failure.reason, CacheUnavailable)
          seen.failed++
        } else if (exit.value.success._tag === "None") seen.forgotten++
        else seen.found++
      }
      assert.isTrue(
        Object.values(seen).every((count) => count > 3),
        JSON.stringify(seen)
      )
    })
  )
})

describe("P17: a limit of the embedded broker", () => {
  it.effect("P17: is in its features: it is not persistent and not remote", () =>
    Effect.gen(function* () {
      const { broker } = yield* Stage.make()
      yield* Stage.sendAll(broker, Stage.event("e"), [1])
      assert.deepStrictEqual(broker.features, { transport: "memory", persistent: false, remote: false })
      // Another server does not share it.
      const next = yield* Stage.make()
      assert.strictEqual((yield* next.broker.depth("s")).ready, 0)
    })
  )
})
