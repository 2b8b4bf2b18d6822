/** The promises of every `Fleet`: what processes say is there until they leave, and a pause is there until it is resumed. */
import * as Effect from "effect/Effect"
import { Fleet, type Presence, type SubscriberPresence } from "../../../bus/port/Fleet.ts"
import { assert } from "../Assert.ts"
import * as ConformanceCase from "../ConformanceCase.ts"

let named = 0
/** A name that no other case uses. */
const fresh = (): string => `fleet-${++named}-${process.pid}`

const subscriber = (name: string): SubscriberPresence => ({
  name,
  events: ["a.b", "c.#"],
  ordering: "key",
  status: "Running",
  since: "2026-01-02T03:04:05.000Z",
  restarts: 1,
  cause: null,
  paused: null,
  lag: 7,
  oldest: null,
  held: 2,
  inFlight: 1,
  parked: 0,
  handled: 40,
  deadLettered: 3
})

const presence = (id: string, subscribers: ReadonlyArray<SubscriberPresence> = []): Presence => ({
  process: id,
  source: "grades",
  host: "here",
  pid: 4711,
  library: "a library",
  startedAt: "2026-01-02T03:04:00.000Z",
  contracts: {
    by: "1",
    events: [{ event: "a.b", publishes: 2, handles: null, versions: { 1: "digest", 2: null } }]
  },
  subscribers
})

const fleetCase = (
  name: string,
  test: (fleet: Fleet["Service"]) => Effect.Effect<void, unknown>
): ConformanceCase.ConformanceCase<Fleet> => ConformanceCase.make(name, () => Effect.flatMap(Fleet, test))

/** What is said of these processes, which may share a fleet with those of other cases. */
const recordsOf = (fleet: Fleet["Service"], ...ids: ReadonlyArray<string>) =>
  Effect.map(fleet.processes, (seen) =>
    ids.map((id) => seen.map(({ record }) => record as Presence).find((record) => record.process === id))
  )

export const fleetCases: ReadonlyArray<ConformanceCase.ConformanceCase<Fleet>> = [
  fleetCase("what a process said last is what is seen of it, until it leaves", (fleet) =>
    Effect.gen(function* () {
      const [one, other, name] = [fresh(), fresh(), fresh()]
      yield* fleet.appear(presence(one))
      yield* fleet.appear(presence(other))
      yield* fleet.appear(presence(one, [subscriber(name)]))
      assert.deepStrictEqual(yield* recordsOf(fleet, one, other), [presence(one, [subscriber(name)]), presence(other)])
      const ages = (yield* fleet.processes).map(({ millisAgo }) => millisAgo)
      assert(
        ages.every((age) => age >= 0 && age <= 30_000),
        ages.join(" ")
      )
      yield* fleet.leave(one)
      assert.deepStrictEqual(yield* recordsOf(fleet, one, other), [undefined, presence(other)])
      yield* fleet.leave(one)
      yield* fleet.leave(other)
    })
  ),
  fleetCase("a pause says who, since when and why, is read with each appearance, and ends by resume", (fleet) =>
    Effect.gen(function* () {
      const [id, name, other] = [fresh(), fresh(), fresh()]
      const pause = { by: "älice", since: new Date(Date.UTC(2026, 0, 2)), reason: "the mail server\nis down" }
      assert.isFalse((yield* fleet.pauses).has(name))
      yield* fleet.pause(name, pause)
      assert.deepStrictEqual((yield* fleet.pauses).get(name), pause)
      const read = yield* fleet.appear(presence(id))
      assert.deepStrictEqual([read.get(name), read.has(other)], [pause, false])
      yield* fleet.pause(name, { ...pause, by: "bob", reason: "" })
      assert.deepStrictEqual((yield* fleet.pauses).get(name), { ...pause, by: "bob", reason: "" })
      yield* fleet.leave(id)
      assert.isTrue((yield* fleet.pauses).has(name), "it ended with its process")
      assert.deepStrictEqual([yield* fleet.resume(name), yield* fleet.resume(name)], [true, false])
      assert.isFalse((yield* fleet.appear(presence(id))).has(name))
      yield* fleet.leave(id)
    })
  )
]
