/**
 * The injected bus. Nest makes providers before anything is connected, so each call goes to the bus that is connected,
 * or waits for it.
 */
import type { PromiseDeadLetters } from "../app/promise/PromiseDeadLetters.ts"
import { checkHttp, checkOperations, isForeign, unavailable } from "../app/promise/HandlerOptions.ts"
import type { HttpHandler } from "../app/promise/PromiseHttp.ts"
import type { PromiseEventBus } from "../app/promise/PromiseEventBus.ts"
import type { PromiseSubscription } from "../app/promise/PromiseSubscribe.ts"
import { EventBus } from "./EventBus.ts"

export class AppBus extends EventBus {
  private readonly connected: () => Promise<PromiseEventBus>
  private readonly subscriptions = new Map<string, PromiseSubscription>()
  private attached: PromiseEventBus | undefined

  constructor(connected: () => Promise<PromiseEventBus>) {
    super()
    this.connected = connected
  }

  readonly publish: EventBus["publish"] = (event, data, options) =>
    this.call((bus) => bus.publish(event, data, options))
  readonly publishAll: EventBus["publishAll"] = (event, items, options) =>
    this.call((bus) => bus.publishAll(event, items, options))
  readonly publishForeign: EventBus["publishForeign"] = (to, event, data, options) =>
    this.call((bus) => bus.publishForeign(to, event, data, options))
  readonly within: EventBus["within"] = (flow, call) => this.call((bus) => bus.within(flow, call))
  readonly request: EventBus["request"] = (request, data, options) =>
    this.call((bus) => bus.request(request, data, options))
  readonly requestAll: EventBus["requestAll"] = (request, data, options) =>
    this.call((bus) => bus.requestAll(request, data, options))
  readonly reply: EventBus["reply"] = (name, options) => this.call((bus) => bus.reply(name, options))
  readonly subscribe: EventBus["subscribe"] = (
    ...args: Parameters<EventBus["subscribe"]>
  ): ReturnType<EventBus["subscribe"]> => this.call((bus) => bus.subscribe(...args))
  readonly subscribeEphemeral: EventBus["subscribeEphemeral"] = (
    ...args: Parameters<EventBus["subscribeEphemeral"]>
  ): ReturnType<EventBus["subscribeEphemeral"]> => this.call((bus) => bus.subscribeEphemeral(...args))
  readonly recurring: EventBus["recurring"] = (name, options) => this.call((bus) => bus.recurring(name, options))
  readonly subscription: EventBus["subscription"] = (name) => this.subscriptions.get(name)
  readonly last: EventBus["last"] = (event, key) => this.call((bus) => bus.last(event, key))
  readonly lastMany: EventBus["lastMany"] = (event, keys) => this.call((bus) => bus.lastMany(event, keys))
  readonly history: EventBus["history"] = (event, options) => this.call((bus) => bus.history(event, options))
  readonly historyStream: EventBus["historyStream"] = (event, options) =>
    this.iterate((bus) => bus.historyStream(event, options))
  readonly stream: EventBus["stream"] = (events, options) => this.iterate((bus) => bus.stream(events, options))
  readonly watch: EventBus["watch"] = (event, key) => this.iterate((bus) => bus.watch(event, key))
  readonly failures: EventBus["failures"] = () => this.iterate((bus) => bus.failures())
  readonly tree: EventBus["tree"] = () => this.call((bus) => bus.tree())
  readonly health: EventBus["health"] = () => this.call((bus) => bus.health())
  readonly ready: EventBus["ready"] = () => this.call((bus) => bus.ready())
  readonly metrics: EventBus["metrics"] = () => this.call((bus) => bus.metrics())
  readonly metricsText: EventBus["metricsText"] = () => this.call((bus) => bus.metricsText())
  readonly httpHandler: EventBus["httpHandler"] = (options = {}) => {
    checkHttp(options)
    let made: Promise<HttpHandler> | undefined
    return (request, response, next) => {
      if (next !== undefined && isForeign(request)) return next()
      void (made ??= this.connected().then((bus) => bus.httpHandler(options))).then(
        (handle) => handle(request, response),
        () => unavailable(response)
      )
    }
  }
  readonly operationsHandler: EventBus["operationsHandler"] = (options) => {
    checkOperations(options)
    let made: Promise<ReturnType<EventBus["operationsHandler"]>> | undefined
    return (request, response) =>
      void (made ??= this.connected().then((bus) => bus.operationsHandler(options))).then(
        (handle) => handle(request, response),
        () => unavailable(response)
      )
  }
  readonly deadLetters: PromiseDeadLetters = {
    count: (source) => this.call(({ deadLetters }) => deadLetters.count(source)),
    list: (source, options) => this.call(({ deadLetters }) => deadLetters.list(source, options)),
    replay: (source, options) => this.call(({ deadLetters }) => deadLetters.replay(source, options)),
    discard: (source, options) => this.call(({ deadLetters }) => deadLetters.discard(source, options))
  }

  attach(bus: PromiseEventBus): void {
    this.attached = bus
  }

  /** Makes a subscriber of the app known by its name. */
  add(subscription: PromiseSubscription): void {
    this.subscriptions.set(subscription.name, subscription)
  }

  // No async function: the Promise of the bus itself is returned, so a publish costs no more than without Nest.
  private call<A>(use: (bus: PromiseEventBus) => Promise<A>): Promise<A> {
    return this.attached === undefined ? this.connected().then(use) : use(this.attached)
  }

  private iterate<A>(use: (bus: PromiseEventBus) => AsyncIterable<A>): AsyncIterable<A> {
    if (this.attached !== undefined) return use(this.attached)
    const { connected } = this
    return {
      async *[Symbol.asyncIterator]() {
        yield* use(await connected())
      }
    }
  }
}
