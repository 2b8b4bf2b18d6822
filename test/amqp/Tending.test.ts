/** The connection for everything around events: its loss disturbs nothing, and it is open only while it is used. */
import { assert, it } from "@effect/vitest"
import { Effect, Layer, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import { vi } from "vitest"
import * as AmqpBroker from "../../src/amqp/AmqpBroker.ts"
import * as MemoryCache from "../../src/memory/MemoryCache.ts"
import { processOver, start } from "../../src/ports/conformance/setup/BusProcess.ts"
import { makeLedger } from "../../src/ports/conformance/setup/HandlerLedger.ts"
import { keyed } from "../../src/ports/conformance/setup/TestEvents.ts"
import { describeLive, freshNamespace } from "../support/live.ts"
import { ownRabbit } from "../support/OwnRabbit.ts"
import { countBindings } from "./setup/ChannelCounts.ts"
import { open, proxyTo, type Service, statusIs } from "./setup/OpenBroker.ts"
import { event, outgoing, send, sendUntilConfirmed } from "./setup/Sends.ts"
import { untilEffect } from "./setup/Until.ts"

describeLive(
  "what is around events",
  () => {
    const node = ownRabbit()

    /** The names of the open connections, by what they are for. */
    const roles = Effect.map(
      Effect.promise(() => node().ctl("list_connections", "pid", "client_properties")),
      (text) =>
        text.split("\n").flatMap((line) => {
          const pid = /<[\d.a-z@]+>/i.exec(line)?.[0]
          const role = /\/(publish|consume|tend)@/.exec(line)?.[1]
          return pid === undefined || role === undefined ? [] : [{ pid, role }]
        })
    )

    const hasConsumer = ({ depth }: Service) =>
      Effect.match(depth("one.handler"), { onFailure: () => false, onSuccess: ({ consumers }) => consumers === 1 })

    const stage = Effect.gen(function* () {
      const process = yield* start(
        processOver(
          Layer.merge(
            AmqpBroker.layer({
              servers: node().url,
              namespace: freshNamespace(),
              source: "tending",
              canaryInterval: "3 seconds"
            }),
            MemoryCache.layer
          )
        )
      )
      const subscribe = Effect.fnUntraced(function* (name: string) {
        const contract = keyed(`${name}.happened`)
        const ledger = makeLedger()
        const subscription = yield* process.subscribe(name, { events: [contract], handler: ledger.handler })
        const restarts = () => SubscriptionRef.getUnsafe(subscription.status).restarts
        return { contract, ledger, restarts }
      })
      return { ...process, one: yield* subscribe("one.handler"), other: yield* subscribe("other.handler") }
    })

    it.live("P11: is lost without a trace: no subscriber restarts, publishing goes on, and it comes back", () =>
      Effect.gen(function* () {
        const { broker, bus, one, other } = yield* stage
        const ladder = broker.probes.find(({ name }) => name === "delay ladder")
        const isHome = Effect.map(ladder?.check ?? Effect.die("no probe"), ({ detail }) => /came/.test(detail))
        yield* untilEffect(() => "no canary", isHome)
        for (let round = 0; round < 3; round++) {
          const tending = (yield* roles).filter(({ role }) => role === "tend")
          assert.lengthOf(tending, 1)
          for (const { pid } of tending) yield* Effect.promise(() => node().ctl("close_connection", pid, "541"))
          yield* untilEffect(
            () => "still there",
            Effect.map(roles, (open) => !open.some(({ pid }) => pid === tending[0]?.pid))
          )
          yield* bus.publish(one.contract, { n: round, k: "k" })
          // It is used again; a busy node may count no consumers for a moment.
          yield* untilEffect(() => "no consumer", hasConsumer(broker))
        }
        yield* one.ledger.reaches(3)
        yield* untilEffect(() => "no canary", isHome)
        assert.deepStrictEqual([one.restarts(), other.restarts()], [0, 0])
        assert.deepStrictEqual((yield* roles).map(({ role }) => role).toSorted(), ["consume", "publish", "tend"])
      })
    )

    it.live("P11: a queue whose leader hangs is told from an empty one, until it answers", () =>
      Effect.gen(function* () {
        const { broker, bus, internals, one } = yield* stage
        const queue = `${broker.namespace}.sub.one.handler`
        /** Stops the process that leads the queue, as when its node hangs: other nodes still answer for it. */
        const leader = (change: "suspend" | "resume") =>
          Effect.promise(() =>
            node().eval(
              `{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"${queue}">>)), {Name, _} = amqqueue:get_pid(Q), sys:${change}(Name).`
            )
          )
        const says = (status: string, detail: RegExp) =>
          Effect.gen(function* () {
            const probe = (yield* internals.probes).find(({ name }) => name === "subscriber one.handler")
            const found = yield* probe?.check ?? Effect.die("there is no such probe")
            return found.status === status && detail.test(found.detail)
          })
        yield* untilEffect(() => "no consumer", hasConsumer(broker))
        yield* Effect.acquireRelease(leader("suspend"), () => leader("resume"))
        yield* untilEffect(() => "it says nothing", says("degraded", /^Running.*its queue has not answered/))
        yield* leader("resume")
        yield* untilEffect(() => "it is not taken back", says("up", /^Running/))
        yield* bus.publish(one.contract, { n: 1, k: "k" })
        yield* one.ledger.reaches(1)
        assert.strictEqual(one.restarts(), 0)
      })
    )

    it.live("P11: a queue that is deleted restarts its subscriber alone", () =>
      Effect.gen(function* () {
        const { broker, bus, one, other } = yield* stage
        yield* Effect.promise(() => node().ctl("delete_queue", `${broker.namespace}.sub.one.handler`))
        yield* untilEffect(
          () => "no restart",
          Effect.sync(() => one.restarts() > 0)
        )
        yield* untilEffect(() => "no consumer", hasConsumer(broker))
        yield* bus.publish(one.contract, { n: 1, k: "k" })
        yield* bus.publish(other.contract, { n: 1, k: "k" })
        yield* one.ledger.reaches(1)
        yield* other.ledger.reaches(1)
        assert.strictEqual(other.restarts(), 0)
      })
    )

    it.effect("P13: is closed when it was not used for a minute, and opened when it is needed", () =>
      Effect.gen(function* () {
        const proxy = yield* proxyTo(node().port)
        // No answer is missed while time leaps.
        const { broker } = yield* open(`amqp://guest:guest@127.0.0.1:${proxy.port}`, { callTimeout: "1 hour" })
        const count = (wanted: number) =>
          Effect.promise(() => vi.waitUntil(() => proxy.connections() === wanted, 120_000))
        yield* count(1)
        for (let round = 0; round < 2; round++) {
          yield* broker.deadLetterDepth({ _tag: "Undeliverable" })
          yield* count(2)
          yield* TestClock.adjust("59 seconds")
          assert.strictEqual(proxy.connections(), 2)
          yield* TestClock.adjust("2 seconds")
          yield* count(1)
        }
        assert.strictEqual(proxy.accepted(), 3)
      })
    )

    it.live("P11: what was declared is not bound again on the next connection; what is missing is declared", () =>
      Effect.gen(function* () {
        const proxy = yield* proxyTo(node().port)
        const { broker } = yield* open(`amqp://guest:guest@127.0.0.1:${proxy.port}`, { callTimeout: "1 minute" })
        yield* send(broker, outgoing(event("x")))
        // The queue of canaries is declared beside the first messages.
        yield* untilEffect(
          () => "no queue of canaries",
          Effect.map(
            Effect.promise(() => node().ctl("list_bindings", "source_name", "destination_name")),
            (text) => new RegExp(`${broker.namespace}\\.delay\\.deliver\\s+${broker.namespace}\\.canary`).test(text)
          )
        )
        const bound = countBindings()
        proxy.reset()
        yield* statusIs(broker, "Connecting")
        yield* statusIs(broker, "Up")
        yield* sendUntilConfirmed(broker, () => outgoing(event("x")))
        assert.strictEqual(bound(), 0)
        yield* Effect.promise(() => node().ctl("delete_queue", `${broker.namespace}.delay.00`))
        proxy.reset()
        yield* statusIs(broker, "Connecting")
        yield* statusIs(broker, "Up")
        assert.isAbove(bound(), 0)
      })
    )
  },
  ["rabbitNode"]
)
