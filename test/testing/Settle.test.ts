/** `settle`: no real time for handlers that pass their deadline, and as much as real work needs. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Duration, Effect, Layer, Schedule, Schema } from "effect"
import { execFile } from "node:child_process"
import { readFile } from "node:fs/promises"
import { connect, createServer } from "node:net"
import { once } from "node:events"
import { promisify } from "node:util"
import { DeadLetters, Event, EventBus, Subscriber } from "../../src/index.ts"
import { TestBus } from "../../src/testing/index.ts"
import { RealWork } from "../../src/testing/RealWork.ts"

const Posted = Event.make("settle.post.created", { version: 1, data: Schema.Struct({ n: Schema.Int }) })

/** Publishes an event, settles, and returns how many real timers were set meanwhile, and what became of the event. */
const settled = (handler: (n: number) => Effect.Effect<unknown, unknown>, retries: number) => {
  let attempts = 0
  const Feed = Subscriber.layer("settle.feed", {
    events: [Posted],
    deadline: "2 minutes",
    retry: Schedule.spaced("1 second").pipe(Schedule.upTo({ times: retries })),
    handler: ({ data }) => Effect.suspend(() => (attempts++, handler(data.n)))
  })
  return Effect.gen(function* () {
    yield* (yield* EventBus).publish(Posted, { n: 1 })
    const original = globalThis.setTimeout
    let timers = 0
    globalThis.setTimeout = Object.assign((...args: Parameters<typeof setTimeout>) => {
      timers++
      return original(...args)
    }, original)
    yield* Effect.ensuring(
      (yield* TestBus).settle,
      Effect.sync(() => void (globalThis.setTimeout = original))
    )
    return { attempts, timers, letters: yield* (yield* DeadLetters).count("settle.feed") }
  }).pipe(Effect.provide(Feed.pipe(Layer.provideMerge(TestBus.layer))))
}

describe("settle", () => {
  it.effect.each([
    ["never end", () => Effect.never],
    ["wait for a Promise that never resolves", () => Effect.promise(() => new Promise(() => {}))],
    ["wait for the clock", () => Effect.sleep("10 minutes")],
    ["wait for another fiber", () => Effect.flatMap(Deferred.make<void>(), Deferred.await)]
  ] as const)("takes no real time for handlers that pass their deadline: those that %s", ([, handler]) =>
    Effect.gen(function* () {
      const { attempts, letters, timers } = yield* settled(handler, 20)
      assert.deepStrictEqual([attempts, letters], [21, 1])
      // A moment of patience for each attempt, and not for each of the 76 steps of the clock to its deadline.
      assert.isBelow(timers, 21 * 38)
    })
  )

  it.effect.each([
    ["a timer", async () => new Promise((resolve) => setTimeout(resolve, 300))],
    [
      "a chain of turns",
      async () => {
        for (let n = 0; n < 2_000; n++) await new Promise((resolve) => setImmediate(resolve))
      }
    ],
    [
      "a file",
      async () => {
        for (let n = 0; n < 200; n++) await readFile(import.meta.filename)
      }
    ],
    ["another process", async () => promisify(execFile)(process.execPath, ["-e", "setTimeout(() => {}, 200)"])],
    [
      "a socket",
      async () => {
        const server = createServer((socket) => void setTimeout(() => socket.end("x"), 300)).listen(0, "127.0.0.1")
        await once(server, "listening")
        const address = server.address()
        const socket = connect(typeof address === "object" ? (address?.port ?? 0) : 0, "127.0.0.1")
        await once(socket, "data")
        server.close()
      }
    ]
  ] as const)("waits for real work, whatever its deadline: %s", ([, work]) =>
    Effect.gen(function* () {
      const { attempts, letters } = yield* settled(() => Effect.promise<unknown>(work), 0)
      assert.deepStrictEqual([attempts, letters], [1, 0])
    })
  )

  it.effect("goes on where a delay ends late, since its sleep began when the clock had moved on", () =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const late = Object.create(clock, {
        sleep: {
          value: (duration: Duration.Duration) =>
            Duration.toMillis(duration) === 1000
              ? Effect.andThen(
                  Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 50))),
                  clock.sleep(duration)
                )
              : clock.sleep(duration)
        }
      })
      const { attempts, letters } = yield* Effect.provideService(
        settled(() => Effect.fail("no"), 3),
        Clock.Clock,
        late
      )
      assert.deepStrictEqual([attempts, letters], [4, 1])
    })
  )

  it("sees that another thread computes by the time that the process takes of the processor", () => {
    const work = new RealWork()
    work.begin()
    const { system, user } = process.cpuUsage()
    for (let used = 0; used < 10_000;) {
      const now = process.cpuUsage()
      used = now.user + now.system - user - system
    }
    assert.isTrue(work.hasComputed())
    work.begin()
    assert.isFalse(work.hasComputed())
  })
})
