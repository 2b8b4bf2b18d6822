/**
 * The bus for tests of handlers: the real one, over an embedded broker of its own, without a network. Under Effect's
 * TestClock `settle` runs everything to its end, retries of days included, in moments.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TestClock from "effect/testing/TestClock"
import { kinds as busKinds } from "../bus/EventBusOptionKinds.ts"
import * as EventBusMake from "../bus/EventBusMake.ts"
import type { DeadLetters } from "../bus/deadletter/DeadLetters.ts"
import { BusInternals } from "../bus/BusInternals.ts"
import { EventBus } from "../bus/EventBus.ts"
import { Broker } from "../bus/port/Broker.ts"
import { CacheStore } from "../bus/port/CacheStore.ts"
import { ClaimStore } from "../bus/port/ClaimStore.ts"
import { decode } from "../bus/read/CacheReader.ts"
import { EventCache } from "../bus/read/EventCache.ts"
import * as DeadLettersLive from "../bus/deadletter/DeadLettersLive.ts"
import * as OptionInvalid from "../event/options/OptionInvalid.ts"
import * as Kinds from "../event/options/OptionKinds.ts"
import type * as Envelope from "../event/Envelope.ts"
import type * as Event from "../event/Event.ts"
import { MemoryBroker, MemoryCache, MemoryClaims, MemoryServer } from "../memory/index.ts"
import { deliver, type DeliverError, type DeliverOptions, type Settlement } from "./Deliver.ts"
import { type NotSettled, Quiescence } from "./Quiescence.ts"
import { RealWork } from "./RealWork.ts"
import { faultKinds, type FaultOptions, FaultPlan, type TestFaults } from "./TestFaults.ts"

export class TestBus extends Context.Service<
  TestBus,
  {
    /**
     * Under TestClock it runs until nothing is in flight, moves the clock to the next due time, and repeats that until
     * nothing is delayed either. With the live clock it waits for the same.
     *
     * @example
     * ```ts
     * import { DeadLetters, Event, EventBus, Reject, Subscriber } from "@eduflow/events"
     * import { TestBus } from "@eduflow/events/testing"
     * import { Effect, Layer, Schema } from "effect"
     *
     * const Posted = Event.make("social.post.created", { version: 1, data: Schema.Struct({ text: Schema.String }) })
     * const Feed = Subscriber.layer("social.feed", {
     *   events: [Posted],
     *   handler: (event) => event.data.text === "" ? Effect.fail(new Reject({ reason: "empty" })) : Effect.void
     * })
     *
     * export const test = Effect.gen(function*() {
     *   yield* (yield* EventBus).publish(Posted, { text: "" })
     *   yield* (yield* TestBus).settle
     *   return yield* (yield* DeadLetters).list("social.feed")
     * }).pipe(Effect.provide(Feed.pipe(Layer.provideMerge(TestBus.layer))))
     * ```
     */
    readonly settle: Effect.Effect<void, NotSettled>
    /**
     * Delivers one event to one subscriber alone, through its queue, its decoding and its failure policy, and reports
     * how the delivery was settled. Retries run later, in `settle`. Deliver one event at a time, with nothing else on
     * the way to that subscriber.
     *
     * @example
     * ```ts
     * import { Event, Reject, Subscriber } from "@eduflow/events"
     * import { TestBus } from "@eduflow/events/testing"
     * import { Effect, Layer, Schema } from "effect"
     *
     * const Posted = Event.make("social.post.created", { version: 1, data: Schema.Struct({ text: Schema.String }) })
     * const Feed = Subscriber.layer("social.feed", {
     *   events: [Posted],
     *   handler: (event) => event.data.text === "" ? Effect.fail(new Reject({ reason: "empty" })) : Effect.void
     * })
     *
     * export const test = Effect.gen(function*() {
     *   const bus = yield* TestBus
     *   const settlement = yield* bus.deliver("social.feed", Posted, { text: "" })
     *   return settlement._tag === "DeadLettered" && settlement.reason === "Rejected"
     * }).pipe(Effect.provide(Feed.pipe(Layer.provideMerge(TestBus.layer))))
     * ```
     */
    readonly deliver: <Name extends string, A>(
      subscriber: string,
      event: Event.Event<Name, unknown, A>,
      data: A,
      options?: DeliverOptions
    ) => Effect.Effect<Settlement, DeliverError>
    /**
     * Faults at one moment: a broker that blocks or is away, a consumer that is cancelled, a cache that does not
     * answer. `TestBus.layerWith({ faults: { seed, … } })` adds faults by chance.
     *
     * @example
     * ```ts
     * import { Event, EventBus } from "@eduflow/events"
     * import { TestBus } from "@eduflow/events/testing"
     * import { Effect, Schema } from "effect"
     *
     * const Posted = Event.make("social.post.created", { version: 1, data: Schema.Struct({ text: Schema.String }) })
     *
     * export const test = Effect.gen(function*() {
     *   const { faults, settle } = yield* TestBus
     *   yield* faults.failStores
     *   yield* (yield* EventBus).publish(Posted, { text: "stored all the same" })
     *   yield* settle
     *   return yield* faults.injected
     * }).pipe(Effect.provide(TestBus.layerWith({ faults: { seed: 7, redelivered: 0.2, confirmDelayed: 0.2 } })))
     * ```
     */
    readonly faults: TestFaults
    /** What was published of an event, oldest first; the last 1,000 events of all kinds are kept. */
    readonly published: <Name extends string, A>(
      event: Event.Event<Name, A, unknown>
    ) => Effect.Effect<ReadonlyArray<Envelope.Envelope<Name, A>>>
  }
