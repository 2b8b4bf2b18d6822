/** The log lines of an outage: one for all connections of a server, none for a blip. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as OutageLog from "../../../src/bus/support/OutageLog.ts"
import { recordedLog } from "../../support/RecordedLog.ts"

const recorded = () => {
  const { layer, lines } = recordedLog()
  return { layer, texts: () => lines.map(({ level, message }) => `${level} ${String(message)}`), lines }
}

describe("the log of outages", () => {
  it.effect("has one line after a second, and one when every connection is back", () => {
    const { layer, lines, texts } = recorded()
    return Effect.gen(function* () {
      const outages = yield* OutageLog.make("RabbitMQ", "look whether it runs")
      outages.lost("publish", () => "connecting", false)
      yield* TestClock.adjust("999 millis")
      assert.deepStrictEqual(texts(), [])
      for (let n = 0; n < 5; n++) outages.lost("publish", () => "ECONNREFUSED", false)
      outages.lost("consume", () => "ECONNREFUSED", false)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(texts(), ["Warn not connected to RabbitMQ yet"])
      assert.deepStrictEqual(lines[0]?.fields, {
        connections: "publish, consume",
        millis: 1000,
        detail: "ECONNREFUSED",
        remedy: "look whether it runs"
      })
      outages.connected("publish")
      outages.connected("consume")
      outages.connected("consume")
      yield* Effect.yieldNow
      assert.deepStrictEqual(texts().slice(1), ["Info connected to RabbitMQ"])

      outages.lost("consume", () => "forced", true)
      outages.lost("publish", () => "reset", true)
      outages.lost("consume", () => "ECONNREFUSED", false)
      yield* TestClock.adjust("2 seconds")
      outages.connected("consume")
      outages.connected("publish")
      yield* Effect.yieldNow
      assert.deepStrictEqual(texts().slice(2), [
        "Warn the connection to RabbitMQ is lost",
        "Info connected to RabbitMQ again"
      ])
      assert.deepInclude(lines[2]?.fields, { detail: "ECONNREFUSED", loss: "forced" })
      assert.deepInclude(lines[3]?.fields, { loss: "forced" })
    }).pipe(Effect.scoped, Effect.provide(layer))
  })

  it.effect("has none of a start within a second, one of a blip, and none after the end", () => {
    const { layer, lines, texts } = recorded()
    return Effect.gen(function* () {
      yield* Effect.scoped(
        Effect.gen(function* () {
          const outages = yield* OutageLog.make("RabbitMQ", "")
          outages.lost("publish", () => "connecting", false)
          yield* TestClock.adjust("200 millis")
          outages.connected("publish")
          yield* TestClock.adjust("1 minute")
          assert.deepStrictEqual(texts(), [])
          outages.lost("publish", () => "reset", true)
          yield* TestClock.adjust("200 millis")
          outages.connected("publish")
          yield* TestClock.adjust("1 minute")
          assert.deepStrictEqual(texts(), ["Info connected to RabbitMQ again"])
          assert.deepInclude(lines[0]?.fields, { loss: "reset" })
          outages.lost("publish", () => "closing", true)
        })
      )
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(texts().length, 1)
    }).pipe(Effect.provide(layer))
  })
})
