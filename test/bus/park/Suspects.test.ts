/** A keyed event is judged by its own starts, never by the company in which it came back (P3, P6). */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { fresh, keyed, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import type { Subscription } from "../../../src/bus/subscriber/Subscription.ts"
import * as Stage from "../Stage.ts"
import { isRising, killableProcess, losingConfirmsFrom } from "./ParkingStage.ts"

/** More than the broker returns an event, and more than make a killer. */
const deploys = 22

/** What keeps the events of a subscriber from running in each process, until the last one. */
const obstacles: ReadonlyArray<{
  readonly name: string
  readonly begun: (subscription: Subscription) => Effect.Effect<void>
  readonly handle: Effect.Effect<void>
}> = [
  { name: "it is paused", begun: ({ pause }) => pause, handle: Effect.void },
  // The first of them runs until the drain interrupts it; the others never start.
  { name: "a handler does not end", begun: () => Effect.void, handle: Effect.never }
]

describe("suspects", () => {
  for (const { begun, handle, name: why } of obstacles)
    it.effect(`P3, P6, C12: ${deploys} deploys of a subscriber whose events do not start, since ${why}`, () =>
      Effect.gen(function* () {
        const stage = yield* Stage.make
        const Changed = keyed()
        const name = fresh()
        const handled: Array<number> = []
        const subscriber = { events: [Changed], ordering: "key", concurrency: 1, prefetch: 20 } as const
        for (let life = 0; life < deploys; life++) {
          const one = yield* killableProcess(stage.server)
          yield* begun(yield* one.subscribe(name, { ...subscriber, handler: () => handle }))
          if (life === 0)
            yield* stage.bus.publishAll(
              Changed,
              upTo(6).map((n) => ({ n, k: `k${n % 3}` }))
            )
          yield* Stage.pass(500, 20)
          yield* Effect.andThen(Effect.forkChild(one.stop), Stage.pass(15_000, 500))
        }
        const last = yield* killableProcess(stage.server)
        yield* last.subscribe(name, {
          ...subscriber,
          handler: ({ data: { n } }) => Effect.sync(() => void handled.push(n))
        })
        yield* Stage.pass(Stage.minutes(1), 500)
        assert.deepStrictEqual(yield* stage.letters.list(name), [])
        assert.deepStrictEqual(
          handled.toSorted((a, b) => a - b),
          upTo(6)
        )
        for (const key of upTo(3)) assert.isTrue(isRising(handled.filter((n) => n % 3 === key)), `${handled}`)
      })
    )

  it.effect("P3: the killer of another subscriber in the process is no event of this one", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make
      const Changed = keyed()
      const [name, other] = [fresh(), fresh()]
      const { begin, handled, isAlive } = yield* deadly(stage, {
        // Longer than nothing starts beside it.
        [name]: () => ({ ordering: "key", millis: 1_500, kills: false }),
        [other]: (n) => ({ ordering: "none", millis: 5, kills: n === 0 })
      })
      yield* begin(Changed)
      yield* stage.bus.publishAll(
        Changed,
        upTo(2).map((n) => ({ n, k: `k${n}` }))
      )
      for (let round = 0; round < 60 && (yield* stage.letters.count(other)) === 0; round++) {
        if (!isAlive()) yield* begin(Changed)
        yield* Stage.pass(5_000, 20)
      }
      yield* Stage.pass(5_000, 20)
      assert.deepStrictEqual(yield* stage.letters.list(name), [])
      assert.lengthOf(yield* stage.letters.list(other), 1)
      assert.sameMembers([...new Set(handled(name))], [...upTo(2)])
    })
  )

  it.effect("P3: killers that arrive while an event is tried are not taken for it", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make
      const Changed = keyed()
      const name = fresh()
      const { begin, handled, isAlive, kill } = yield* deadly(stage, {
        [name]: (n) => ({ ordering: "key", millis: n === 0 ? 500 : 5, kills: n > 0 })
      })
      yield* begin(Changed)
      yield* stage.bus.publish(Changed, { n: 0, k: "k" })
      yield* Stage.turns
      for (let life = 1; life <= 5; life++) {
        yield* kill
        yield* begin(Changed)
        yield* Stage.pass(100, 20)
      }
      for (let n = 1; n <= 6 && handled(name).length === 0; n++) {
        if (!isAlive()) yield* begin(Changed)
        yield* Stage.pass(200, 20)
        yield* stage.bus.publish(Changed, { n, k: `k${n}` }).pipe(Effect.forkChild({ startImmediately: true }))
        yield* Stage.pass(2_000, 20)
      }
      assert.deepStrictEqual(handled(name), [0])
      assert.notInclude(
        (yield* stage.letters.list(name)).map(({ body }) => JSON.parse(body.toString()).data.n),
        0
      )
    })
  )

  it.effect(
    "P3: what only waits for its trial when its process drains keeps its starts, and is tried after a pause",
    () =>
      Effect.gen(function* () {
        const stage = yield* Stage.make
        const Changed = keyed()
        const name = fresh()
        const { begin, deaths, isAlive } = yield* deadly(stage, {
          [name]: () => ({ ordering: "key", millis: 5, kills: true })
        })
        yield* begin(Changed)
        yield* stage.bus.publish(Changed, { n: 0, k: "k" })
        for (let life = 1; life <= 20 && (yield* stage.letters.count(name)) === 0; life++) {
          yield* Stage.pass(3_000, 20)
          if (isAlive()) continue
          const idle = yield* killableProcess(stage.server)
          const subscription = yield* idle.subscribe(name, {
            events: [Changed],
            ordering: "key",
            handler: () => Effect.void
          })
          yield* subscription.pause
          yield* Stage.pass(500, 20)
          yield* Effect.andThen(Effect.forkChild(idle.stop), Stage.pass(15_000, 500))
          yield* begin(Changed)
        }
        assert.isAtMost(deaths(), 8)
        assert.lengthOf(yield* stage.letters.list(name), 1)
      })
  )

  it.effect("P3: a start counts although the process ends before it learns that it is written down", () =>
    Effect.gen(function* () {
      const stage = yield* Stage.make
      const Changed = keyed()
      const name = fresh()
      const lossy = losingConfirmsFrom(
        1,
        ({ message: { headers } }) => "bus-starts" in headers && !("bus-returns" in headers)
      )
      const { begin, deaths, isAlive } = yield* deadly(
        stage,
        { [name]: () => ({ ordering: "key", millis: 5, kills: true }) },
        lossy.override
      )
      yield* begin(Changed)
      yield* stage.bus.publish(Changed, { n: 0, k: "k" })
      for (let life = 1; life <= 20 && (yield* stage.letters.count(name)) === 0; life++) {
        yield* Stage.pass(3_000, 20)
        if (!isAlive()) yield* begin(Changed)
      }
      yield* lossy.cut
      assert.strictEqual(lossy.copies(), 3)
      assert.strictEqual(deaths(), 8)
      assert.lengthOf(yield* stage.letters.list(name), 1)
    })
  )
})

