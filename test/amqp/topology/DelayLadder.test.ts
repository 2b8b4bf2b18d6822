/** The arithmetic of the ladder, run over the bindings that Topology declares: a routing key waits as long as its delay. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Ladder from "../../../src/amqp/topology/DelayLadder.ts"
import * as Topology from "../../../src/amqp/topology/Topology.ts"
import { maxDelaySeconds } from "../../../src/bus/port/Broker.ts"
import { topicMatches } from "../../../src/event/Name.ts"

interface Bindings {
  readonly queues: Map<string, { readonly ttl: number; readonly next: string }>
  readonly toQueue: Array<{ readonly queue: string; readonly exchange: string; readonly pattern: string }>
  readonly toExchange: Array<{ readonly target: string; readonly exchange: string; readonly pattern: string }>
}

/** Records the calls of the declarations. */
const record = (declarations: ReadonlyArray<Topology.Declaration>): Bindings => {
  const found: Bindings = { queues: new Map(), toQueue: [], toExchange: [] }
  const channel = {
    assertExchange: async () => {},
    assertQueue: async (name: string, { arguments: args }: { arguments: Record<string, unknown> }) =>
      void found.queues.set(name, {
        ttl: Number(args["x-message-ttl"] ?? 0),
        next: String(args["x-dead-letter-exchange"] ?? "")
      }),
    bindQueue: async (queue: string, exchange: string, pattern: string) =>
      void found.toQueue.push({ queue, exchange, pattern }),
    bindExchange: async (target: string, exchange: string, pattern: string) =>
      void found.toExchange.push({ target, exchange, pattern })
  }
  // Only these four are called by `assert`.
  for (const { assert } of declarations) void assert(channel as unknown as Parameters<typeof assert>[0])
  return found
}

const shared = record([...Topology.shared("ns"), ...Topology.upperLevels("ns")])
const subscriber = record(Topology.subscriber("ns", { name: "a.b", ordering: "none", patterns: ["x.#", "y"] }))

/** Follows a message to its end: how long it waited, and which bindings of subscribers' queues took it. */
const travel = (exchange: string, routingKey: string): { readonly waited: number; readonly taken: number } => {
  const words = routingKey.split(".")
  const matches = ({ pattern }: { readonly pattern: string }): boolean => topicMatches(pattern.split("."), words)
  let at = exchange
  let waited = 0
  for (let hops = 0; hops < 100; hops++) {
    if (at === Ladder.deliverExchange("ns")) {
      return {
        waited,
        taken: subscriber.toQueue.filter((binding) => binding.exchange === at && matches(binding)).length
      }
    }
    const queues = shared.toQueue.filter((binding) => binding.exchange === at && matches(binding))
    const exchanges = shared.toExchange.filter((binding) => binding.exchange === at && matches(binding))
    assert.strictEqual(queues.length + exchanges.length, 1, `${at} does not take ${routingKey} to exactly one place`)
    const queue = queues[0] === undefined ? undefined : shared.queues.get(queues[0].queue)
    waited += queue?.ttl ?? 0
    at = queue?.next ?? exchanges[0]?.target ?? ""
  }
  return assert.fail("it goes in a circle")
}
const check = (seconds: number, destination: string, takers: number): void => {
  const { exchange, routingKey } = Ladder.entry("ns", seconds, destination)
  assert.deepStrictEqual(
    travel(exchange, routingKey),
    { waited: seconds * 1000, taken: takers },
    `${seconds} s to ${destination}`
  )
}
const Seconds = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: maxDelaySeconds }))

