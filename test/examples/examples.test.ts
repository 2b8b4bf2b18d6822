/** The examples run: each part returns what it says, and each file is the program that a reader starts. */
import { assert, describe, it } from "@effect/vitest"
import { CurrentActor, DeadLetters, EventBus } from "@eduflow/events"
import { ConfigProvider, Effect, Fiber, Layer, Option, Stream } from "effect"
import { spawn } from "node:child_process"
import { join } from "node:path"
import { program as booking, service as ledger } from "../../examples/around.ts"
import { program as asking, service as academic } from "../../examples/requests.ts"
import { replayRejected } from "../../examples/dead-letters.ts"
import { AccountClosed, ProfileUpdated, schemas, user } from "../../examples/events.ts"
import { status } from "../../examples/health.ts"
import { Billing } from "../../examples/idempotent.ts"
import { languages, lastProfile, login } from "../../examples/last-known.ts"
import { onCall } from "../../examples/operations.ts"
import { main } from "../../examples/promises.ts"
import { program as refunding, service as accounts } from "../../examples/outbox.ts"
import { program } from "../../examples/publish.ts"
import { withoutEffect } from "../../examples/flow.ts"
import { placed } from "../../examples/validators.ts"
import { service } from "../../examples/service.ts"
import { closedAccounts, Directory, Goodbye } from "../../examples/subscribe.ts"
import { glob } from "../house/Sources.ts"

const embedded = EventBus.layerMemory()
const until = <R>(condition: Effect.Effect<boolean, unknown, R>) =>
  Effect.gen(function* () {
    for (let n = 0; n < 1_000 && !(yield* condition); n++) yield* Effect.sleep("10 millis")
    assert.isTrue(yield* condition)
  })

describe("the parts of the examples", () => {
  it.live("a service with telemetry, endpoints and operations starts and ends", () =>
    Effect.asVoid(Layer.build(Layer.merge(service(0), onCall(0)))).pipe(
      Effect.scoped,
      Effect.provide(
        ConfigProvider.layer(ConfigProvider.fromEnvRecord({ EVENTBUS_URL: "memory://", EVENTBUS_SOURCE: "directory" }))
      )
    )
  )

  it.effect("events: the group matches and gives schemas", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(Object.keys(yield* schemas), [ProfileUpdated.name, AccountClosed.name])
      assert.strictEqual(user.match("user.account.*").events.length, 1)
    })
  )

  it.live("validators: a publish names the fields that zod refuses", () =>
    placed.pipe(
      Effect.map((outcome) => assert.strictEqual(outcome, "data.email")),
      Effect.provide(embedded)
    )
  )

  it.live("publish: outcomes", () =>
    program.pipe(
      Effect.map(({ outcome, routed }) => {
        assert.isFalse(routed)
        assert.strictEqual(outcome, "no subscriber is bound")
      }),
      Effect.provide(embedded)
    )
  )

  it.live("subscribe, dead letters, health", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      const stream = yield* Effect.forkScoped((yield* closedAccounts).pipe(Stream.take(1), Stream.runCollect))
      yield* until(Effect.map(bus.tree, ({ subscribers }) => subscribers.length === 3))
      yield* bus.publish(AccountClosed, { userId: "u-9" })
      yield* bus.publish(AccountClosed, { userId: "nobody" })
      assert.deepStrictEqual(yield* Fiber.join(stream), ["u-9"])
      const letters = yield* DeadLetters
      yield* until(Effect.map(letters.count("directory.accounts"), (count) => count === 1))
      assert.strictEqual((yield* replayRejected).replayed, 1)
      assert.strictEqual(yield* status, "up")
      yield* until(Effect.map(letters.count("directory.accounts"), (count) => count === 1))
    }).pipe(Effect.scoped, Effect.provide(Layer.merge(Directory, Goodbye).pipe(Layer.provideMerge(embedded))))
  )

  it.live("idempotent: an event that comes twice is billed once", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      for (const _ of [1, 2]) yield* bus.publish(AccountClosed, { userId: "u-1" }, { id: "closing-of-u-1" })
      yield* until(
        Effect.map(bus.tree, ({ subscribers: [billing] }) => billing?.handled === 1 && billing.duplicates === 1)
      )
    }).pipe(Effect.provide(Billing.pipe(Layer.provideMerge(embedded))))
  )

  it.live("last known: the last event, history, changes, and expiry", () =>
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
      Effect.provide(embedded)
    )
  )

  it.live("outbox: an account is closed and its refund is written, once", () =>
    Effect.asVoid(
      Effect.map(refunding, (refunds) => assert.deepStrictEqual(refunds, ["u-1"])).pipe(
        Effect.provide(accounts(":memory:"))
      )
    )
  )

  it.live("requests: a reply, a declared error, and the answers of everybody", () =>
    asking.pipe(
      Effect.map((lines) =>
        assert.deepStrictEqual(lines, ["c-7 has 3 seats", "there is no course c-8", "academic.seats: Success"])
      ),
      Effect.provide(academic)
    )
  )

  it.live("around: what the first attempt wrote is rolled back with its transaction", () =>
    booking.pipe(
      Effect.map((rows) => assert.deepStrictEqual(rows, ["u-1, attempt 2"])),
      Effect.provide(ledger)
    )
  )

  it("without Effect", async () => {
    assert.strictEqual((await main()).userId, "u-1")
    assert.isFalse((await withoutEffect()).routed)
  })
})

