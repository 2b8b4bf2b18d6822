/** `eventbus ps`, `pause`, `resume` and `release`, with services that run as the least users, and an operator. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, References, Schedule, Schema, Scope, SubscriptionRef } from "effect"
import { userInfo } from "node:os"
import * as FleetReports from "../../src/operations/FleetReports.ts"
import * as AclRules from "../../src/redis/connection/AclRules.ts"
import { Event, EventBus } from "../../src/index.ts"
import { describeLive, freshNamespace, rabbitUrl } from "../support/live.ts"
import { startRedis } from "../support/RedisNode.ts"
import { eventbus, reported, type Settings } from "./Eventbus.ts"

const Posted = Event.make("test.posted", {
  version: 1,
  data: Schema.Struct({ text: Schema.String }),
  key: ({ text }) => text
})

/** Other data of the same type under the same version. */
const Changed = Event.make("test.posted", {
  version: 1,
  data: Schema.Struct({ text: Schema.String.check(Schema.isMinLength(1)) }),
  key: ({ text }) => text
})

const until = <E>(what: string, condition: Effect.Effect<boolean, E>) =>
  Effect.repeat(condition, { until: (met) => met, schedule: Schedule.spaced("20 millis") }).pipe(
    Effect.timeoutOrElse({ duration: "2 minutes", orElse: () => Effect.die(new Error(`never: ${what}`)) })
  )

const decoded = <S extends Schema.Codec<unknown, unknown>>(
  schema: S,
  settings: Settings,
  ...args: ReadonlyArray<string>
) =>
  Effect.gen(function* () {
    const { code, report } = yield* reported(settings, ...args)
    return { code, report: yield* Schema.decodeUnknownEffect(schema)(report) }
  })

describe("operations on the fleet without Redis", () => {
  it.live("say that they need it, and change nothing", () =>
    Effect.gen(function* () {
      for (const args of [["ps"], ["pause", "mailer", "--yes"], ["resume", "mailer", "--yes"]]) {
        const { code, err, out } = yield* eventbus({ EVENTBUS_URL: "memory://" }, ...args)
        assert.deepStrictEqual([code, out], [2, ""])
        assert.include(err, "EVENTBUS_REDIS_URL")
        assert.include(err, "subscription.pause")
      }
    })
  )
})

