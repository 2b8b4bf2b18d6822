/**
 * The token of the bus: what controllers and providers inject. It is the bus of Promises without the calls that end it,
 * because the module ends it with the app.
 */
import { Inject } from "@nestjs/common"
import type { PromiseEventBus } from "../app/promise/PromiseEventBus.ts"
import type { PromiseSubscription } from "../app/promise/PromiseSubscribe.ts"

/**
 * The bus of the app.
 *
 * @example
 * ```ts
 * import { Event } from "@eduflow/events"
 * import { EventBus } from "@eduflow/events/nest"
 * import { Schema } from "effect"
 *
 * const Posted = Event.make("social.post.created", { version: 1, data: Schema.Struct({ text: Schema.String }) })
 *
 * // A provider or a controller: Nest passes the bus to its constructor.
 * export class Posts {
 *   private readonly bus: EventBus
 *   constructor(bus: EventBus) {
 *     this.bus = bus
 *   }
 *   post(text: string) {
 *     return this.bus.publish(Posted, { text })
 *   }
 * }
 * ```
 */
export abstract class EventBus implements Omit<PromiseEventBus, "close" | "drain" | typeof Symbol.asyncDispose> {
  /** Resolves when the broker holds the event safely for every queue it was routed to. Rejects with a `PublishError`. */
  abstract readonly publish: PromiseEventBus["publish"]
  /** Publishes many events in order and pipelined, and resolves to their number. Rejects with a `PublishAllError`. */
  abstract readonly publishAll: PromiseEventBus["publishAll"]
  /** Publishes into an exchange or a queue of another system, in its form. Rejects with a `PublishError`. */
  abstract readonly publishForeign: PromiseEventBus["publishForeign"]
  /** Calls a function: what it publishes has this actor, tenant and baggage, also behind an `await`. */
  abstract readonly within: PromiseEventBus["within"]
  /** Publishes a request and waits for the first answer to it. */
  abstract readonly request: PromiseEventBus["request"]
  /** The answers of several subscribers: those that come within a time. */
  abstract readonly requestAll: PromiseEventBus["requestAll"]
  /** Starts a subscriber that answers requests. It ends with the app. */
  abstract readonly reply: PromiseEventBus["reply"]
  /** Starts a subscriber besides those of `@OnEvent`. It ends with the app. */
  abstract readonly subscribe: PromiseEventBus["subscribe"]
  /** Publishes an event at the times of a cron expression, once over all processes. It ends with the app. */
  abstract readonly recurring: PromiseEventBus["recurring"]
  /** Starts a subscriber of this process alone, whose queue ends with it. */
  abstract readonly subscribeEphemeral: PromiseEventBus["subscribeEphemeral"]
  /** The running subscriber of an `@OnEvent`, by its name: to pause, resume or look at it. */
  abstract readonly subscription: (name: string) => PromiseSubscription | undefined
  /** The last known event, of `key` if the event has keys. Rejects with a `CacheError` within 150 ms. */
  abstract readonly last: PromiseEventBus["last"]
  /** The last known events of these keys, by key, in one round trip. */
  abstract readonly lastMany: PromiseEventBus["lastMany"]
  /** Past events, newest first. */
  abstract readonly history: PromiseEventBus["history"]
  /** The whole history, newest first, read page by page while it is iterated. */
  abstract readonly historyStream: PromiseEventBus["historyStream"]
  /** Live events of this process, from the first `next()` on. */
  abstract readonly stream: PromiseEventBus["stream"]
  /** The last known event of a key and then each newer one. */
  abstract readonly watch: PromiseEventBus["watch"]
  /** Retries and dead-letterings of this process, live. */
  abstract readonly failures: PromiseEventBus["failures"]
  /** Everything that runs in this process at this moment, as data. */
  abstract readonly tree: PromiseEventBus["tree"]
  /** Runs every probe. */
  abstract readonly health: PromiseEventBus["health"]
  /** Whether work may be sent here: the critical checks have been fine for a while. */
  abstract readonly ready: PromiseEventBus["ready"]
  /** Each metric of this process with its value at this moment. */
  abstract readonly metrics: PromiseEventBus["metrics"]
  /** The same in Prometheus' text format. */
  abstract readonly metricsText: PromiseEventBus["metricsText"]
  /** Health and metrics for the server of the app: `app.use(app.get(EventBus).httpHandler())`. */
  abstract readonly httpHandler: PromiseEventBus["httpHandler"]
  /** The operations and their page, for a server of their own. */
  abstract readonly operationsHandler: PromiseEventBus["operationsHandler"]
  /** Dead letters: count, list, replay and discard. */
  abstract readonly deadLetters: PromiseEventBus["deadLetters"]
}

/** The token of a bus: the class itself, or that of a bus with a name. */
export const eventBusToken = (name?: string): typeof EventBus | string =>
  name === undefined ? EventBus : `@eduflow/events/nest/EventBus:${name}`

/** Injects the bus with this name, of `EventsModule.forRoot({ name, … })`. */
export const InjectEventBus = (name?: string): ParameterDecorator & PropertyDecorator => Inject(eventBusToken(name))
