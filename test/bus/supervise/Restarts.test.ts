/** A subscriber that restarts too often without progress fails for good; waiting for the broker does not count. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, SubscriptionRef } from "effect"
import { Broker } from "../../../src/bus/port/Broker.ts"
import { BrokerError } from "../../../src/bus/port/BrokerError.ts"
import {
  AuthenticationFailed,
  BrokerRefused,
  ConnectionFailed,
  CredentialsUnavailable,
  PermissionDenied,
  TlsFailed,
  VhostUnavailable
} from "../../../src/bus/port/BrokerReason.ts"
import { CurrentShutdown } from "../../../src/bus/support/Shutdown.ts"
import type { SubscriberOptions } from "../../../src/bus/subscriber/SubscriberOptions.ts"
import * as MemoryBroker from "../../../src/memory/MemoryBroker.ts"
import * as MemoryCache from "../../../src/memory/MemoryCache.ts"
import { fresh, keyed } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { makeLedger } from "../../../src/ports/conformance/setup/HandlerLedger.ts"
import { processOver, start } from "../../../src/ports/conformance/setup/BusProcess.ts"
import * as Stage from "../Stage.ts"

const denied = new BrokerError({ reason: new PermissionDenied({ entity: "its queue", username: "u" }) })

describe("restart budget", () => {
  /** A subscriber that runs, loses its consumer, and then fails to start for `minutes`. */
  const live = Effect.fnUntraced(function* (
    trouble: BrokerError | undefined,
    minutes: number,
    restarts: SubscriberOptions<never, never, never>["restarts"] = {}
  ) {
    let failing: Effect.Effect<never, BrokerError> | undefined
    const lose: Array<() => void> = []
    const ended: Array<string> = []
    const broken = Layer.effect(
      Broker,
      Effect.map(Broker, (broker) =>
        Broker.of({
          ...broker,
          consume: (options) => {
            lose.push(() => options.onLost(denied))
            return failing ?? broker.consume(options)
          }
        })
      )
    ).pipe(Layer.provide(MemoryBroker.layer()))
    const { bus, subscribe } = yield* start(processOver(Layer.merge(broken, MemoryCache.layer)))
    const Changed = keyed()
    const ledger = makeLedger()
    const { status } = yield* subscribe(fresh(), {
      events: [Changed],
      ordering: "key",
      restarts,
      handler: ledger.handler
    }).pipe(Effect.provideService(CurrentShutdown, { cutOff: false, fail: (error) => void ended.push(error.message) }))
    const sibling = makeLedger()
    yield* subscribe(fresh(), { events: [Changed], handler: sibling.handler })
    failing = trouble === undefined ? Effect.die(new Error("broken adapter")) : Effect.fail(trouble)
    lose[0]?.()
    yield* Stage.pass(Stage.minutes(minutes), 1_000)
    failing = undefined
    yield* Stage.pass(Stage.minutes(2), 1_000)
    yield* Effect.forkChild(bus.publish(Changed, { n: 1, k: "k" }), { startImmediately: true })
    yield* Stage.pass(5_000, 100)
    return { status: yield* SubscriptionRef.get(status), ended, handled: ledger.numbers(), sibling: sibling.numbers() }
  })

  it.effect("P11: an error that waiting heals is retried, however long it takes", () =>
    Effect.gen(function* () {
      for (const reason of [
        new ConnectionFailed({ address: "here", detail: "away" }),
        new BrokerRefused({ operation: "consuming", detail: "the queue has no leader" })
      ]) {
        const { handled, sibling, status } = yield* live(new BrokerError({ reason }), 60)
        assert.strictEqual(status._tag, "Running")
        assert.isAbove(status.restarts, 20)
        assert.deepStrictEqual([handled, sibling], [[1], [1]])
      }
    })
  )

  it.effect("P11: once it ran, being kept out of the broker uses up no restart, however long it takes", () =>
    Effect.gen(function* () {
      for (const reason of [
        new AuthenticationFailed({ address: "here", username: "svc" }),
        new TlsFailed({ address: "here", code: "CERT_HAS_EXPIRED", remedy: "renew it" }),
        new VhostUnavailable({ address: "here", vhost: "v", username: "svc" }),
        new CredentialsUnavailable({ address: "here", detail: "the option credentials failed" })
      ]) {
        const { handled, sibling, status } = yield* live(new BrokerError({ reason }), 60)
        assert.strictEqual(status._tag, "Running", reason._tag)
        assert.isAbove(status.restarts, 20)
        assert.deepStrictEqual([handled, sibling], [[1], [1]])
      }
    })
  )

  it.effect("P11: an error that waiting does not heal makes it Failed, with the cause; its siblings go on", () =>
    Effect.gen(function* () {
      for (const trouble of [denied, undefined]) {
        const { ended, handled, sibling, status } = yield* live(trouble, 60)
        assert.strictEqual(status._tag, "Failed")
        assert.include(status.cause, trouble === undefined ? "broken adapter" : "permission")
        assert.isAtMost(status.restarts, 11)
        assert.deepStrictEqual([handled, sibling, ended], [[], [1], []])
      }
    })
  )

  it.effect("P11: it survives a short outage", () =>
    Effect.gen(function* () {
      const { handled, status } = yield* live(denied, 0.2)
      assert.deepStrictEqual([status._tag, handled], ["Running", [1]])
    })
  )

  it.effect("with `onExhausted: fail-layer` it ends the service", () =>
    Effect.gen(function* () {
      const { ended, status } = yield* live(denied, 60, { max: 3, onExhausted: "fail-layer" })
      assert.strictEqual(status._tag, "Failed")
      assert.lengthOf(ended, 1)
      assert.include(ended[0], "permission")
    })
  )

  it.effect("a limit that makes no sense is refused with its values, defaults included", () =>
    Effect.gen(function* () {
      const refused = yield* Effect.flip(live(undefined, 0, { max: 0 }))
      assert.include(String(refused), "0 restarts within 10 minutes is not a limit")
    })
  )
})