describeLive(
  "the fleet in Redis",
  () => {
    const stage = Effect.gen(function* () {
      const redis = yield* Effect.acquireRelease(
        Effect.promise(() => startRedis()),
        (node) => Effect.promise(() => node.stop())
      )
      const namespace = freshNamespace()
      const users = {
        grades: AclRules.rulesOfService(namespace, `${namespace}-grades`),
        operator: AclRules.rulesOfOperator(namespace)
      }
      for (const [user, rules] of Object.entries(users))
        yield* Effect.promise(() => redis.cli("ACL", "SETUSER", user, "on", ">pw", ...rules.split(" ")))
      const urlAs = (user: keyof typeof users): string => redis.url.replace("//", `//${user}:pw@`)
      const as = (user: keyof typeof users): Settings => ({
        EVENTBUS_URL: "memory://",
        EVENTBUS_REDIS_URL: urlAs(user),
        EVENTBUS_NAMESPACE: namespace
      })
      /** A process that handles what it publishes; its broker is its own. */
      const beginWith = Effect.fnUntraced(function* (contract: typeof Posted) {
        const scope = yield* Scope.fork(yield* Effect.scope)
        const live = EventBus.layerAmqp({
          url: "memory://",
          redisUrl: urlAs("grades"),
          redisTimeout: "10 seconds",
          stateNamespace: `${namespace}-grades`,
          namespace,
          source: "grades"
        })
        const context = yield* Layer.buildWithScope(
          Layer.provide(Layer.fresh(live), Layer.succeed(References.MinimumLogLevel, "None" as const)),
          scope
        )
        const bus = Context.get(context, EventBus)
        const handled: Array<string> = []
        const { status } = yield* bus
          .subscribe("mailer", {
            events: [contract],
            handler: ({ data }) => Effect.sync(() => void handled.push(data.text))
          })
          .pipe(Scope.provide(scope))
        return { bus, handled, status: () => SubscriptionRef.getUnsafe(status), stop: Scope.close(scope, Exit.void) }
      })
      return { redis, as, begin: beginWith(Posted), beginWith }
    })

    it.live("shows processes, pauses all of them and those that start later, and resumes them", () =>
      Effect.gen(function* () {
        const { as, begin } = yield* stage
        const [one, two] = [yield* begin, yield* begin]
        const operator = as("operator")
        const ps = Effect.map(decoded(FleetReports.Ps, operator, "ps"), ({ report }) => report)
        yield* until(
          "both are seen",
          Effect.map(ps, ({ processes }) => processes.length === 2)
        )
        const [found] = (yield* ps).processes
        assert.deepInclude(found, { source: "grades", pid: process.pid })
        assert.deepInclude(found?.subscribers[0], { name: "mailer", events: ["test.posted"], ordering: "none" })

        const tried = yield* decoded(FleetReports.PauseOrder, operator, "pause", "mailer")
        assert.deepInclude(tried.report, { dryRun: true, changed: true, pending: 0 })
        assert.deepStrictEqual((yield* ps).paused, [])
        const why = ["--reason", "the mail server is down"]
        const done = yield* decoded(FleetReports.PauseOrder, operator, "pause", "mailer", ...why, "--yes")
        assert.deepInclude(done, { code: 0 })
        assert.deepInclude(done.report, { dryRun: false, changed: true, pending: 0 })
        assert.deepStrictEqual(
          done.report.processes.map(({ paused, status }) => [paused, status]),
          [
            [true, "Paused"],
            [true, "Paused"]
          ]
        )
        assert.deepInclude(done.report.pause, { by: userInfo().username, reason: "the mail server is down" })
        assert.include(one.status().cause, "the mail server is down")

        yield* two.stop
        const three = yield* begin
        yield* three.bus.publish(Posted, { text: "held" })
        assert.strictEqual(three.status()._tag, "Paused")
        const again = yield* decoded(FleetReports.PauseOrder, operator, "pause", "mailer", "--as", "bob", "--yes")
        assert.deepInclude(again.report, { changed: false, pending: 0 })
        assert.strictEqual(again.report.pause.by, userInfo().username)
        const shown = yield* eventbus(operator, "ps", "--subscriber", "mailer")
        assert.match(shown.out, /mailer +Paused.*an operator paused it/)
        assert.match(shown.out, /^paused mailer: by .*: the mail server is down$/m)
        assert.deepStrictEqual(three.handled, [])

        const resumed = yield* decoded(FleetReports.ResumeOrder, operator, "resume", "mailer", "--yes")
        assert.deepInclude(resumed.report, { dryRun: false, changed: true, pending: 0 })
        yield* until(
          "it is handled",
          Effect.sync(() => three.handled.length === 1)
        )
        assert.deepStrictEqual([one.status()._tag, three.status()._tag], ["Running", "Running"])
        const none = yield* decoded(FleetReports.ResumeOrder, operator, "resume", "mailer")
        assert.deepInclude(none.report, { changed: false, pause: null })
      })
    )

    it.live("names processes that disagree about a contract", () =>
      Effect.gen(function* () {
        const { as, begin, beginWith } = yield* stage
        yield* begin
        const operator = as("operator")
        const ps = Effect.map(decoded(FleetReports.Ps, operator, "ps"), ({ report }) => report)
        const said = (count: number) =>
          until(
            `${count} say what their contracts are`,
            Effect.map(ps, ({ processes }) => processes.filter((one) => one.contracts !== undefined).length === count)
          )
        yield* said(1)
        assert.deepStrictEqual((yield* ps).disagreements, [])
        yield* beginWith(Changed)
        yield* said(2)
        const [found] = (yield* ps).disagreements
        assert.deepInclude(found, { event: "test.posted", kind: "data", version: 1 })
        const sentence = "version 1 of test.posted is not the same data in all processes: grades "
        assert.include((yield* eventbus(operator, "ps")).out, sentence)
        const doctor = yield* eventbus(operator, "doctor")
        assert.strictEqual(doctor.code, 4)
        assert.include(doctor.out, "contracts.differ")
        assert.include(doctor.out, sentence)
      })
    )

    it.live("the user of a service sees the fleet and pauses nothing", () =>
      Effect.gen(function* () {
        const { as, begin, redis } = yield* stage
        const { status } = yield* begin
        const service = as("grades")
        const { code, report } = yield* reported(service, "pause", "mailer", "--yes")
        assert.deepStrictEqual([code, report["error"]], [1, "PauseDenied"])
        assert.include(report["message"], "eventbus grants")
        assert.strictEqual((yield* reported(service, "ps")).code, 0)
        assert.strictEqual(status()._tag, "Running")
        yield* eventbus(as("operator"), "pause", "mailer", "--yes")
        assert.strictEqual((yield* reported(service, "resume", "mailer", "--yes")).report["error"], "PauseDenied")
        assert.strictEqual(status()._tag, "Paused")
        const keys = (yield* Effect.promise(() => redis.cli("KEYS", "*@fleet*"))).split("\n").length
        assert.strictEqual(keys, 3)
      })
    )

    it.live("a process that hangs has not followed: exit code 4", () =>
      Effect.gen(function* () {
        const { as, begin, redis } = yield* stage
        yield* begin
        const operator = as("operator")
        // It says what a process would say, and never follows.
        const record = { process: "x", source: "s", host: "h", pid: 1, library: "l", startedAt: "t", subscribers: [] }
        const [seen] = (yield* decoded(FleetReports.Ps, operator, "ps")).report.processes
        const hanging = JSON.stringify({ ...record, subscribers: seen?.subscribers })
        const fleet = `${operator["EVENTBUS_NAMESPACE"]}:{@fleet}`
        yield* Effect.promise(() => redis.cli("HSET", `${fleet}:processes`, "x", hanging))
        yield* Effect.promise(() => redis.cli("ZADD", `${fleet}:seen`, "9999999999999", "x"))
        const { code, err, out } = yield* eventbus(operator, "pause", "mailer", "--yes")
        assert.strictEqual(code, 4, err)
        assert.include(out, "1 of them have not followed")
        for (const args of [
          ["pause", "Mailer"],
          ["pause", "mailer", "--as", " "],
          ["resume", "a b"]
        ])
          assert.strictEqual((yield* eventbus(operator, ...args)).code, 2)
      })
    )
  },
  ["redisNode"]
)

