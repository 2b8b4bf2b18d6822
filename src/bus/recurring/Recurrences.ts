/**
 * The recurring events of a bus. Each has a queue with one active consumer, over all processes that have it: the broker decides
 * who that is, and gives the token to the next one when it is gone.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import { createHash } from "node:crypto"
import type * as Event from "../../event/Event.ts"
import type { Health } from "../../observe/Health.ts"
import type * as Log from "../../observe/Log.ts"
import type { Copies } from "../delivery/Copies.ts"
import type { Broker, SubscriberSpec } from "../port/Broker.ts"
import type { BrokerError } from "../port/BrokerError.ts"
import type { Publisher } from "../publish/Publisher.ts"
import { SubscribeError } from "../subscriber/SubscribeError.ts"
import type { SubscriberNames } from "../subscriber/SubscriberNames.ts"
import * as Backoff from "../support/Backoff.ts"
import { withoutFlow } from "../support/WithoutFlow.ts"
import { ActiveRecurrence } from "./ActiveRecurrence.ts"
import * as RecurringOptions from "./RecurringOptions.ts"
import { RecurringStatus } from "./RecurringStatus.ts"
import * as Token from "./Token.ts"

/** Tokens of a process that started, and of those that stand by. */
const prefetch = 250
const reopening: Backoff.Backoff = { baseMillis: 50, capMillis: 5_000, jitter: "full" }
/** So soon the event goes on when somebody has purged its queue. */
const remindedEveryMillis = 10 * 60_000

export interface StartRecurring {
  <E extends Event.Any>(
    name: string,
    options: RecurringOptions.RecurringOptions<E>
  ): Effect.Effect<void, SubscribeError, Scope.Scope>
}

export interface RecurrencesParts {
  readonly broker: Broker["Service"]
  readonly copiesOf: (spec: SubscriberSpec) => Copies
  readonly publish: Publisher["publish"]
  readonly newId: () => string
  readonly names: SubscriberNames
  readonly log: Log.Log
}

export interface Recurrences {
  readonly start: StartRecurring
  readonly probes: () => ReadonlyArray<Health.Probe>
}

export const make = (parts: RecurrencesParts): Recurrences => {
  const running = new Set<RecurringStatus>()
  return {
    probes: () => Array.from(running, ({ probe }) => probe),
    start: Effect.fn("EventBus.recurring")(function* (name, options) {
      const clock = yield* Clock.Clock
      const subscriber = String(name)
      const settled = yield* Effect.fromResult(
        RecurringOptions.settle(name, options, clock.currentTimeMillisUnsafe())
      ).pipe(Effect.mapError((reason) => new SubscribeError({ subscriber, reason })))
      settled.event.dataCodec.prepare()
      yield* parts.names.hold(settled.subscriber, {
        handler: options.data,
        events: `${settled.event.name} at ${settled.spec}`
      })
      const status = new RecurringStatus(name)
      yield* Effect.acquireRelease(
        Effect.sync(() => running.add(status)),
        () => Effect.sync(() => running.delete(status))
      )
      yield* run(parts, settled, status)
    })
  }
}

/** Completes when its queue is consumed; ends with the current scope. */
const run = Effect.fnUntraced(function* (
  parts: RecurrencesParts,
  recurring: RecurringOptions.Recurring<Event.Any>,
  status: RecurringStatus
) {
  const { broker, copiesOf, log, newId } = parts
  const { spec, subscriber } = recurring
  const clock = yield* Clock.Clock
  const context = withoutFlow(yield* Effect.context<never>())
  const declared: SubscriberSpec = { name: subscriber, ordering: "key", patterns: [] }
  const copies = copiesOf(declared)
  const begun = yield* Deferred.make<void, BrokerError>()

  const session = Effect.gen(function* () {
    const lost = yield* Deferred.make<never, BrokerError>()
    const active = new ActiveRecurrence({
      recurring,
      publish: (tick) => Effect.provideContext(publish(parts, recurring, tick), context),
      store: (token) => copies.sendControl(token),
      status,
      newId,
      clock,
      log
    })
    yield* broker.declare(declared)
    yield* broker.consume({
      subscriber,
      prefetch,
      onDelivery: (delivery) => active.offer(delivery),
      onLost: (error) => void Deferred.doneUnsafe(lost, Effect.fail(error))
    })
    status.standsBy()
    yield* Deferred.succeed(begun, undefined)
    return yield* Effect.raceFirst(Deferred.await(lost), active.run)
  }).pipe(
    Effect.scoped,
    Effect.catch((error) => {
      status.isAway(error.message)
      return error.isRetryable ? Effect.void : Effect.asVoid(Deferred.fail(begun, error))
    })
  )

  const reminders = Effect.gen(function* () {
    for (;;) {
      const now = clock.currentTimeMillisUnsafe()
      yield* copies.sendControl(Token.write({ id: newId(), since: now, last: undefined, spec }, subscriber, now))
      // Not all processes of a deploy in the same moment.
      yield* Effect.sleep(remindedEveryMillis * (0.75 + (yield* Random.next) / 2))
    }
  })

  yield* Effect.forkScoped(Backoff.restarting(reopening, session))
  yield* Effect.mapError(Deferred.await(begun), (error) => SubscribeError.fromBroker(subscriber, error))
  yield* Effect.forkScoped(reminders)
})

/** The id of a tick is the same from every process. */
const idOf = (namespace: string, name: string, tick: Date): string => {
  const hex = createHash("sha256").update(`${namespace}\n${name}\n${tick.toISOString()}`).digest("hex")
  // A UUIDv8 (RFC 9562): of a hash, as version 5 is, but not of SHA-1.
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 3) | 8).toString(16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

const publish = <E extends Event.Any>(
  parts: RecurrencesParts,
  { data, event, name, publish }: RecurringOptions.Recurring<E>,
  tick: Date
): Effect.Effect<void, string> =>
  Effect.try({ try: () => data(tick), catch: (error) => `\`data\` threw ${String(error)}` }).pipe(
    Effect.flatMap((input) =>
      Effect.mapError(
        parts.publish(event, input, { ...publish, id: idOf(parts.broker.namespace, name, tick) }),
        (error) => error.message
      )
    ),
    Effect.asVoid,
    // A hook around the publish may die: the next attempt may not.
    Effect.catchDefect((defect) => Effect.fail(String(defect)))
  )
