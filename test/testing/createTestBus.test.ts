/** The test bus without Effect. */
import { Clock, Effect, Schedule, Schema } from "effect"
import { assert, describe, it, vi } from "vitest"
import * as BusRuntime from "../../src/bus/BusRuntime.ts"
import { Event, OptionInvalid, type PromiseEventBus, Reject } from "../../src/index.ts"
import { createTestBus, NoSuchSubscriber } from "../../src/testing/index.ts"

const Posted = Event.make("test-bus.post.created", { version: 1, data: Schema.Struct({ n: Schema.Int }) })
const days = Schedule.spaced("1 day").pipe(Schedule.upTo({ times: 3 }))

/** Counts the waits that begin on the clock of a bus from now on. */
const countWaits = async (bus: PromiseEventBus): Promise<() => number> => {
  const clock = await BusRuntime.of(bus)?.run(Clock.Clock)
  if (clock === undefined) return assert.fail("it is no bus")
  const { sleep } = clock
  let count = 0
  Object.assign(clock, {
    sleep: (duration: Parameters<typeof sleep>[0]) =>
      Effect.suspend(() => {
        count++
        return sleep(duration)
      })
  })
  return () => count
}

describe("createTestBus", () => {
  it("settles retries of days and events of later, and shows what was published", async () => {
    await using bus = await createTestBus({ source: "test-bus" })
    const attempts: Array<number> = []
    await bus.subscribe("test-bus.feed", {
      events: [Posted],
      retry: days,
      handler: (_, { attempt }) => {
        attempts.push(attempt)
        if (attempt < 3) throw new Error("not today")
      }
    })
    await bus.publish(Posted, { n: 1 }, { delay: "12 hours" })
    await bus.publish(Posted, { n: 2 })
    await bus.settle()
    assert.deepStrictEqual(attempts.toSorted(), [1, 1, 2, 2, 3, 3])
    const published = await bus.published(Posted)
    assert.deepStrictEqual(
      published.map(({ data, source }) => [data.n, source]),
      [
        [1, "test-bus"],
        [2, "test-bus"]
      ]
    )
    assert.strictEqual((await bus.health()).status, "up")
  })

  it("passes a day in a few hundred looks at itself, and runs no probe", async () => {
    await using bus = await createTestBus()
    const seen: Array<number> = []
    await bus.subscribe("test-bus.feed", { events: [Posted], handler: ({ data }) => void seen.push(data.n) })
    const waits = await countWaits(bus)
    await bus.publish(Posted, { n: 1 }, { delay: "1 day" })
    await bus.settle()
    assert.deepStrictEqual(seen, [1])
    // Looks of every 10 seconds are 8,600 in a day, and those of every 5 seconds twice as many.
    assert.isAbove(waits(), 100)
    assert.isBelow(waits(), 2_000)
  })

  it("delivers, takes faults, and reports errors as values of their classes", async () => {
    await using bus = await createTestBus()
    await bus.subscribe("test-bus.feed", {
      events: [Posted],
      handler: ({ data }) => {
        if (data.n < 0) throw new Reject({ reason: "negative" })
      }
    })
    assert.strictEqual((await bus.deliver("test-bus.feed", Posted, { n: 1 }))._tag, "Handled")
    assert.strictEqual((await bus.deliver("test-bus.feed", Posted, { n: -1 }))._tag, "DeadLettered")
    const unknown = await bus.deliver("test-bus.none", Posted, { n: 1 }).catch((error: unknown) => error)
    assert.instanceOf(unknown, NoSuchSubscriber)
    await bus.faults.disconnect()
    assert.strictEqual((await bus.health()).status, "down")
    await bus.faults.reconnect()
    await bus.settle()
    assert.strictEqual((await bus.health()).status, "up")
    assert.deepStrictEqual(await bus.faults.injected(), [])
    // A caller without types.
    const wrong: object = { sauce: "test" }
    const refused = await createTestBus(wrong).catch((error: unknown) => error)
    assert.instanceOf(refused, OptionInvalid)
    assert.include(String(refused), "sauce")
  })

  it.each(["before", "after"])("runs while the timers of the test are fakes, from %s it was made", async (moment) => {
    const fake = () =>
      vi.useFakeTimers({ toFake: ["setTimeout", "setImmediate", "setInterval", "Date", "performance"] })
    if (moment === "before") fake()
    try {
      await using bus = await createTestBus({
        around: [{ name: "twice", publishing: async (publish) => publish().then(publish) }]
      })
      if (moment === "after") fake()
      const seen: Array<string> = []
      await bus.subscribe("test-bus.feed", {
        events: [Posted],
        retry: days,
        handler: ({ data }, { attempt }) => {
          seen.push(`${data.n} ${attempt}`)
          if (attempt === 1) throw new Error("not today")
        }
      })
      await bus.publish(Posted, { n: 1 }, { delay: "12 hours" })
      await bus.settle()
      assert.deepStrictEqual([...new Set(seen)], ["1 1", "1 2"])
      assert.lengthOf(await bus.published(Posted), 2)
      assert.strictEqual((await bus.deliver("test-bus.feed", Posted, { n: 2 }))._tag, "Retried")
    } finally {
      vi.useRealTimers()
    }
  })

  it("ends a subscriber whose handler waits for ever, and itself", async () => {
    const bus = await createTestBus()
    const begun = Promise.withResolvers<void>()
    const subscription = await bus.subscribe("test-bus.endless", {
      events: [Posted],
      deadline: "20 minutes",
      handler: () => {
        begun.resolve()
        return new Promise(() => {})
      }
    })
    await bus.publish(Posted, { n: 1 })
    await begun.promise
    assert.isFalse(await subscription.drain())
    await bus.close()
  })
})
