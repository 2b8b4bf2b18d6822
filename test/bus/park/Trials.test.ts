/** While an event is tried that may end the process, nothing else starts in it, and no other event waits for long (P3, P5). */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { fresh, keyed } from "../../../src/ports/conformance/setup/TestEvents.ts"
import * as Stage from "../Stage.ts"
import { dieWithAll, killableProcess } from "./ParkingStage.ts"

/** A suspect whose first start did not end, and a process with another subscriber, whose events never came back. */
const begin = Effect.fnUntraced(function* (millis: { readonly suspect: number; readonly other: number }) {
  const stage = yield* Stage.make
  const Changed = keyed()
  const Noted = keyed()
  const [name, other] = [fresh(), fresh()]
  yield* stage.broker.declare({ name, ordering: "key", patterns: [Changed.name] })
  const publish = (event: typeof Changed, n: number) =>
    Effect.andThen(
      Effect.forkChild(stage.bus.publish(event, { n, k: "k" }), { startImmediately: true }),
      Stage.pass(20, 20)
    )
  yield* publish(Changed, 0)
  yield* dieWithAll(stage.broker, name, 5)
  const first = yield* killableProcess(stage.server)
  yield* first.subscribe(name, { events: [Changed], ordering: "key", handler: () => Effect.never })
  yield* Stage.pass(500, 20)
  yield* first.kill
  yield* Stage.pass(500, 20)
  const process = yield* killableProcess(stage.server)
  const times: Record<string, number> = {}
  const handler = (who: "suspect" | "other") => () =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      times[`${who} began`] = clock.currentTimeMillisUnsafe()
      yield* Effect.sleep(millis[who])
      times[`${who} ended`] = clock.currentTimeMillisUnsafe()
    })
  return {
    publishOther: publish(Noted, 1),
    subscribe: process.subscribe(name, { events: [Changed], ordering: "key", handler: handler("suspect") }),
    subscribeOther: process.subscribe(other, { events: [Noted], handler: handler("other") }),
    /** Milliseconds between two of them. */
    between: (from: string, to: string): number => (times[to] ?? Number.NaN) - (times[from] ?? Number.NaN),
    began: (who: string): boolean => times[`${who} began`] !== undefined
  }
})

/** What the steps of the clock add. */
const step = 60

describe("trials", () => {
  it.effect("P3: what never came back does not start beside an event that is tried", () =>
    Effect.gen(function* () {
      const { began, between, publishOther, subscribe, subscribeOther } = yield* begin({ suspect: 600, other: 5 })
      yield* subscribeOther
      yield* subscribe
      yield* Stage.pass(100, 20)
      assert.isTrue(began("suspect"))
      yield* publishOther
      yield* Stage.pass(2_000, 20)
      assert.isAtLeast(between("suspect ended", "other began"), 0)
      assert.isAtMost(between("suspect ended", "other began"), step)
    })
  )

  it.effect("P5: after a second other events start although the trial goes on", () =>
    Effect.gen(function* () {
      const { began, between, publishOther, subscribe, subscribeOther } = yield* begin({ suspect: 5_000, other: 5 })
      yield* subscribeOther
      yield* subscribe
      yield* Stage.pass(100, 20)
      assert.isTrue(began("suspect"))
      yield* publishOther
      yield* Stage.pass(6_000, 20)
      assert.isAtLeast(between("suspect began", "other began"), 900)
      assert.isAtMost(between("suspect began", "other began"), 1_000 + step)
    })
  )

  it.effect("P3: an event is tried when the handlers that ran have ended", () =>
    Effect.gen(function* () {
      const { began, between, publishOther, subscribe, subscribeOther } = yield* begin({ suspect: 5, other: 700 })
      yield* subscribeOther
      yield* publishOther
      assert.isTrue(began("other"))
      yield* subscribe
      yield* Stage.pass(2_000, 20)
      assert.isAtLeast(between("other ended", "suspect began"), 0)
      assert.isAtMost(between("other ended", "suspect began"), step)
    })
  )

  it.effect("P5: it is tried after a second although a handler goes on that never came back", () =>
    Effect.gen(function* () {
      const { began, between, publishOther, subscribe, subscribeOther } = yield* begin({ suspect: 5, other: 20_000 })
      yield* subscribeOther
      yield* publishOther
      assert.isTrue(began("other"))
      yield* subscribe
      yield* Stage.pass(3_000, 20)
      assert.isAtLeast(between("other began", "suspect began"), 1_000)
      assert.isAtMost(between("other began", "suspect began"), 1_000 + 3 * step)
    })
  )
})
