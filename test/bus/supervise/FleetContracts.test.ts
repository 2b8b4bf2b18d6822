/** The contracts of processes in their fleet: what each says of them, and the warning of a deploy in the wrong order. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { Event } from "../../../src/index.ts"
import { Fleet, type Presence } from "../../../src/bus/port/Fleet.ts"
import { DeadLetters } from "../../../src/bus/deadletter/DeadLetters.ts"
import { type EventBus, layerWithInternals } from "../../../src/bus/EventBus.ts"
import { EventCache } from "../../../src/bus/read/EventCache.ts"
// Loaded here, since what a bus loads later takes real time.
import * as Digest from "../../../src/contracts/Digest.ts"
import * as MemoryBroker from "../../../src/memory/MemoryBroker.ts"
import * as MemoryCache from "../../../src/memory/MemoryCache.ts"
import * as MemoryFleet from "../../../src/memory/fleet/MemoryFleet.ts"
import { MemoryServer } from "../../../src/memory/MemoryServer.ts"
import * as Disagreements from "../../../src/operations/fleet/Disagreements.ts"
import { start } from "../../../src/ports/conformance/setup/BusProcess.ts"
import { recordedLog } from "../../support/RecordedLog.ts"
import * as Stage from "../Stage.ts"

const V1 = Schema.Struct({ text: Schema.String })
const V2 = Schema.Struct({ text: Schema.String, mood: Schema.String })
const name = "test.posted"
const one = Event.make(name, { version: 1, data: V1 })
const two = Event.make(name, {
  version: 2,
  data: V2,
  previous: [{ version: 1, data: V1, up: (old) => ({ ...old, mood: "none" }) }]
})
/** Other data under the same version. */
const other = Event.make(name, { version: 1, data: Schema.Struct({ text: Schema.Int }) })

const stage = Effect.gen(function* () {
  const server = yield* MemoryServer.make
  const fleet = yield* MemoryFleet.make
  const log = recordedLog()
  const state = { asked: 0 }
  const shared = Fleet.of({
    ...fleet,
    processes: Effect.suspend(() => {
      state.asked++
      return fleet.processes
    })
  })
  const ports = () =>
    Layer.mergeAll(MemoryBroker.layerOf(server, { namespace: "test" }), MemoryCache.layer, Layer.succeed(Fleet, shared))
  /** As `processOver`, and its log is kept. */
  const layer = (options: EventBus.Options) =>
    Layer.mergeAll(
      layerWithInternals({ source: "suite", drainTimeout: "25 seconds", ...options }),
      Layer.fresh(DeadLetters.layer),
      Layer.fresh(EventCache.layer)
    ).pipe(Layer.provideMerge(Layer.suspend(ports)), Layer.provide(log.layer))
  const begin = (options: EventBus.Options = {}) => Stage.runningOut(start(layer(options)))
  const seen = Effect.map(fleet.processes, (all) => all.map(({ record }) => record as Presence))
  /** Digests are made beside the rounds. */
  const digested = Effect.gen(function* () {
    for (let round = 0; round < 200; round++) {
      yield* Stage.pass(1_000, 500)
      const all = yield* seen
      if (all.length > 0 && all.every(({ contracts }) => contracts !== undefined)) return all
    }
    return assert.fail("nothing was said of contracts")
  })
  return { begin, digested, log, seen, state }
})

