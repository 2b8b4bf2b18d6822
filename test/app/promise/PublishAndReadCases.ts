/** Publishing and reading with Promises, on any transport. Run by PromiseBus.test.ts. */
import { assert } from "@effect/vitest"
import { it } from "vitest"
import { createEventBus, CurrentActor, type EventBus, isPublishError, PublishAllError } from "../../../src/index.ts"
import { Counted, Guarded, sleep, until, take, all, numbers } from "./PromiseTools.ts"

export const publishAndReadCases = (options: () => EventBus.LiveOptions): void => {
  const open = () => createEventBus(options())

  it("publishes arrays and async iterables in order, and returns their number", async () => {
    await using bus = await open()
    const seen: Array<number> = []
    await bus.subscribe("promise.all", {
      events: [Counted],
      concurrency: 1,
      handler: ({ data }) => void seen.push(data.n)
    })
    async function* items() {
      for (const n of numbers(4, 6)) {
        await sleep(1)
        yield { id: "a", n }
      }
    }
    assert.strictEqual(
      await bus.publishAll(
        Counted,
        numbers(1, 3).map((n) => ({ id: "a", n }))
      ),
      3
    )
    assert.strictEqual(await bus.publishAll(Counted, items()), 3)
    await until(() => seen.length === 6)
    assert.deepStrictEqual(seen, numbers(1, 6))
  })

  it("publishes the items before the failure of an iterable, and rejects with their count and that failure", async () => {
    await using bus = await open()
    const seen: Array<number> = []
    await bus.subscribe("promise.broken", { events: [Counted], handler: ({ data }) => void seen.push(data.n) })
    const broken = new Error("the file ends here")
    async function* items() {
      yield { id: "a", n: 1 }
      yield { id: "a", n: 2 }
      throw broken
    }
    function* rows() {
      yield { id: "a", n: 3 }
      throw broken
    }
    for (const [source, count] of [
      [items(), 2],
      [rows(), 1]
    ] as const) {
      const error = await bus.publishAll(Counted, source).catch((error: unknown) => error)
      assert.instanceOf(error, PublishAllError)
      assert.deepStrictEqual([error.confirmed, error.next, error.cause], [count, count, broken])
    }
    await until(() => seen.length === 3)
    const invalid = await bus.publishAll(Counted, [{ id: "a", n: Number.NaN }]).catch((error: unknown) => error)
    assert.instanceOf(invalid, PublishAllError)
  })

  it("publishes as an actor, and rejects with the errors of Effect", async () => {
    await using bus = await open()
    const denied = await bus.publish(Guarded, {}).catch((error: unknown) => error)
    assert.isTrue(isPublishError(denied) && denied.reason._tag === "Denied")
    assert.isString((await bus.publish(Guarded, {}, { actor: { id: "u-1", role: "teacher" } })).id)
    assert.isTrue(CurrentActor.key.length > 0)
  })

  it("refuses options that do not exist or are of another kind, and names them", async () => {
    await using bus = await open()
    // Callers without types.
    const wrong: ReadonlyArray<readonly [unknown, ReadonlyArray<string>]> = [
      [{ mandatroy: true }, ["mandatroy", "true", "mandatory"]],
      [{ mandatory: "yes" }, ["mandatory", '"yes"', "true or false"]],
      [{ delay: { second: 5 } }, ["delay", "an object", "seconds"]],
      [{ timeout: "soon" }, ["timeout", '"soon"']],
      [{ expiresAfter: 0 }, ["expiresAfter", "0", "1 millisecond to 3650 days"]],
      [{ key: null }, ["key", "null", "leave it out"]],
      [{ signal: "abort" }, ["signal", '"abort"']],
      [{ actor: "teacher" }, ["actor"]],
      ["5 seconds", ["options", '"5 seconds"']],
      [null, ["options", "null"]]
    ]
    for (const [options, words] of wrong) {
      const error = await bus.publish(Counted, { id: "a", n: 1 }, options as object).catch((error: unknown) => error)
      assert.isTrue(isPublishError(error) && error.reason._tag === "Invalid", String(error))
      for (const word of words) assert.include(String(error), word)
    }
  })

  it("gives up waiting for a publish when its signal aborts", async () => {
    await using bus = await open()
    const reason = new Error("the request was closed")
    assert.strictEqual(
      await bus
        .publish(Counted, { id: "a", n: 1 }, { signal: AbortSignal.abort(reason) })
        .catch((error: unknown) => error),
      reason
    )
    const controller = new AbortController()
    async function* endless() {
      yield { id: "a", n: 1 }
      controller.abort(reason)
      await new Promise(() => {})
    }
    assert.strictEqual(
      await bus.publishAll(Counted, endless(), { signal: controller.signal }).catch((error: unknown) => error),
      reason
    )
  })

  it("remembers last events, many keys and histories", async () => {
    await using bus = await open()
    for (const n of numbers(1, 3)) await bus.publish(Counted, { id: "a", n })
    await bus.publish(Counted, { id: "b", n: 10 })
    await until(async () => (await bus.last(Counted, "b")) !== undefined)
    assert.strictEqual((await bus.last(Counted, "a"))?.data.n, 3)
    assert.isUndefined(await bus.last(Counted, "nobody"))
    const many = await bus.lastMany(Counted, ["a", "b", "nobody"])
    assert.deepStrictEqual([...many].map(([key, { data }]) => [key, data.n]).toSorted(), [
      ["a", 3],
      ["b", 10]
    ])
    const history = await bus.history(Counted, { key: "a", limit: 2 })
    assert.deepStrictEqual(
      history.map(({ data }) => data.n),
      [3, 2]
    )
    const pages = await all(bus.historyStream(Counted, { key: "a", pageSize: 2 }))
    assert.deepStrictEqual(
      pages.map(({ data }) => data.n),
      [3, 2, 1]
    )
  })

  it("streams live events, watches a key, and leaves with `break`", async () => {
    await using bus = await open()
    const live = take(2, bus.stream([Counted]))
    const ephemerals = async () => (await bus.tree()).subscribers.length
    await until(async () => (await ephemerals()) === 1)
    await bus.publish(Counted, { id: "w", n: 1 })
    await bus.publish(Counted, { id: "w", n: 2 })
    assert.deepStrictEqual(
      (await live).map((item) => (item._tag === "Event" ? item.event.data.n : item._tag)),
      [1, 2]
    )
    await until(async () => (await ephemerals()) === 0)

    await until(async () => (await bus.last(Counted, "w"))?.data.n === 2)
    const watched = bus.watch(Counted, "w")[Symbol.asyncIterator]()
    assert.strictEqual((await watched.next()).value?.data.n, 2)
    await bus.publish(Counted, { id: "w", n: 3 })
    assert.strictEqual((await watched.next()).value?.data.n, 3)
    await watched.return?.()
  })
}