/** The output that shows the point of each program; services are stopped then and drain. */
const programs: Readonly<Record<string, { readonly prints: string; readonly serves?: true }>> = {
  around: { prints: "u-1, attempt 2" },
  batches: { prints: "index u-1" },
  "other-systems": { prints: "invoice for o-1" },
  "dead-letters": { prints: "1 would be replayed" },
  "dead-letters-promises": { prints: "1 would be replayed" },
  flow: { prints: "school-7: u-1, by app" },
  events: { prints: '"user.account.closed"' },
  health: { prints: "up" },
  deploy: { prints: "goodbye u-1" },
  idempotent: { prints: "final invoice for u-1" },
  "last-known": { prints: "1 remembered, the last one speaks de" },
  outbox: { prints: "refund for u-1" },
  order: { prints: "book u-2" },
  promises: { prints: "userId: 'u-1'" },
  publish: { prints: "no subscriber is bound" },
  "publish-promises": { prints: "no subscriber is bound" },
  recurring: { prints: "invoices of 2" },
  requests: { prints: "there is no course c-8" },
  "quick-start": { prints: "mail to s-1: 93", serves: true },
  "quick-start-promises": { prints: "mail to s-1: 93", serves: true },
  service: { prints: "", serves: true },
  operations: { prints: "", serves: true },
  subscribe: { prints: "account of u-9 closed, attempt 2" },
  validators: { prints: "data.email" },
  web: { prints: "{ ready: 200, metrics: true }" }
}

/** Runs `npm run example -- NAME` without npm; resolves with its exit code and output. */
const run = (name: string, { prints, serves }: { readonly prints: string; readonly serves?: true }) =>
  new Promise<{ readonly code: number | null; readonly output: string }>((resolve, reject) => {
    const child = spawn(process.execPath, ["--conditions=@eduflow/source", join("examples", `${name}.ts`)], {
      env: { ...process.env, EVENTBUS_URL: "memory://", NO_COLOR: "1" }
    })
    let output = ""
    const onText = (text: Buffer): void => {
      output += text.toString()
      if (serves && output.includes(prints)) child.kill("SIGTERM")
    }
    child.stdout.on("data", onText)
    child.stderr.on("data", onText)
    child.on("error", reject)
    child.on("exit", (code) => resolve({ code, output }))
  })

describe("the programs of the examples", () => {
  it("are all listed here", () => {
    const found = glob("examples/*.ts").filter((file) => !file.endsWith(".test.ts"))
    assert.deepStrictEqual(
      found.map((file) => file.slice("examples/".length, -".ts".length)).toSorted(),
      Object.keys(programs).toSorted()
    )
  })

  it.each(Object.entries(programs).filter(([, { prints }]) => prints !== ""))("%s", async (name, program) => {
    const { code, output } = await run(name, program)
    assert.include(output, program.prints)
    assert.strictEqual(code, 0, output)
  })
})
