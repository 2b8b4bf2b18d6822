/** A process in its fleet: what it says of itself, and how it obeys operators. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Scope, SubscriptionRef } from "effect"
import { CacheError } from "../../../src/bus/port/CacheError.ts"
import { CacheRefused, CacheUnavailable } from "../../../src/bus/port/CacheReason.ts"
import { Fleet, type OperatorPause, type Presence } from "../../../src/bus/port/Fleet.ts"
import type { Runner } from "../../../src/bus/handle/RunnerApi.ts"
import * as FleetMember from "../../../src/bus/supervise/FleetMember.ts"
import * as PauseControl from "../../../src/bus/supervise/PauseControl.ts"
import type { SubscriberStats, SubscriberStatus, Subscription } from "../../../src/bus/subscriber/Subscription.ts"
import * as MemoryBroker from "../../../src/memory/MemoryBroker.ts"
import * as MemoryCache from "../../../src/memory/MemoryCache.ts"
import * as MemoryFleet from "../../../src/memory/fleet/MemoryFleet.ts"
import { KnownEvents } from "../../../src/bus/support/KnownEvents.ts"
import { MemoryServer } from "../../../src/memory/MemoryServer.ts"
import { processOver, start } from "../../../src/ports/conformance/setup/BusProcess.ts"
import { fresh, keyed } from "../../../src/ports/conformance/setup/TestEvents.ts"
import * as Stage from "../Stage.ts"

const pause: OperatorPause = { by: "alice", since: new Date(0), reason: "the mail server is down" }
const away = new CacheError({ reason: new CacheUnavailable({ detail: "away" }) })

/** Processes over one broker and one fleet, which can be away, and how often it was asked. */
const stage = Effect.gen(function* () {
  const server = yield* MemoryServer.make
  const fleet = yield* MemoryFleet.make
  const state = { isAway: false, isSilent: false, asked: 0 }
  const asked = <A>(work: Effect.Effect<A, CacheError>): Effect.Effect<A, CacheError> =>
    Effect.suspend(() => {
      state.asked++
      return state.isAway ? Effect.fail(away) : work
    })
  const shared = Fleet.of({
    ...fleet,
    appear: (presence) => asked(Effect.suspend(() => (state.isSilent ? Effect.never : fleet.appear(presence)))),
    pauses: asked(fleet.pauses),
    leave: (process) => asked(fleet.leave(process))
  })
  const ports = () =>
    Layer.mergeAll(MemoryBroker.layerOf(server, { namespace: "test" }), MemoryCache.layer, Layer.succeed(Fleet, shared))
  const begin = Stage.runningOut(start(Layer.suspend(() => processOver(ports(), { drainTimeout: "25 seconds" }))))
  const seen = Effect.map(fleet.processes, (all) => all.map(({ record }) => record as Presence))
  return { fleet, state, begin, seen }
})

const statusOf = ({ status }: Subscription) => SubscriptionRef.getUnsafe(status)

