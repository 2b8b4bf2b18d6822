/** Tenant, actor and baggage go with an event wherever it goes, and on with what its handler publishes. */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { CurrentActor } from "../../../../event/Actor.ts"
import { Baggage, CurrentBaggage } from "../../../../event/flow/Baggage.ts"
import { CurrentTenant } from "../../../../event/flow/Tenant.ts"
import { assert } from "../../Assert.ts"
import { shared } from "../../setup/BusProcess.ts"
import { type Entry, makeLedger } from "../../setup/HandlerLedger.ts"
import { fresh, keyed, numbered, upTo } from "../../setup/TestEvents.ts"
import { lettersOf, statsBecome } from "../../setup/Waiting.ts"
import { brokerCase, type BrokerCase } from "../BrokerCase.ts"

const actor = { id: "u-1", role: "teacher", status: "active" }
const flow = { tenant: "school/7 ü", actor, baggage: Baggage.read("cohort=2026%2F1;ttl=30,channel=app") } as const
const stopped = { tenant: undefined, actor: undefined, baggage: undefined } as const

/** What an entry of a ledger was given. */
const flowOf = (entry: Entry | undefined) => ({
  tenant: entry?.event.tenant,
  actor: entry?.event.actor,
  baggage: entry?.info.baggage?.text,
  headers: { ...entry?.info.headers }
})
const carried = { tenant: flow.tenant, actor, baggage: flow.baggage.text, headers: {} }
const nothing = { ...stopped, headers: {} }