describe("DelayLadder", () => {
  it.prop("P7: any delay is waited exactly, and reaches the one who is meant", [Seconds], ([seconds]) => {
    check(seconds, Ladder.toSubscriber("a.b"), 1)
    check(seconds, Ladder.toEvent("x.y.z"), 1)
    check(seconds, Ladder.toEvent("y"), 1)
    check(seconds, Ladder.toSubscriber("a"), 0)
    check(seconds, Ladder.toEvent("z"), 0)
  })

  it("each level, its neighbours and both ends", () => {
    for (let level = 0; level < Ladder.levels; level++) {
      const at = 2 ** level
      assert.strictEqual(Ladder.entry("ns", at, "to.a.b").exchange, `ns.delay.${String(level).padStart(2, "0")}`)
      for (const seconds of [at - 1, at, at + 1, 2 * at - 1])
        if (seconds <= maxDelaySeconds) check(seconds, "to.a.b", 1)
    }
    assert.strictEqual(Ladder.entry("ns", 0, "to.a.b").exchange, "ns.delay.deliver")
    assert.strictEqual(Ladder.entry("ns", maxDelaySeconds, "to.a.b").routingKey, `${"1.".repeat(20)}to.a.b`)
  })

  it("every whole second of the first hours", () => {
    for (let seconds = 0; seconds <= 9_000; seconds++) check(seconds, "to.a.b", 1)
  })

  it("the longest key has 248 bytes, of the 255 that AMQP allows", () => {
    const longest = "a".repeat(200)
    assert.strictEqual(Ladder.entry("ns", maxDelaySeconds, Ladder.toEvent(longest)).routingKey.length, 248)
    assert.strictEqual((Ladder.anyDelay + Ladder.toEvent(longest)).length, 248)
    assert.strictEqual((Ladder.anyDelay + Ladder.toSubscriber(longest)).length, 243)
  })

  it("P15: names that look like parts of the ladder reach only their own subscriber", () => {
    for (const name of ["to.a.b", "publish.x.y", "0.0.to.a.b", "a.b.to.a.b"]) {
      check(3, Ladder.toSubscriber(name), 0)
      check(0, Ladder.toEvent(name), 0)
    }
  })

  it.prop(
    "P7: without some levels the longest delay is left that is not longer, and the rest of it is left for later",
    [Seconds, Seconds],
    ([seconds, absent]) => {
      const pass = Ladder.within(seconds, absent)
      if (pass === 1) return
      assert.strictEqual(pass & absent, 0)
      assert.isAtMost(pass, seconds)
      // What is missing to it is waited on levels that are absent, or is shorter than one of them.
      const longer = Array.from({ length: 3 }, (_, n) => pass + n + 1).filter((more) => (more & absent) === 0)
      for (const more of longer) assert.isAbove(more, seconds)
    }
  )

  it("the first level of a delay is the one at which it enters", () => {
    for (const seconds of [1, 2, 3, 4, 1023, 1024, maxDelaySeconds])
      assert.strictEqual(
        Ladder.entry("ns", seconds, "to.a").exchange,
        Ladder.levelName("ns", Ladder.firstOf(seconds)),
        `${seconds} s`
      )
    assert.deepStrictEqual(Ladder.levelsOf(0b1010), [1, 3])
    assert.deepStrictEqual(
      [Ladder.within(5, 0b100), Ladder.within(5, 0b1), Ladder.within(2 ** 12, ~1), Ladder.within(1, 1)],
      [3, 4, 1, 1]
    )
  })

  it("recognises messages that came over it by exchange and destination", () => {
    const key = (destination: string): string => Ladder.entry("ns", 5, destination).routingKey
    assert.deepStrictEqual(Ladder.destination("ns", "ns.delay.deliver", key("to.a.b")), {
      kind: "subscriber",
      name: "a.b"
    })
    assert.deepStrictEqual(Ladder.destination("ns", "ns.delay.02", key("publish.x.y")), { kind: "event", name: "x.y" })
    assert.isUndefined(Ladder.destination("ns", "ns.events", key("to.a.b")))
    assert.isUndefined(Ladder.destination("ns", "other.delay.deliver", key("to.a.b")))
    assert.isUndefined(Ladder.destination("ns", "ns.delay.deliver", "to.a.b"))
  })
})