>()("@eduflow/events/testing/TestBus") {
  static readonly layerWith = (options: TestBusOptions): Layer.Layer<TestBus | EventBus | EventCache | DeadLetters> =>
    Layer.unwrap(
      Effect.sync(() => {
        OptionInvalid.check("TestBus.layerWith", options, kinds)
        const { faults, ...others } = options
        return layerOf(others, new FaultPlan(faults))
      })
    )
  static readonly layer: Layer.Layer<TestBus | EventBus | EventCache | DeadLetters> = Layer.suspend(() =>
    TestBus.layerWith({})
  )
}

export interface TestBusOptions extends EventBus.Options {
  /** Faults by chance, the same for the same seed. Default none. */
  readonly faults?: FaultOptions
}

export const kinds: Kinds.Kinds = {
  ...busKinds,
  faults: Kinds.record(faultKinds)
} satisfies Kinds.KindsOf<TestBusOptions>

/** What runs the bus to its rest, for the bus of Promises. */
export class Moving extends Context.Service<Moving, Quiescence>()("@eduflow/events/testing/Moving") {}

/** The same with what the library itself uses of a bus. */
export const layerWithInternals = (options: TestBusOptions) =>
  Layer.suspend(() => {
    const { faults, ...others } = options
    return layerOf(others, new FaultPlan(faults))
  })

const layerOf = (options: EventBus.Options, plan: FaultPlan) =>
  Layer.effectContext(make(plan)).pipe(
    Layer.provideMerge(EventBusMake.layerWith({ source: "test", ...options })),
    Layer.merge(Layer.merge(DeadLettersLive.layer, EventCache.layer)),
    Layer.provide(Layer.mergeAll(MemoryBroker.layerClient(), storesOf(plan))),
    Layer.provide(MemoryServer.layerWith({ remember: 1000, ...(plan.broker !== undefined && { faults: plan.broker }) }))
  )

const storesOf = ({ stores }: FaultPlan) =>
  Layer.merge(
    Layer.effect(
      CacheStore,
      Effect.map(MemoryCache.make(), (store) => stores.cache(store))
    ),
    Layer.effect(
      ClaimStore,
      Effect.map(MemoryClaims.make, (store) => stores.claims(store))
    )
  )

const make = (plan: FaultPlan) =>
  Effect.gen(function* () {
    const server = yield* MemoryServer
    const internals = yield* BusInternals
    const bus = yield* EventBus
    // Ends the timer by which the test clock warns of a sleep: the bus itself sleeps, and `settle` moves the clock.
    if ("adjust" in (yield* Clock.Clock)) yield* TestClock.adjust(0)
    const quiescence = new Quiescence(bus, internals, server, yield* RealWork.watch)
    const parts = { bus, internals, broker: yield* Broker, quiescence }
    const testBus = TestBus.of({
      settle: quiescence.settle(),
      deliver: (subscriber, event, data, options = {}) => deliver(parts, subscriber, event, data, options),
      faults: plan.control(server),
      published: <Name extends string, A>(event: Event.Event<Name, A, unknown>) =>
        Effect.suspend(() =>
          Effect.map(
            Effect.forEach(
              server
                .published()
                .filter(({ to }) => (to._tag === "Event" || to._tag === "DelayedEvent") && to.name === event.name),
              (message) => Effect.option(decode(event, message))
            ),
            (found) => found.flatMap(Option.toArray)
          )
        )
    })
    return Context.make(TestBus, testBus).pipe(Context.add(Moving, quiescence))
  })
