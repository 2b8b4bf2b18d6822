/**
 * The test bus for code without Effect: the bus of Promises over an embedded broker of its own, on a clock that only
 * `settle` moves.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Scheduler from "effect/Scheduler"
import * as TestClock from "effect/testing/TestClock"
import * as CallerStack from "../app/promise/CallerStack.ts"
import {
  extraKinds,
  makeExtras,
  over,
  type PromiseEventBus,
  type PromiseExtras
} from "../app/promise/PromiseEventBus.ts"
import type { PromiseSubscription } from "../app/promise/PromiseSubscribe.ts"
import * as PromiseRun from "../app/promise/PromiseRun.ts"
import * as BusRuntime from "../bus/BusRuntime.ts"
import { BusInternals } from "../bus/BusInternals.ts"
import { CurrentLookPace } from "../bus/support/LookPace.ts"
import { checkRuntime } from "../event/DuplicateEffect.ts"
import type * as Envelope from "../event/Envelope.ts"
import type * as Event from "../event/Event.ts"
import * as OptionInvalid from "../event/options/OptionInvalid.ts"
import { MemoryStores } from "../memory/index.ts"
import { Health } from "../observe/Health.ts"
import type { DeliverOptions, Settlement } from "./Deliver.ts"
import { scheduler } from "./RealTimers.ts"
import { kinds, layerWithInternals, Moving, TestBus, type TestBusOptions } from "./TestBus.ts"
import type { InjectedFault } from "./TestFaults.ts"

/** The faults of `TestFaults`, with Promises. */
export interface PromiseTestFaults {
  /** Publishers are blocked, as by a memory alarm, until `unblock`. */
  readonly block: () => Promise<void>
  readonly unblock: () => Promise<void>
  /** Cuts the connection until `reconnect`; publishes without an answer are stored or not. Default `"stored"`. */
  readonly disconnect: (open?: "stored" | "not-stored") => Promise<void>
  readonly reconnect: () => Promise<void>
  /** The broker cancels the consumers of a subscriber; events that they hold are delivered again. */
  readonly cancelConsumers: (subscriber: string) => Promise<void>
  /** The queue of a subscriber is deleted. */
  readonly deleteQueue: (subscriber: string) => Promise<void>
  /** The cache and the store of `idempotent` subscribers do not answer until `restoreStores`. */
  readonly failStores: () => Promise<void>
  readonly restoreStores: () => Promise<void>
  /** Ends the faults by chance. */
  readonly calm: () => Promise<void>
  /** The faults of the broker that happened by chance, oldest first. */
  readonly injected: () => Promise<ReadonlyArray<InjectedFault>>
}

/** What a test does with its bus. */
export interface TestControls {
  /**
   * Resolves when nothing is in flight and nothing is delayed any more: it moves the clock to each due time, so that
   * retries of days take moments. Rejects with `NotSettled` when something goes on without end.
   */
  readonly settle: () => Promise<void>
  /**
   * Delivers one event to one subscriber alone, through its queue, its decoding and its failure policy, and resolves to
   * how the delivery was settled. Retries run later, in `settle`.
   */
  readonly deliver: <Name extends string, A>(
    subscriber: string,
    event: Event.Event<Name, unknown, A>,
    data: NoInfer<A>,
    options?: DeliverOptions
  ) => Promise<Settlement>
  /** What was published of an event, oldest first; the last 1,000 events of all kinds are kept. */
  readonly published: <Name extends string, A>(
    event: Event.Event<Name, A, unknown>
  ) => Promise<ReadonlyArray<Envelope.Envelope<Name, A>>>
  /** Faults at one moment. `createTestBus({ faults: { seed, … } })` adds faults by chance. */
  readonly faults: PromiseTestFaults
}

/** Hooks and log as of `createEventBus`, and faults by chance. */
export interface PromiseTestBusOptions extends TestBusOptions, PromiseExtras {}

/** The bus of `createEventBus`, and what a test does with it. */
export interface PromiseTestBus extends PromiseEventBus, TestControls {}