export const flowCases: ReadonlyArray<BrokerCase> = [
  brokerCase(
    "tenant, actor and baggage go on with what a handler publishes, behind a retry on the broker, until it stops them",
    () =>
      Effect.gen(function* () {
        const { bus } = yield* shared
        const [First, Second, Third] = [numbered(), numbered(), numbered()]
        const [first, second, third] = [makeLedger(), makeLedger(), makeLedger()]
        yield* bus.subscribe(fresh(), { events: [Second], handler: second.handler })
        yield* bus.subscribe(fresh(), { events: [Third], handler: third.handler })
        yield* bus.subscribe(fresh(), {
          events: [First],
          retry: Schedule.spaced("1 second"),
          handler: (event, info) =>
            Effect.gen(function* () {
              yield* first.handler(event, info)
              if (info.attempt === 1) return yield* Effect.fail("not yet")
              yield* bus.publish(Second, { n: 1 })
              yield* bus.publishAll(Second, [{ n: 2 }])
              yield* bus.publish(Second, { n: 3 }, { tenant: "other", baggage: { own: "1" } })
              yield* bus.publish(Third, { n: 1 }, stopped)
              return yield* bus
                .publish(Third, { n: 2 })
                .pipe(
                  Effect.provideService(CurrentActor, undefined),
                  Effect.provideService(CurrentTenant, undefined),
                  Effect.provideService(CurrentBaggage, undefined)
                )
            })
        })
        yield* bus.publish(First, { n: 1 }, flow)
        yield* Effect.all([first.reaches(2), second.reaches(3), third.reaches(2)])
        assert.deepStrictEqual(first.entries.map(flowOf), [carried, carried])
        const sorted = second.entries.toSorted((one, other) => one.event.data.n - other.event.data.n)
        const changed = { ...carried, tenant: "other", baggage: "own=1" }
        assert.deepStrictEqual(sorted.map(flowOf), [carried, carried, changed])
        assert.deepStrictEqual(third.entries.map(flowOf), [nothing, nothing])
      })
  ),
  brokerCase("tenant, actor and baggage are those of a delayed event, of a dead letter, and of its replay", () =>
    Effect.gen(function* () {
      const process = yield* shared
      const [First, Second] = [numbered(), numbered()]
      const [first, second] = [makeLedger(), makeLedger()]
      const name = fresh()
      let broken = true
      yield* process.bus.subscribe(fresh(), { events: [Second], handler: second.handler })
      yield* process.bus.subscribe(name, {
        events: [First],
        retry: Schedule.recurs(0),
        handler: (event, info) =>
          Effect.gen(function* () {
            yield* first.handler(event, info)
            if (broken) return yield* Effect.fail("down")
            return yield* process.bus.publish(Second, { n: 1 })
          })
      })
      yield* process.bus
        .publish(First, { n: 1 }, { delay: "1 second" })
        .pipe(
          Effect.provideService(CurrentActor, actor),
          Effect.provideService(CurrentTenant, flow.tenant),
          Effect.provideService(CurrentBaggage, flow.baggage)
        )
      const [letter] = yield* lettersOf(process, name, 1)
      assert.strictEqual(letter?.headers["baggage"], flow.baggage.text)
      broken = false
      assert.strictEqual((yield* process.letters.replay(name)).replayed, 1)
      yield* second.reaches(1)
      assert.deepStrictEqual(first.entries.map(flowOf), [carried, carried])
      assert.deepStrictEqual(second.entries.map(flowOf), [carried])
    })
  ),
  brokerCase("each event of a parked key keeps its own tenant, actor and baggage", () =>
    Effect.gen(function* () {
      const { bus } = yield* shared
      const Changed = keyed()
      const ledger = makeLedger()
      let broken = true
      const subscription = yield* bus.subscribe(fresh(), {
        events: [Changed],
        ordering: "key",
        onBlocked: "park",
        prefetch: 8,
        retry: Schedule.spaced("1 second"),
        handler: (event, info) => Effect.suspend(() => (broken ? Effect.fail("down") : ledger.handler(event, info)))
      })
      const own = (n: number) => ({ tenant: `t-${n}`, actor: { id: `u-${n}`, role: "r" }, baggage: { n: String(n) } })
      yield* Effect.forEach(upTo(12), (n) => bus.publish(Changed, { n, k: "a" }, own(n)), { discard: true })
      yield* statsBecome(subscription, { parked: 12 })
      broken = false
      yield* ledger.reaches(12)
      assert.deepStrictEqual(
        ledger.entries.map(flowOf),
        upTo(12).map((n) => ({ ...own(n), baggage: `n=${n}`, headers: {} }))
      )
    })
  ),
  brokerCase(
    "P13: baggage of another program beyond the bounds is cut between two members, and its event is handled",
    ({ publishForeign }) =>
      Effect.gen(function* () {
        const process = yield* shared
        const Changed = keyed()
        const name = fresh()
        const ledger = makeLedger()
        const subscription = yield* process.bus.subscribe(name, { events: [Changed], handler: ledger.handler })
        const members = (count: number) => upTo(count).map((n) => `k${n}=1`)
        const sent: ReadonlyArray<readonly [baggage: unknown, kept: string | undefined]> = [
          [members(200).join(", "), members(180).join(",")],
          [`a=1,b=${"x".repeat(8000)},c=${"y".repeat(8000)},d=4`, `a=1,b=${"x".repeat(8000)}`],
          ["x".repeat(20_000), undefined],
          [{ a: 1 }, undefined],
          ["a=1,b c=2", "a=1"]
        ]
        for (const [n, [baggage]] of sent.entries())
          yield* publishForeign(
            { name: Changed.name, body: `{"n":${n},"k":"k"}`, headers: { baggage, other: n }, messageId: fresh() },
            process.broker
          )
        yield* ledger.reaches(sent.length)
        const sorted = ledger.entries.toSorted((one, other) => one.event.data.n - other.event.data.n)
        assert.deepStrictEqual(
          sorted.map(({ info }) => info.baggage?.text),
          sent.map(([, kept]) => kept)
        )
        assert.deepStrictEqual(
          sorted.map(({ info }) => ({ ...info.headers })),
          upTo(sent.length).map((other) => ({ other }))
        )
        yield* statsBecome(subscription, { handled: sent.length, deadLettered: 0 })
        const refused = yield* Effect.flip(
          process.bus.publish(Changed, { n: 9, k: "k" }, { baggage: { note: "x".repeat(9_000) } })
        )
        assert.deepInclude(refused.reason, { _tag: "Invalid" })
        assert.match(refused.message, /baggage: it has 9005 bytes, at most 8192 are allowed/)
      })
  )
]
