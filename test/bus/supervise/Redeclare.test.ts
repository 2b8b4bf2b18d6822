/** A running subscriber declares its queue and bindings again. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, SubscriptionRef } from "effect"
import { BrokerError } from "../../../src/bus/port/BrokerError.ts"
import { PermissionDenied } from "../../../src/bus/port/BrokerReason.ts"
import { fresh, numbered } from "../../../src/ports/conformance/setup/TestEvents.ts"
import * as Stage from "../Stage.ts"
import { make } from "./DeclaringProcess.ts"

describe("redeclaring", () => {
  it.effect("PUB23, PUB9, P11: a running subscriber declares its queue and bindings again about every minute", () =>
    Effect.gen(function* () {
      const { declared, subscribe, trouble } = yield* make
      const name = fresh()
      const { status } = yield* subscribe(name, { events: [numbered()], handler: () => Effect.void })
      assert.deepStrictEqual(declared, [name])
      yield* Stage.pass(Stage.minutes(10), 1_000)
      assert.isAtLeast(declared.length, 6)
      assert.isAtMost(declared.length, 21)
      const before = declared.length
      trouble.next = Effect.fail(
        new BrokerError({ reason: new PermissionDenied({ entity: "a queue", username: "u" }) })
      )
      yield* Stage.pass(Stage.minutes(5), 1_000)
      assert.isAbove(declared.length, before, "it gave up")
      assert.deepInclude(yield* SubscriptionRef.get(status), { _tag: "Running", restarts: 0 })
    })
  )
})
