/** What a process says of its connection and of its lanes. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schedule } from "effect"
import { Fleet, type Presence } from "../../../src/bus/port/Fleet.ts"
import * as MemoryBroker from "../../../src/memory/MemoryBroker.ts"
import * as MemoryCache from "../../../src/memory/MemoryCache.ts"
import * as MemoryFleet from "../../../src/memory/fleet/MemoryFleet.ts"
import { MemoryServer } from "../../../src/memory/MemoryServer.ts"
import { processOver, start } from "../../../src/ports/conformance/setup/BusProcess.ts"
import { fresh, keyed } from "../../../src/ports/conformance/setup/TestEvents.ts"
import * as Stage from "../Stage.ts"

/** A process, and the fleet that it is in. */
const member = Effect.gen(function* () {
  const server = yield* MemoryServer.make
  const fleet = yield* MemoryFleet.make
  const ports = Layer.mergeAll(
    MemoryBroker.layerOf(server, { namespace: "test" }),
    MemoryCache.layer,
    Layer.succeed(Fleet, fleet)
  )
  const service = yield* Stage.runningOut(start(Layer.suspend(() => processOver(ports, {}))))
  return { fleet, service }
})

describe("the presence of a process", () => {
  it.effect("has its connection, and the ten lanes in which most events wait, the fullest first", () =>
    Effect.gen(function* () {
      const { fleet, service } = yield* member
      const Changed = keyed()
      const name = fresh()
      yield* service.subscribe(name, {
        events: [Changed],
        ordering: "key",
        retry: Schedule.recurs(3),
        handler: () => Effect.never
      })
      const lanes = Array.from({ length: 12 }, (_, n) => ({ key: n === 0 ? "k".repeat(250) : `k-${n}`, events: n + 1 }))
      const all = lanes.flatMap(({ events, key }) => Array.from({ length: events }, (_, n) => ({ n, k: key })))
      const publishing = yield* Effect.forkChild(service.bus.publishAll(Changed, all), { startImmediately: true })
      yield* Stage.pass(20_000, 100)
      assert.isDefined(publishing.pollUnsafe(), "not all were published")
      const [record] = (yield* fleet.processes).map(({ record }) => record as Presence)
      assert.deepInclude(record?.connection, { status: "Up", inFlight: 0, waiting: 0 })
      const [shown] = record?.subscribers ?? []
      assert.deepStrictEqual(
        shown?.lanes?.map(({ behind, key }) => [key, behind]),
        lanes
          .toReversed()
          .slice(0, 10)
          .map(({ events, key }) => [key, events - 1])
      )
      assert.isTrue(shown?.lanes?.every(({ attempt, head }) => head === "running" && attempt === 1))
    })
  )

  it.effect("has no lanes without an order by key", () =>
    Effect.gen(function* () {
      const { fleet, service } = yield* member
      yield* service.subscribe(fresh(), { events: [keyed()], handler: () => Effect.void })
      yield* Stage.pass(6_000, 500)
      const [record] = (yield* fleet.processes).map(({ record }) => record as Presence)
      assert.notProperty(record?.subscribers[0], "lanes")
    })
  )
})
