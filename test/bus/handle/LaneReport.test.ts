/** The tree of a bus as data, with the lanes of its keyed subscribers. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { fresh, keyed, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import * as Stage from "../Stage.ts"

describe("tree", () => {
  it.effect("contains status, figures, lag and lanes of each subscriber, and the publishes in flight", () =>
    Effect.gen(function* () {
      const { bus } = yield* Stage.make
      const Changed = keyed()
      const [lanes, plain] = [fresh("lanes"), fresh("plain")]
      yield* bus.subscribe(lanes, {
        events: [Changed],
        ordering: "key",
        concurrency: 2,
        prefetch: 6,
        retry: Schedule.spaced("1 minute"),
        handler: ({ data: { k } }) => (k === "a" ? Effect.fail("not yet") : Effect.never)
      })
      yield* bus.subscribe(plain, { events: [Changed], handler: () => Effect.void })
      // Two events of a, two of b, three of c and one of d. Six are held at once.
      const data = [..."aabbcccd"].map((k, n) => ({ n, k }))
      yield* Effect.forkChild(bus.publishAll(Changed, data), { startImmediately: true })
      yield* Stage.pass(20_000, 1_000)
      const tree = yield* bus.tree
      assert.deepInclude(tree, { source: "suite", namespace: "test" })
      assert.strictEqual(tree.broker._tag, "Up")
      assert.deepStrictEqual(tree.publishing, { inFlight: 0, bytes: 0, waiting: 0 })
      const [first, second] = tree.subscribers
      assert.deepInclude(first, { name: lanes, ordering: "key", _tag: "Running", inFlight: 2, held: 6, restarts: 0 })
      assert.strictEqual(first?.lag.ready, 2)
      assert.instanceOf(first?.lag.oldest, Date)
      assert.deepStrictEqual(
        first?.keys.map(({ attempt, behind, head, key }) => [key, head, attempt, behind]),
        [
          ["a", "waiting", 2, 1],
          ["b", "running", 1, 1],
          ["c", "running", 1, 1]
        ]
      )
      assert.deepInclude(second, {
        name: plain,
        handled: 8,
        held: 0,
        keys: [],
        lag: { ready: 0, oldest: undefined, fault: undefined }
      })
    })
  )

  it.effect("P5: names the first event of a parked key, however often that was parked again behind the others", () =>
    Effect.gen(function* () {
      const { bus } = yield* Stage.make
      const Changed = keyed()
      const subscription = yield* bus.subscribe(fresh(), {
        events: [Changed],
        ordering: "key",
        prefetch: 8,
        retry: Schedule.spaced("3 seconds"),
        handler: ({ data: { n } }) => (n === 0 ? Effect.fail("not now") : Effect.void)
      })
      const { id } = yield* bus.publish(Changed, { n: 0, k: "a" })
      yield* bus.publishAll(
        Changed,
        upTo(19).map((n) => ({ n: n + 1, k: "a" }))
      )
      // Between two of its attempts, of which each ends with a new copy.
      yield* Stage.pass(Stage.seconds(10), 100)
      const { keys } = yield* subscription.tree
      assert.deepStrictEqual(keys, [{ key: "a", head: "parked", id, attempt: 5, behind: 19 }])
    })
  )
})
