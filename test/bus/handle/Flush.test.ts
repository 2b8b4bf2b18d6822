/**
 * What was handled is on its way before an event starts that may end the process: else it would come back in the place of
 * the killer, and be handled or dead-lettered once more (P3, N6).
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Broker } from "../../../src/bus/port/Broker.ts"
import { fresh, keyed, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { dieWithAll, killableProcess } from "../park/ParkingStage.ts"
import * as Stage from "../Stage.ts"

/** Acknowledgements of events that only a flush of their own consumer sends, or its end. */
const heldAcks = () => {
  const waiting = new Map<object, number>()
  const override = (broker: Broker["Service"]): Partial<Broker["Service"]> => ({
    consume: (options) => {
      const own: Array<() => void> = []
      const onDelivery: typeof options.onDelivery = (delivery) => {
        const { data } = JSON.parse(Buffer.from(delivery.body).toString())
        if (data?.n === undefined) return options.onDelivery(delivery)
        options.onDelivery({
          ...delivery,
          ack: () => {
            waiting.set(delivery, data.n)
            own.push(() => {
              waiting.delete(delivery)
              delivery.ack()
            })
          }
        })
      }
      const sendAll = (): void => {
        for (const send of own.splice(0)) send()
      }
      return Effect.map(
        Effect.tap(broker.consume({ ...options, onDelivery }), () => Effect.addFinalizer(() => Effect.sync(sendAll))),
        (consumer) => ({
          ...consumer,
          flush: (sent) => {
            sendAll()
            return consumer.flush(sent)
          }
        })
      )
    }
  })
  return { override, waiting: () => [...waiting.values()] }
}

const begin = Effect.fnUntraced(function* (ordering: "none" | "key", events: number, deaths: number) {
  const stage = yield* Stage.make
  const Changed = keyed()
  const name = fresh()
  const publish = (n: number) =>
    Effect.andThen(
      Effect.forkChild(stage.bus.publish(Changed, { n, k: `k${n}` }), { startImmediately: true }),
      Stage.turns
    )
  yield* stage.broker.declare({ name, ordering, patterns: [Changed.name] })
  for (const n of upTo(events)) yield* publish(n)
  yield* dieWithAll(stage.broker, name, deaths)
  /** The event of each handler that started, and the events whose acknowledgements waited then. */
  const waited: Array<readonly [number, ReadonlyArray<number>]> = []
  let waiting = (): ReadonlyArray<number> => []
  return {
    ...stage,
    name,
    publish,
    waited,
    options: { events: [Changed], ordering, concurrency: 1 } as const,
    process: Effect.suspend(() => {
      const acks = heldAcks()
      waiting = acks.waiting
      return killableProcess(stage.server, acks.override)
    }),
    started: (n: number) => Effect.sync(() => void waited.push([n, waiting()]))
  }
})

describe("acknowledgements before a start", () => {
  for (const ordering of ["none", "key"] as const)
    it.effect(`P3: those of what was handled before an event that came back, ordering "${ordering}"`, () =>
      Effect.gen(function* () {
        const { name, options, process, started, waited } = yield* begin(ordering, 5, 1)
        yield* (yield* process).subscribe(name, { ...options, handler: ({ data: { n } }) => started(n) })
        yield* Stage.pass(1_000, 100)
        assert.deepStrictEqual(
          waited,
          upTo(5).map((n) => [n, []])
        )
      })
    )

  it.effect("P3: those of a suspect before the next suspect", () =>
    Effect.gen(function* () {
      const { name, options, process, started, waited } = yield* begin("key", 3, 5)
      const handler = ({ data: { n } }: { readonly data: { readonly n: number } }) =>
        // The others are stored with their starts, and wait, when the first one ends.
        Effect.andThen(started(n), Effect.sleep(100))
      yield* (yield* process).subscribe(name, { ...options, handler })
      yield* Stage.pass(2_000, 20)
      assert.sameDeepMembers(
        waited,
        upTo(3).map((n) => [n, []])
      )
    })
  )

  it.effect("P3: those of the batch before", () =>
    Effect.gen(function* () {
      const { name, options, process, started, waited } = yield* begin("none", 6, 1)
      yield* (yield* process).subscribe(name, {
        ...options,
        batch: { size: 2, maxWait: "1 second" },
        handler: (events) =>
          Effect.andThen(
            Effect.forEach(events, ({ data: { n } }) => started(n)),
            Effect.sleep(100)
          )
      })
      yield* Stage.pass(5_000, 20)
      assert.deepStrictEqual(
        waited,
        upTo(6).map((n) => [n, []])
      )
    })
  )

  it.effect("P3: that of a killer that became a dead letter, before anything starts", () =>
    Effect.gen(function* () {
      const { letters, name, options, process, publish, started, waited } = yield* begin("key", 1, 5)
      for (const _ of upTo(3)) {
        const one = yield* process
        yield* one.subscribe(name, { ...options, handler: () => Effect.never })
        yield* Stage.pass(2_000, 100)
        yield* one.kill
        yield* Stage.pass(500, 100)
      }
      assert.strictEqual(yield* letters.count(name), 0)
      yield* publish(1)
      yield* (yield* process).subscribe(name, { ...options, handler: ({ data: { n } }) => started(n) })
      yield* Stage.pass(2_000, 20)
      assert.strictEqual(yield* letters.count(name), 1)
      assert.deepStrictEqual(waited, [[1, []]])
    })
  )
})
