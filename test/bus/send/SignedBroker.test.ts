/** The settings of signatures. What signatures do is in the conformance suite of brokers. */
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer, Redacted } from "effect"
import { config } from "../../../src/app/Config.ts"
import { Broker } from "../../../src/bus/port/Broker.ts"
import * as SignedBroker from "../../../src/bus/send/SignedBroker.ts"
import { Signer } from "../../../src/bus/send/Signature.ts"
import * as MemoryBroker from "../../../src/memory/MemoryBroker.ts"
import { delivery } from "./HeaderSamples.ts"

const long = "a secret of the namespace that is long enough"

const opened = (signing: SignedBroker.Signing) =>
  Effect.scoped(
    Effect.provide(Broker, Layer.provide(SignedBroker.layer(signing), MemoryBroker.layer({ namespace: "signing" })))
  )

const settled = (environment: Record<string, string>) =>
  Effect.map(
    Effect.provide(
      config,
      ConfigProvider.layer(ConfigProvider.fromEnv({ env: { EVENTBUS_URL: "memory://", ...environment } }))
    ),
    ({ signing }) => signing
  )

describe("signing", () => {
  it.effect("refuses a secret that can be guessed, and more than two", () =>
    Effect.gen(function* () {
      const few: unknown = [long, long, long]
      const refused = [
        { secret: "short" },
        { secret: [long, Redacted.make("short")] },
        { secret: "" },
        { secret: few as readonly [string, string] }
      ] as const
      for (const signing of refused) {
        const { message } = yield* Effect.flip(opened(signing))
        assert.match(message, /signing\.secret.*(openssl rand|the former one after it)/)
        assert.notInclude(message, 'short"')
      }
      yield* opened({ secret: Redacted.make(long) })
    })
  )

  it.effect("is read from the environment: no secret, one, or two while it is changed", () =>
    Effect.gen(function* () {
      assert.isUndefined(yield* settled({}))
      assert.deepStrictEqual(yield* settled({ EVENTBUS_SIGNING_SECRET: long }), {
        secret: Redacted.make(long),
        mode: "sign"
      })
      assert.deepStrictEqual(
        yield* settled({ EVENTBUS_SIGNING_SECRET: `${long} new, ${long}`, EVENTBUS_SIGNING: "require" }),
        { secret: [Redacted.make(`${long} new`), Redacted.make(long)], mode: "require" }
      )
    })
  )

  it("signs each part by itself: moving a character from one to the next is another message", () => {
    const signer = new Signer("ns", [long])
    const sample = delivery({ a: "1", b: "2" })
    const value = signer.sign("to a", sample)
    const received = (headers: Readonly<Record<string, unknown>>) => delivery({ ...headers, "bus-signature": value })
    assert.isTrue(signer.isValid("to a", received({ b: "2", a: "1", "x-delivery-count": 3 })))
    for (const headers of [{ a: "1" }, { a: "12" }, { a: "1b", 2: "" }, { a: 1, b: "2" }, { a: "1", b: "2", c: "" }])
      assert.isFalse(signer.isValid("to a", received(headers)), JSON.stringify(headers))
    assert.isFalse(signer.isValid("to ab", received({ a: "1", b: "2" })))
    assert.isFalse(new Signer("n", [long]).isValid("to a", received({ a: "1", b: "2" })))
    assert.isFalse(new Signer("ns", [`${long}.`]).isValid("to a", received({ a: "1", b: "2" })))
    assert.isFalse(signer.isValid("to a", { ...received({ a: "1", b: "2" }), body: Buffer.from("other") }))
  })
})