describeLive(
  "eventbus release",
  () => {
    it.live("lets a parked key run before its time, without Redis", () =>
      Effect.gen(function* () {
        const namespace = freshNamespace()
        const settings = { EVENTBUS_URL: rabbitUrl(), EVENTBUS_NAMESPACE: namespace }
        yield* Effect.gen(function* () {
          const bus = yield* EventBus
          let isDown = true
          const handled: Array<string> = []
          const { stats } = yield* bus.subscribe("mailer", {
            events: [Posted],
            ordering: "key",
            onBlocked: "park",
            prefetch: 4,
            retry: Schedule.spaced("1 hour"),
            handler: ({ data }) =>
              Effect.suspend(() => (isDown ? Effect.fail("down") : Effect.sync(() => void handled.push(data.text))))
          })
          yield* bus.publish(Posted, { text: "a" })
          yield* until(
            "it is parked",
            Effect.map(stats, ({ parked }) => parked === 1)
          )
          isDown = false
          const tried = yield* decoded(FleetReports.ReleaseOrder, settings, "release", "mailer", "--event-key", "a")
          assert.deepInclude(tried, { code: 0 })
          assert.deepInclude(tried.report, { dryRun: true, sent: false, key: "a", parked: null })
          const wrong = yield* eventbus(settings, "release", "nobody", "--yes")
          assert.strictEqual(wrong.code, 1)
          assert.include(wrong.err, "nobody")
          assert.deepStrictEqual(handled, [])
          const done = yield* eventbus(settings, "release", "mailer", "--yes")
          assert.deepInclude(done, { code: 0, out: "every parked key of mailer was asked to run now" })
          yield* until(
            "it is handled",
            Effect.sync(() => handled.length === 1)
          )
        }).pipe(Effect.scoped, Effect.provide(EventBus.layerAmqp({ url: rabbitUrl(), namespace, publishChannels: 1 })))
      })
    )
  },
  ["rabbit"]
)
