/** A keyed subscriber finds its killer among a window of events, and takes no neighbour along (P3, P6). */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Schedule, Scope } from "effect"
import { Broker } from "../../src/bus/Broker.ts"
import * as MemoryBroker from "../../src/memory/MemoryBroker.ts"
import * as MemoryCache from "../../src/memory/MemoryCache.ts"
import type { MemoryServer } from "../../src/memory/MemoryServer.ts"
import { fresh, keyed, processOver, start, upTo } from "../suites/Workbench.ts"
import * as Stage from "./Stage.ts"

/** A process that can die: its line to the broker is cut before anything else of it ends. */
const mortal = Effect.fnUntraced(function* (server: MemoryServer["Service"]) {
  const line = yield* Scope.make()
  const context = yield* Layer.buildWithScope(MemoryBroker.layerOf(server, { namespace: "test" }), line)
  const ports = Layer.merge(Layer.succeed(Broker, Context.get(context, Broker)), MemoryCache.layer)
  const process = yield* start(processOver(ports))
  return { ...process, die: Scope.close(line, Exit.void) }
})

interface Drama {
  readonly events: number
  readonly keys: number
  readonly killers: ReadonlyArray<number>
  /** Fails twice before it succeeds. */
  readonly failing: number | undefined
  /** So many other processes wait for their turn, as replicas do. */
  readonly standby: number
}

/** Processes one after the other, each of which dies when the handler of a killer starts. */
const play = Effect.fnUntraced(function* ({ events, failing, keys, killers, standby }: Drama) {
  const stage = yield* Stage.make
  const Changed = keyed()
  const name = fresh()
  yield* stage.broker.declare({ name, ordering: "key", patterns: [Changed.name] })
  yield* stage.bus
    .publishAll(
      Changed,
      upTo(events).map((n) => ({ n, k: `k${n % keys}` }))
    )
    .pipe(Effect.forkChild({ startImmediately: true }))
  yield* Stage.turns
  const handled: Array<number> = []
  const living = new Set<symbol>()
  let deaths = 0
  const begin = Effect.gen(function* () {
    const self = Symbol("process")
    const one = yield* mortal(stage.server)
    living.add(self)
    const die = Effect.suspend(() => {
      living.delete(self)
      deaths++
      return one.die
    })
    yield* one.subscribe(name, {
      events: [Changed],
      ordering: "key",
      retry: Schedule.spaced("2 seconds").pipe(Schedule.upTo({ times: 3 })),
      handler: ({ data: { n } }, { attempt }) =>
        Effect.gen(function* () {
          if (killers.includes(n)) {
            yield* Effect.forkDetach(die)
            return yield* Effect.never
          }
          if (n === failing && attempt < 3) return yield* Effect.fail("not yet")
          yield* Effect.sleep(5)
          if (living.has(self)) handled.push(n)
        })
    })
  })
  const innocent = upTo(events).filter((n) => !killers.includes(n))
  for (let round = 0; round < 400; round++) {
    while (living.size <= standby) yield* Effect.all([begin, Stage.pass(200, 20)], { concurrency: "unbounded" })
    yield* Stage.pass(500, 20)
    if (new Set(handled).size === innocent.length && (yield* stage.letters.count(name)) >= killers.length) break
  }
  return { deaths, handled, innocent, letters: yield* stage.letters.list(name, { limit: 1000 }) }
})

const isRising = (numbers: ReadonlyArray<number>): boolean =>
  numbers.every((n, at) => at === 0 || n > (numbers[at - 1] ?? n))

describe("caution", () => {
  for (const { failing, killers, standby } of [
    { killers: [7], standby: 0, failing: undefined },
    { killers: [7], standby: 20, failing: undefined },
    { killers: [7, 8, 20], standby: 1, failing: undefined },
    { killers: [9], standby: 0, failing: 2 }
  ]) {
    const waits = failing === undefined ? "" : `, ${failing} waits for its retry`
    it.effect(`P3, P6, C11, N6: killers ${killers.join(", ")} of 30 events, ${standby} stand by${waits}`, () =>
      Effect.gen(function* () {
        const keys = 5
        const { deaths, handled, innocent, letters } = yield* play({ events: 30, keys, killers, standby, failing })
        assert.deepStrictEqual(
          letters.map(({ body, reason }) => [reason, JSON.parse(body.toString()).data.n]),
          killers.map((n) => ["CrashLoop", n]),
          `after ${deaths} deaths`
        )
        assert.deepStrictEqual(
          [...new Set(handled)].toSorted((a, b) => a - b),
          innocent
        )
        for (const key of upTo(keys)) {
          const lane = [...new Set(handled.filter((n) => n % keys === key))]
          assert.isTrue(isRising(lane), `out of order: ${lane}`)
        }
      })
    )
  }
})
