/** The refusals of RabbitMQ 3.10 in its own words, and for how long they are remembered. */
import { assert, describe, it } from "@effect/vitest"
import * as Refusals from "../../../src/amqp/publishing/Refusals.ts"

const closed = (code: number, name: string, text: string): Error =>
  Object.assign(new Error(`Channel closed by server: ${code} (${name}) with message "${text}"`), { code })

const exchange = closed(
  403,
  "ACCESS-REFUSED",
  "ACCESS_REFUSED - access to exchange 'ns.delay.02' in vhost '/' refused for user 'limited'"
)
const topic = closed(
  403,
  "ACCESS-REFUSED",
  "ACCESS_REFUSED - access to topic 'bad.'topic' in exchange 'ns.events' in vhost '/' refused for user 'limited'"
)
const size = closed(
  406,
  "PRECONDITION-FAILED",
  "PRECONDITION_FAILED - message size 300000 is larger than configured max size 262144"
)
const missing = closed(404, "NOT-FOUND", "NOT_FOUND - no exchange 'ns.events' in vhost '/'")

describe("Refusals", () => {
  it("reads why a channel was closed", () => {
    assert.deepStrictEqual(Refusals.read(exchange), { _tag: "Denied", exchange: "ns.delay.02", topic: undefined })
    assert.deepStrictEqual(Refusals.read(topic), { _tag: "Denied", exchange: "ns.events", topic: "bad.'topic" })
    assert.deepStrictEqual(Refusals.read(size), { _tag: "TooLarge", maxBytes: 262_144 })
    assert.deepStrictEqual(Refusals.read(missing), { _tag: "Missing", exchange: "ns.events" })
    assert.deepStrictEqual(Refusals.read(closed(404, "NOT-FOUND", "other words")), { _tag: "Missing", exchange: "" })
    for (const other of [undefined, "403", {}, new Error("Channel closed"), closed(406, "PRECONDITION-FAILED", "x")])
      assert.isUndefined(Refusals.read(other))
  })

  it("reads a text that the broker cut, and knows the publish that it is about", () => {
    const name = "a.".repeat(90)
    const text = (rest: string): string => `ACCESS_REFUSED - write access to topic '${name}${rest}`
    for (const [rest, topic] of [
      ["...", name],
      ["' in exch...", name],
      ["' in exchange 'ns.events' in vho...", name]
    ] as const)
      assert.deepStrictEqual(Refusals.read(closed(403, "ACCESS-REFUSED", text(rest))), {
        _tag: "Denied",
        exchange: undefined,
        topic
      })
    const cut = { _tag: "Denied", exchange: undefined, topic: name } as const
    assert.isTrue(Refusals.concerns(cut, "ns.events", `${name}b`))
    assert.isFalse(Refusals.concerns(cut, "ns.events", "a.b"))
    const whole = { _tag: "Denied", exchange: "ns.events", topic: "a.b" } as const
    assert.isTrue(Refusals.concerns(whole, "ns.events", "a.b"))
    assert.isFalse(Refusals.concerns(whole, "ns.events", "a.bc"))
    assert.isFalse(Refusals.concerns(whole, "ns.dead", "a.b"))
    assert.isTrue(Refusals.concerns({ ...whole, topic: undefined }, "ns.events", "a.bc"))
  })

  it("refuses the same and nothing else, until the cause may have been fixed", () => {
    let now = 0
    const refusals = Refusals.make(() => now)
    const reason = (name: string, key = "k", bytes = 1): string | undefined => {
      const outcome = refusals.of(name, key, Buffer.alloc(bytes))
      return outcome?._tag === "NotSent" ? outcome.error.reason._tag : outcome?._tag
    }
    for (const error of [exchange, topic, size, missing]) {
      const refusal = Refusals.read(error)
      if (refusal !== undefined && refusal._tag !== "Missing") refusals.learn(refusal, "limited")
    }
    assert.strictEqual(reason("ns.delay.02"), "Permission")
    assert.strictEqual(reason("ns.events", "bad.'topic"), "Permission")
    assert.isUndefined(reason("ns.events", "good"))
    assert.isUndefined(reason("ns.events", "good", 262_144))
    assert.strictEqual(reason("ns.events", "good", 262_145), "Refused")
    refusals.learn({ _tag: "Missing", exchange: "ns.gone" }, "limited")
    assert.strictEqual(reason("ns.gone"), "TopologyMissing")
    now = 2000
    assert.isUndefined(reason("ns.gone"))
    assert.strictEqual(reason("ns.delay.02"), "Permission")
    now = 30_000
    assert.isUndefined(reason("ns.delay.02"))
    assert.isUndefined(reason("ns.events", "bad.'topic"))
    assert.strictEqual(reason("ns.events", "good", 262_145), "Refused")
    refusals.forget()
    assert.isUndefined(reason("ns.events", "good", 262_145))
  })
})