describe("a process in its fleet", () => {
  for (const ordering of ["none", "key"] as const) {
    it.effect(`an operator's pause reaches each process, and those that start later; ordering "${ordering}"`, () =>
      Effect.gen(function* () {
        const { begin, fleet } = yield* stage
        const Changed = keyed()
        const name = fresh()
        const handled: Array<number> = []
        const options = {
          events: [Changed],
          ordering,
          handler: (event: { readonly data: { readonly n: number } }) =>
            Effect.sync(() => void handled.push(event.data.n))
        } as const
        const first = yield* begin
        const one = yield* first.subscribe(name, options)
        const publish = (n: number) =>
          Effect.andThen(
            Effect.forkChild(first.bus.publish(Changed, { n, k: "k" }), { startImmediately: true }),
            Stage.pass(1_000, 100)
          )
        yield* publish(0)
        yield* fleet.pause(name, pause)
        yield* Stage.pass(5_000, 500)
        assert.deepInclude(statusOf(one), {
          _tag: "Paused",
          cause:
            "an operator paused it in all processes: alice, since 1970-01-01T00:00:00.000Z: the mail server is down"
        })
        yield* publish(1)
        const second = yield* begin
        const two = yield* second.subscribe(name, options)
        assert.strictEqual(statusOf(two)._tag, "Paused")
        yield* first.stop
        yield* Stage.pass(60_000, 1_000)
        assert.deepStrictEqual(handled, [0], "it was handled during the pause")
        yield* fleet.resume(name)
        yield* Stage.pass(6_000, 500)
        assert.strictEqual(statusOf(two)._tag, "Running")
        assert.deepStrictEqual(handled, [0, 1])
      })
    )
  }

  it.effect("a process that starts knows what is paused before its first handler", () =>
    Effect.gen(function* () {
      const { begin, fleet, state } = yield* stage
      const Changed = keyed()
      const name = fresh()
      const handled: Array<number> = []
      const options = {
        events: [Changed],
        handler: (event: { readonly data: { readonly n: number } }) =>
          Effect.sync(() => void handled.push(event.data.n))
      }
      const first = yield* begin
      yield* first.subscribe(name, options)
      yield* first.stop
      yield* fleet.pause(name, pause)
      const second = yield* begin
      yield* Effect.forkChild(second.bus.publish(Changed, { n: 1, k: "k" }), { startImmediately: true })
      yield* Stage.pass(1_000, 100)
      // It cannot say that it is there, and asks.
      state.isSilent = true
      const subscription = yield* second.subscribe(name, options)
      yield* Stage.pass(60_000, 1_000)
      assert.deepStrictEqual([handled, statusOf(subscription)._tag], [[], "Paused"])
    })
  )

  it.effect("a pause of before the start holds handlers back until the consumer can be paused", () =>
    Effect.gen(function* () {
      const calls: Array<string> = []
      const note = (call: string) => (on: boolean) => void calls.push(`${call} ${on}`)
      // Nothing else of a runner is called here.
      const runner = { hold: (_: string, on: boolean) => note("hold")(on) } as unknown as Runner
      const log = { debugEnabled: false, debug: () => {}, info: () => {}, warning: () => {}, error: () => {} }
      const control = yield* PauseControl.make({
        subscriber: "s",
        pause: note("pause"),
        runner,
        log,
        show: () => Effect.void
      })
      yield* control.obey(pause)
      assert.deepStrictEqual(calls.splice(0), ["hold true"])
      yield* control.obey(undefined)
      assert.deepStrictEqual(calls.splice(0), ["hold false"])
      yield* control.obey(pause)
      yield* control.begin
      assert.deepStrictEqual(calls.splice(0), ["hold true", "pause true"])
      yield* control.obey(undefined)
      assert.deepStrictEqual(calls, ["pause false"])
    })
  )

  it.effect("the pauses of an operator and of the owner are two: neither ends the other", () =>
    Effect.gen(function* () {
      const { begin, fleet } = yield* stage
      const name = fresh()
      const service = yield* begin
      const subscription = yield* service.subscribe(name, { events: [keyed()], handler: () => Effect.void })
      yield* fleet.pause(name, pause)
      yield* Stage.pass(5_000, 500)
      yield* subscription.pause
      assert.match(statusOf(subscription).cause ?? "", /^an operator paused it.*; its owner paused it, too$/)
      yield* subscription.resume
      assert.strictEqual(statusOf(subscription)._tag, "Paused")
      yield* subscription.pause
      yield* fleet.resume(name)
      yield* Stage.pass(5_000, 500)
      assert.deepInclude(statusOf(subscription), { _tag: "Paused", cause: "its owner paused it" })
      yield* subscription.resume
      assert.deepInclude(statusOf(subscription), { _tag: "Running", cause: undefined })
    })
  )

  it.effect("P4: while the store is away nothing changes: what is paused stays paused, what runs goes on", () =>
    Effect.gen(function* () {
      const { begin, fleet, state } = yield* stage
      const [held, running, late] = [fresh(), fresh(), fresh()]
      const service = yield* begin
      const handler = () => Effect.void
      const one = yield* service.subscribe(held, { events: [keyed()], handler })
      const other = yield* service.subscribe(running, { events: [keyed()], handler })
      yield* fleet.pause(held, pause)
      yield* Stage.pass(5_000, 500)
      state.isAway = true
      yield* fleet.resume(held)
      yield* fleet.pause(running, pause)
      yield* Stage.pass(120_000, 1_000)
      assert.deepStrictEqual([statusOf(one)._tag, statusOf(other)._tag], ["Paused", "Running"])
      const later = yield* service.subscribe(late, { events: [keyed()], handler })
      const states = () => [one, other, later].map((each) => statusOf(each)._tag)
      assert.deepStrictEqual(states(), ["Paused", "Running", "Running"])
      state.isAway = false
      yield* Stage.pass(5_000, 500)
      assert.deepStrictEqual(states(), ["Running", "Paused", "Running"])
    })
  )

  it.effect("it says what it runs, once every five seconds, and nothing without a subscriber", () =>
    Effect.gen(function* () {
      const { begin, seen, state } = yield* stage
      const service = yield* begin
      yield* service.bus.subscribeEphemeral({ events: [keyed()], handler: () => Effect.void })
      yield* Stage.pass(60_000, 1_000)
      assert.deepStrictEqual([state.asked, yield* seen], [0, []])
      const Changed = keyed()
      const name = fresh()
      const scope = yield* Scope.make()
      yield* service.bus
        .subscribe(name, { events: [Changed], ordering: "key", handler: () => Effect.void })
        .pipe(Scope.provide(scope))
      yield* Stage.pass(1_000, 500)
      const [presence, ...others] = yield* seen
      assert.deepStrictEqual(others, [])
      assert.deepInclude(presence, { source: "suite" })
      assert.deepInclude(presence?.subscribers[0], {
        name,
        events: [Changed.name],
        ordering: "key",
        status: "Running",
        paused: null,
        held: 0
      })
      const before = state.asked
      yield* Stage.pass(60_000, 500)
      assert.strictEqual(state.asked - before, 12)
      yield* Scope.close(scope, Exit.void)
      yield* Stage.pass(6_000, 500)
      assert.deepStrictEqual(yield* seen, [])
      const after = state.asked
      yield* Stage.pass(60_000, 500)
      assert.strictEqual(state.asked, after, "it asks without a subscriber")
    })
  )

  it.effect("what it obeys is said at once, and a process that ends says that it is gone", () =>
    Effect.gen(function* () {
      const { begin, fleet, seen } = yield* stage
      const name = fresh()
      const service = yield* begin
      yield* service.subscribe(name, { events: [keyed()], handler: () => Effect.void })
      yield* fleet.pause(name, pause)
      yield* Stage.pass(5_000, 500)
      const [presence] = yield* seen
      assert.deepInclude(presence?.subscribers[0], {
        status: "Paused",
        paused: { by: "alice", since: "1970-01-01T00:00:00.000Z", reason: "the mail server is down" }
      })
      yield* service.stop
      assert.deepStrictEqual(yield* seen, [])
    })
  )

  it.effect("a right that is missing is logged once, and nothing is paused", () =>
    Effect.gen(function* () {
      const fleet = yield* MemoryFleet.make
      const denied = Effect.fail(new CacheError({ reason: new CacheRefused({ code: "NOPERM", remedy: "grant it" }) }))
      const lines: Array<string> = []
      const write = (message: string): void => void lines.push(message)
      const log = { debugEnabled: false, debug: write, info: write, warning: write, error: write }
      const member = yield* FleetMember.make(Fleet.of({ ...fleet, appear: () => denied, pauses: denied }), {
        known: new KnownEvents(),
        log,
        process: "p",
        source: "s",
        connection: () => ({ status: "Up", since: "1970-01-01T00:00:00.000Z", inFlight: 0, waiting: 0 })
      })
      const obeyed: Array<OperatorPause | undefined> = []
      yield* member.join({
        subscriber: { name: fresh(), ordering: "none", patterns: [] },
        subscription: yield* idle,
        lag: () => ({ ready: undefined, oldest: undefined }),
        lanes: () => [],
        obey: (pause) => Effect.sync(() => void obeyed.push(pause))
      })
      yield* Stage.pass(60_000, 500)
      assert.deepStrictEqual(
        [lines, obeyed],
        [["operators do not see this process, and cannot pause its subscribers"], []]
      )
    })
  )
})

const stats: SubscriberStats = {
  held: 0,
  inFlight: 0,
  handled: 0,
  retried: 0,
  deadLettered: 0,
  postponed: 0,
  skipped: 0,
  duplicates: 0,
  returns: 0,
  zombies: 0,
  parked: 0,
  lanes: 0,
  claimed: 0,
  behindWaiting: 0,
  maxBehindWaiting: 0
}

/** A subscriber without a bus. */
const idle = Effect.map(
  SubscriptionRef.make<SubscriberStatus>({ _tag: "Running", since: new Date(0), restarts: 0, cause: undefined }),
  (status) => ({ status, stats: Effect.succeed(stats) })
)