interface Behaviour {
  readonly ordering: "none" | "key"
  readonly millis: number
  readonly kills: boolean
}

/** Processes one after the other, with these subscribers. Some events end the process after a while. */
const deadly = (
  stage: Effect.Success<typeof Stage.make>,
  subscribers: Readonly<Record<string, (n: number) => Behaviour>>,
  override?: ReturnType<typeof losingConfirmsFrom>["override"]
) =>
  Effect.sync(() => {
    const handled = new Map<string, Array<number>>()
    let alive: object | undefined
    let deaths = 0
    let kill: Effect.Effect<void> = Effect.void
    const begin = Effect.fnUntraced(function* (Changed: ReturnType<typeof keyed>) {
      const self = {}
      const one = yield* killableProcess(stage.server, override)
      alive = self
      kill = Effect.suspend(() => {
        if (alive === self) deaths++
        alive = undefined
        return one.kill
      })
      const dies = kill
      for (const [name, behaviour] of Object.entries(subscribers)) {
        // The first of them is at work when the next one begins.
        yield* Stage.pass(100, 20)
        yield* one.subscribe(name, {
          events: [Changed],
          ordering: behaviour(-1).ordering,
          handler: ({ data: { n } }) => {
            const { kills, millis } = behaviour(n)
            const end = kills
              ? Effect.andThen(Effect.forkDetach(dies), Effect.never)
              : Effect.sync(() => {
                  if (alive === self) handled.set(name, [...(handled.get(name) ?? []), n])
                })
            return Effect.andThen(Effect.sleep(millis), end)
          }
        })
      }
    })
    return {
      begin,
      kill: Effect.suspend(() => kill),
      deaths: () => deaths,
      isAlive: () => alive !== undefined,
      handled: (name: string): ReadonlyArray<number> => handled.get(name) ?? []
    }
  })
