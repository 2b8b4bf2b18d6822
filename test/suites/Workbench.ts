/**
 * What the cases of the broker suite are made with: processes on one broker, contracts and names that
 * no other test uses, a ledger of what was handled, and waiting for a condition instead of a time.
 */
import { assert, type layer as withLayer } from "@effect/vitest"
import { Context, Effect, Exit, Layer, References, Schema, Scope } from "effect"
import { Broker, type Headers, type Outgoing, type SendOutcome } from "../../src/bus/Broker.ts"
import type { BrokerError } from "../../src/bus/BrokerError.ts"
import type { SubscribeError } from "../../src/bus/BusError.ts"
import { DeadLetters } from "../../src/bus/DeadLetters.ts"
import { type BusOptions, EventBus } from "../../src/bus/EventBus.ts"
import { EventCache } from "../../src/bus/EventCache.ts"
import type { BatchedOptions, DeliveryInfo, SubscriberOptions } from "../../src/bus/SubscriberOptions.ts"
import type { SubscriberStats, Subscription } from "../../src/bus/Subscription.ts"
import type * as Envelope from "../../src/event/Envelope.ts"
import * as Event from "../../src/event/Event.ts"

export type Services = EventBus | EventCache | DeadLetters | Broker
export type Connect = (options?: BusOptions) => Layer.Layer<Services, BrokerError>

/** What a transport can do; cases that need more are skipped. */
export interface Features {
  /** Whether the broker is another process: a way to it can be held up and break. */
  readonly remote: boolean
  /** Factor of the large counts. */
  readonly scale: number
}

/** Processes whose way to the broker a test can hold up and break, without disturbing other tests. */
export interface Wire {
  readonly connect: Connect
  /** Nothing comes back from the broker; nothing is lost. */
  readonly stall: Effect.Effect<void>
  readonly resume: Effect.Effect<void>
  /** Breaks every connection; none is possible until it is mended. */
  readonly cut: Effect.Effect<void>
  readonly mend: Effect.Effect<void>
}

export interface BrokerSuiteOptions {
  readonly features: Features
  /** One process: a client of its own on the broker and in the namespace of this suite. */
  readonly connect: Connect
  readonly wire: Effect.Effect<Wire, never, Scope.Scope>
  /** Another program publishes an event; its headers may be of any kind that the broker carries. Completes when it is confirmed. */
  readonly foreign: (
    broker: Broker["Service"],
    event: string,
    body: string,
    headers: Readonly<Record<string, unknown>>,
    messageId: string
  ) => Effect.Effect<void>
}

/** `it` of a block whose tests share one process. */
export type It = Parameters<Parameters<ReturnType<typeof withLayer<Services, BrokerError>>>[1]>[0]

export interface Bench extends BrokerSuiteOptions {
  readonly it: It
}

const quiet = Layer.succeed(References.MinimumLogLevel, "None" as const)

/** The bus of one process over the ports of a transport. */
export const processOver = (
  ports: Layer.Layer<Broker | EventCache, BrokerError>,
  options: BusOptions = {}
): Layer.Layer<Services, BrokerError> =>
  Layer.merge(EventBus.layerWith({ source: "suite", drain: "10 seconds", ...options }), DeadLetters.layer).pipe(
    Layer.provideMerge(ports),
    Layer.provide(quiet)
  )

type Started = Effect.Effect<Subscription, SubscribeError, Scope.Scope>

export interface Process {
  readonly bus: EventBus["Service"]
  readonly letters: DeadLetters["Service"]
  readonly broker: Broker["Service"]
  readonly cache: EventCache["Service"]
  /** Subscribes for as long as the process lives. */
  readonly subscribe: {
    <E extends Event.Any, Err>(name: string, options: BatchedOptions<E, Err, Scope.Scope>): Started
    <E extends Event.Any, Err>(name: string, options: SubscriberOptions<E, Err, Scope.Scope>): Started
  }
  /** SIGTERM: drains, then closes. */
  readonly stop: Effect.Effect<void>
}

/** Starts a process that ends with the test, or when it is stopped. */
export const start = Effect.fnUntraced(function* (layer: Layer.Layer<Services, BrokerError>) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const context = yield* Layer.buildWithScope(layer, scope)
  const bus = Context.get(context, EventBus)
  const subscribe: Process["subscribe"] = <E extends Event.Any, Err>(
    name: string,
    options: SubscriberOptions<E, Err, Scope.Scope>
  ): Started => bus.subscribe(name, options).pipe(Scope.provide(scope))
  return {
    bus,
    letters: Context.get(context, DeadLetters),
    broker: Context.get(context, Broker),
    cache: Context.get(context, EventCache),
    subscribe,
    stop: Scope.close(scope, Exit.void)
  } satisfies Process
})

