/** Every example of the README, run. */
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Fiber, Layer, Option, Stream } from "effect"
import { spawn } from "node:child_process"
import { join } from "node:path"
import { CurrentActor, DeadLetters, EventBus, EventBusMemory } from "../../src/index.ts"
import { AccountClosed, ProfileUpdated, user } from "./define.ts"
import { handlers } from "./handlers.ts"
import { isReady, replayRejected } from "./operate.ts"
import { main } from "./promises.ts"
import { program } from "./publish.ts"
import { languages, lastProfile, login } from "./remember.ts"
import { service } from "./see.ts"
import { Billing, closedAccounts, Directory, Goodbye } from "./subscribe.ts"

const until = <R>(condition: Effect.Effect<boolean, unknown, R>) =>
  Effect.gen(function* () {
    for (let n = 0; n < 500 && !(yield* condition); n++) yield* Effect.sleep("10 millis")
    assert.isTrue(yield* condition)
  })

describe("examples", () => {
  it.live("a service with telemetry and endpoints starts and ends", () =>
    Effect.asVoid(Layer.build(service(0))).pipe(
      Effect.scoped,
      Effect.provide(
        ConfigProvider.layer(ConfigProvider.fromEnvRecord({ EVENTBUS_URL: "memory://", EVENTBUS_SOURCE: "directory" }))
      )
    )
  )

  it("the first one runs, handles and stops with 0", async () => {
    const child = spawn(process.execPath, [join(import.meta.dirname, "grades.ts")], {
      env: { ...process.env, EVENTBUS_URL: "memory://", EVENTBUS_SOURCE: "academic" }
    })
    let output = ""
    const handled = new Promise<void>((resolve) => {
      child.stdout.on("data", (text: Buffer) => {
        output += text.toString()
        if (output.includes("mail to s-1: 93")) resolve()
      })
    })
    const ended = new Promise<number | null>((resolve) => child.on("exit", resolve))
    await handled
    child.kill("SIGTERM")
    assert.strictEqual(await ended, 0)
  })

  it("define: the group decodes, and tells its schemas", () => {
    assert.deepStrictEqual(Object.keys(user.jsonSchema()), [ProfileUpdated.name, AccountClosed.name])
    assert.strictEqual(user.match("user.account.*").events.length, 1)
  })

  it.live("publish: outcomes", () =>
    program.pipe(
      Effect.map(({ outcome, routed }) => {
        assert.isFalse(routed)
        assert.strictEqual(outcome, "nobody is bound to it")
      }),
      Effect.provide(EventBusMemory)
    )
  )

  it.live("subscribe, dead letters, health", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      const tail = yield* Effect.forkScoped((yield* closedAccounts).pipe(Stream.take(1), Stream.runCollect))
      yield* until(Effect.map(bus.subscriptions, (all) => all.length === 3))
      yield* bus.publish(AccountClosed, { userId: "u-9" })
      yield* bus.publish(AccountClosed, { userId: "" }, { key: "nobody" })
      assert.deepStrictEqual(yield* Fiber.join(tail), ["u-9"])
      const letters = yield* DeadLetters
      yield* until(Effect.map(letters.count("directory.accounts"), (count) => count === 1))
      assert.strictEqual((yield* replayRejected).replayed, 1)
      assert.strictEqual(yield* isReady, "up")
      const [directory] = yield* bus.subscriptions
      assert.isDefined(directory)
      yield* until(Effect.map(letters.count("directory.accounts"), (count) => count === 1))
    }).pipe(Effect.scoped, Effect.provide(Layer.merge(Directory, Goodbye).pipe(Layer.provideMerge(EventBusMemory))))
  )

  it.live("subscribe: an event that comes twice is billed once", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      for (const _ of [1, 2]) yield* bus.publish(AccountClosed, { userId: "u-1" }, { id: "closing-of-u-1" })
      const [billing] = yield* bus.subscriptions
      assert.isDefined(billing)
      yield* until(Effect.map(billing.stats, ({ duplicates, handled }) => handled === 1 && duplicates === 1))
    }).pipe(Effect.provide(Billing.pipe(Layer.provideMerge(EventBusMemory))))
  )

  it.live("remember: the last one, the past, what changes, and what is forgotten", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      assert.isTrue(Option.isNone((yield* lastProfile).last))
      const profile = { userId: "u-1", email: "u-1@example.com" }
      const read = yield* Effect.forkScoped((yield* languages).pipe(Stream.take(2), Stream.runCollect))
      yield* bus.publish(ProfileUpdated, { ...profile, language: "de" })
      yield* until(Effect.map(lastProfile, ({ all, before, many }) => many.size + before.length + all.length === 3))
      const live = bus.publish(ProfileUpdated, { ...profile, language: "fr" })
      yield* until(Effect.map(live, ({ routed }) => routed === true))
      assert.deepStrictEqual(yield* Fiber.join(read), ["de", "fr"])
      assert.strictEqual(Option.getOrUndefined(yield* login)?.digits, "123456")
    }).pipe(
      Effect.scoped,
      Effect.provideService(CurrentActor, { id: "u-1", role: "student" }),
      Effect.provide(EventBusMemory)
    )
  )

  handlers()

  it("without Effect", async () => {
    assert.strictEqual((await main()).userId, "u-1")
  })
})