describe("the contracts of a process", () => {
  it.effect("are in what it says of itself: versions with digests, published and handled", () =>
    Effect.gen(function* () {
      const { begin, digested } = yield* stage
      const service = yield* begin()
      yield* service.subscribe("mailer", { events: [two], handler: () => Effect.void })
      yield* Effect.forkChild(service.bus.publish(one, { text: "" }), { startImmediately: true })
      const [presence] = yield* digested
      const [said, ...more] = presence?.contracts?.events ?? []
      assert.deepStrictEqual(more, [])
      assert.deepInclude(said, { event: name, publishes: 1, handles: 2 })
      assert.deepStrictEqual(said?.versions, Digest.of(two))
      for (const digest of Object.values(said?.versions ?? {})) assert.match(digest ?? "", /^[\w-]{12}$/)
    })
  )

  it.effect("show a process that only publishes, and not what looks on", () =>
    Effect.gen(function* () {
      const { begin, digested, seen } = yield* stage
      const service = yield* begin()
      yield* service.bus.subscribeEphemeral({ events: [one], handler: () => Effect.void })
      yield* Stage.pass(20_000, 1_000)
      assert.deepStrictEqual(yield* seen, [])
      yield* Effect.forkChild(service.bus.publish(one, { text: "" }), { startImmediately: true })
      yield* Stage.pass(500)
      assert.deepStrictEqual(yield* seen, [], "a short-lived program shows itself")
      const [presence] = yield* digested
      assert.deepStrictEqual(presence?.subscribers, [])
      assert.deepInclude(presence?.contracts?.events[0], { event: name, publishes: 1, handles: null })
      yield* service.stop
      assert.deepStrictEqual(yield* seen, [])
    })
  )

  it.effect("that are other data under one version, or older than what is published, are named", () =>
    Effect.gen(function* () {
      const { begin, digested } = yield* stage
      const [first, second] = [yield* begin(), yield* begin({ publishes: [other] })]
      yield* first.subscribe("mailer", { events: [one], handler: () => Effect.void })
      const agreed = Disagreements.of((yield* digested).map(seenNow))
      assert.deepStrictEqual(
        agreed.map(({ kind, processes, version }) => [kind, version, processes.length]),
        [["data", 1, 2]]
      )
      yield* second.stop
      yield* begin({ publishes: [two] })
      const found = Disagreements.of((yield* digested).map(seenNow))
      assert.deepStrictEqual(
        found.map(({ kind, processes, version }) => [kind, version, processes.map((one) => one.version)]),
        [["behind", 2, [2, 1]]]
      )
    })
  )
})

const seenNow = (presence: Presence) => ({ ...presence, secondsAgo: 0 })

describe("a deploy of publishers before subscribers", () => {
  const warning = "this process publishes a version that subscribers do not know"

  it.effect("is warned of at the start, once, and names the subscribers", () =>
    Effect.gen(function* () {
      const { begin, digested, log, state } = yield* stage
      const old = yield* begin()
      yield* old.subscribe("mailer", { events: [one], handler: () => Effect.void })
      yield* old.subscribe("archive", {
        events: [Event.make("test.else", { version: 1, data: V1 })],
        handler: () => Effect.void
      })
      yield* digested
      const service = yield* begin({ publishes: [two] })
      yield* Stage.pass(2_000, 500)
      const [entry, ...more] = log.of(warning)
      assert.deepStrictEqual(more, [])
      assert.deepInclude(entry?.fields, { event: name, version: 2, subscribers: "mailer (version 1)" })
      assert.include(String(entry?.fields["remedy"]), "deploy subscribers before publishers")
      for (let n = 0; n < 20; n++)
        yield* Effect.forkChild(service.bus.publish(two, { text: "", mood: "" }), { startImmediately: true })
      yield* Stage.pass(30_000, 1_000)
      assert.strictEqual(state.asked, 1, "the fleet is asked once for a version")
      assert.lengthOf(log.of(warning), 1)
    })
  )

  it.effect("is warned of at the first publish where nothing says before what is published", () =>
    Effect.gen(function* () {
      const { begin, digested, log } = yield* stage
      const old = yield* begin()
      yield* old.subscribe("mailer", { events: [one], handler: () => Effect.void })
      yield* digested
      const service = yield* begin()
      yield* Effect.forkChild(service.bus.publish(one, { text: "" }), { startImmediately: true })
      yield* Stage.pass(6_000, 500)
      assert.deepStrictEqual(log.of(warning), [])
      yield* Effect.forkChild(service.bus.publish(two, { text: "", mood: "" }), { startImmediately: true })
      yield* Stage.pass(6_000, 500)
      assert.lengthOf(log.of(warning), 1)
    })
  )
})