/**
 * A bus for tests: the real one, without a network. Its clock stands still but in `settle`, drains and `close`, so no test waits
 * for a retry or a delay.
 *
 * @example
 * ```ts
 * import { Event } from "@eduflow/events"
 * import { createTestBus } from "@eduflow/events/testing"
 * import { Schema } from "effect"
 *
 * const Posted = Event.make("social.post.created", { version: 1, data: Schema.Struct({ text: Schema.String }) })
 *
 * export const test = async () => {
 *   await using bus = await createTestBus()
 *   const seen: Array<string> = []
 *   await bus.subscribe("social.feed", { events: [Posted], handler: (event) => void seen.push(event.data.text) })
 *   await bus.publish(Posted, { text: "later" }, { delay: "3 days" })
 *   await bus.settle()
 *   return { seen, published: await bus.published(Posted) }
 * }
 * ```
 */
export const createTestBus = async (options: PromiseTestBusOptions = {}): Promise<PromiseTestBus> => {
  const site = {}
  Error.captureStackTrace(site, createTestBus)
  OptionInvalid.check("createTestBus", options, { ...kinds, ...extraKinds })
  const { around, logger, ...rest } = options
  const extras = makeExtras("createTestBus", { around, logger })
  const runtime = ManagedRuntime.make(extras.around(layer(rest)))
  const services = await Effect.runPromise(runtime.contextEffect, { scheduler }).catch((error: unknown) => {
    throw CallerStack.atCallSite(error, site)
  })
  const bus = over(services, () => Effect.runPromise(runtime.disposeEffect, { scheduler }), {
    hooks: extras,
    settings: Effect.succeed({ url: "memory://" })
  })
  const { run } = PromiseRun.make(services)
  const { deliver, faults, published, settle } = Context.get(services, TestBus)
  const moving = Context.get(services, Moving)
  // Nobody else moves the clock meanwhile, by which a drain is given up.
  const moved = async <A>(ending: Promise<A>): Promise<A> => {
    await run(moving.untilEnded(ending))
    return ending
  }
  const ended = (subscription: PromiseSubscription): PromiseSubscription => ({
    ...subscription,
    drain: () => moved(subscription.drain()),
    [Symbol.asyncDispose]: () => moved(Promise.resolve(subscription[Symbol.asyncDispose]()))
  })
  const close = (): Promise<void> => moved(bus.close())
  const made: PromiseTestBus = {
    ...bus,
    subscribe: async (...args: Parameters<PromiseEventBus["subscribe"]>) => ended(await bus.subscribe(...args)),
    subscribeEphemeral: async (...args: Parameters<PromiseEventBus["subscribeEphemeral"]>) =>
      ended(await bus.subscribeEphemeral(...args)),
    reply: async (name, options) => ended(await bus.reply(name, options)),
    drain: () => moved(bus.drain()),
    settle: () => run(settle),
    deliver: (subscriber, event, data, options) => run(deliver(subscriber, event, data, options)),
    published: (event) => run(published(event)),
    faults: {
      block: () => run(faults.block),
      unblock: () => run(faults.unblock),
      disconnect: (open) => run(faults.disconnect(open)),
      reconnect: () => run(faults.reconnect),
      cancelConsumers: (subscriber) => run(faults.cancelConsumers(subscriber)),
      deleteQueue: (subscriber) => run(faults.deleteQueue(subscriber)),
      failStores: () => run(faults.failStores),
      restoreStores: () => run(faults.restoreStores),
      calm: () => run(faults.calm),
      injected: () => run(faults.injected)
    },
    close,
    [Symbol.asyncDispose]: close
  }
  const runtimeOfBus = BusRuntime.of(bus)
  return runtimeOfBus === undefined ? made : BusRuntime.remember(made, runtimeOfBus)
}

/** The bus looks after itself every 10 minutes or more, not every 10 seconds: 500 times in a day that `settle` passes. */
const lookPace = 60

const layer = (options: TestBusOptions) =>
  Layer.unwrap(
    Effect.as(
      checkRuntime,
      // Health is looked at when a test asks: probes at an interval would run 17,000 times in each day that `settle` passes.
      Layer.effect(
        Health,
        Effect.map(BusInternals, ({ probes }) => Health.over(probes))
      ).pipe(
        Layer.provideMerge(layerWithInternals(options)),
        Layer.provideMerge(MemoryStores.layer),
        Layer.provideMerge(Layer.succeed(CurrentLookPace, lookPace)),
        Layer.provideMerge(TestClock.layer()),
        Layer.provideMerge(Layer.succeed(Scheduler.Scheduler, scheduler))
      )
    )
  )