let named = 0
/** A name that no other test uses, of events and of subscribers. */
export const fresh = (word = "thing"): string => `suite-${++named}.${word}`

export const Numbered = Schema.Struct({ n: Schema.Finite })
export const numbered = (name = fresh("happened")) => Event.make(name, { version: 1, data: Numbered })
export const keyed = (name = fresh("changed")) =>
  Event.make(name, { version: 1, data: Schema.Struct({ n: Schema.Finite, k: Schema.String }), key: (data) => data.k })

/** The numbers from 0 up to `count`. */
export const upTo = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, n) => n)
export const numbers = (count: number, from = 0) => upTo(count).map((n) => ({ n: from + n }))

export interface Entry {
  readonly event: Envelope.Envelope<string, { readonly n: number; readonly k?: string }>
  readonly info: DeliveryInfo
  /** Milliseconds since the epoch at which the handler started. */
  readonly at: number
}

export interface Ledger {
  readonly entries: Array<Entry>
  /** A handler that writes down and succeeds. */
  readonly handler: (event: Entry["event"], info: DeliveryInfo) => Effect.Effect<void>
  readonly numbers: () => ReadonlyArray<number>
  readonly sorted: () => ReadonlyArray<number>
  readonly attempts: () => ReadonlyArray<number>
  /** Waits until so many were written down. */
  readonly reaches: (count: number) => Effect.Effect<void>
}

export const makeLedger = (): Ledger => {
  const entries: Array<Entry> = []
  const all = (): ReadonlyArray<number> => entries.map(({ event }) => event.data.n)
  return {
    entries,
    handler: (event, info) => Effect.sync(() => void entries.push({ event, info, at: Date.now() })),
    numbers: all,
    sorted: () => all().toSorted((a, b) => a - b),
    attempts: () => entries.map(({ info }) => info.attempt),
    reaches: (count) =>
      until(
        () => `${entries.length} of ${count} handled`,
        () => entries.length >= count
      )
  }
}

/** Waits for what nobody announces; after 20 seconds it fails and says what was missing. */
export const until = (what: () => string, condition: () => boolean): Effect.Effect<void> =>
  untilEffect(what, Effect.sync(condition))

export const untilEffect = <E, R>(
  what: () => string,
  condition: Effect.Effect<boolean, E, R>
): Effect.Effect<void, E, R> =>
  Effect.gen(function* () {
    const deadline = Date.now() + 20_000
    while (!(yield* condition)) {
      if (Date.now() > deadline) assert.fail(`not within 20 seconds: ${what()}`)
      yield* Effect.sleep(5)
    }
  })

/** Waits until the numbers of a subscriber are as they should be. */
export const statsBecome = Effect.fnUntraced(function* (
  subscription: Subscription,
  expected: Partial<SubscriberStats>
) {
  let stats: Partial<SubscriberStats> = {}
  const reached = Effect.map(subscription.stats, (now) => {
    stats = now
    return (Object.keys(expected) as Array<keyof SubscriberStats>).every((name) => now[name] === expected[name])
  })
  yield* untilEffect(() => `${JSON.stringify(stats)} instead of ${JSON.stringify(expected)}`, reached)
})

/** Waits until `count` dead letters are there, and lists them. */
export const lettersOf = Effect.fnUntraced(function* (
  { letters }: Pick<Process, "letters">,
  source: string,
  count: number
) {
  let found = 0
  yield* untilEffect(
    () => `${found} of ${count} dead letters of ${source}`,
    Effect.map(letters.count(source), (now) => (found = now) >= count)
  )
  return yield* letters.list(source, { limit: count + 10 })
})

/** The services of the process that a block of tests shares. */
export const shared = Effect.gen(function* () {
  return { bus: yield* EventBus, letters: yield* DeadLetters, broker: yield* Broker, cache: yield* EventCache }
})

/** Publishes past the bus, as another program could. */
export const sendRaw = (
  broker: Broker["Service"],
  event: string,
  body: Buffer | string,
  headers: Readonly<Record<string, unknown>> = {},
  properties: Partial<Outgoing["properties"]> = {}
): Effect.Effect<SendOutcome> =>
  Effect.callback((resume) => {
    broker.send(
      {
        to: { _tag: "Event", name: event },
        key: undefined,
        body: Buffer.from(body),
        properties: {
          messageId: `raw-${++named}`,
          type: event,
          timestamp: Date.now(),
          appId: "foreign",
          contentType: "application/json",
          ...properties
        },
        // Another program writes what it likes.
        headers: headers as Headers
      },
      (outcome) => resume(Effect.succeed(outcome))
    )
  })

/** Timers of Node may fire up to a millisecond early. */
export const timerTolerance = 2
