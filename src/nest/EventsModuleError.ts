/**
 * Why the module cannot start the handlers of an app, or a decorator cannot work. Errors of the bus itself, such as
 * `BrokerError` and `SubscribeError`, come as they are.
 */
import { TaggedClass, TaggedError } from "../event/Tagged.ts"

/** Two handlers would share one queue, and each event would reach one of the two. */
export class DuplicateSubscriber extends TaggedClass<DuplicateSubscriber>()("DuplicateSubscriber", (Schema) => ({
  subscriber: Schema.String,
  first: Schema.String,
  second: Schema.String
})) {
  get message(): string {
    return (
      `subscriber "${this.subscriber}" is both ${this.first} and ${this.second}: each event would reach one of the two by ` +
      "chance. Give each its own `subscriber` in @OnEvent; a class that two modules provide belongs in one of them, which exports it"
    )
  }
}

/** A handler without `subscriber` whose class and method make no name. */
export class NoSubscriberName extends TaggedClass<NoSubscriberName>()("NoSubscriberName", (Schema) => ({
  handler: Schema.String,
  problem: Schema.String
})) {
  get message(): string {
    return `${this.handler} has no subscriber name, and none can be derived: ${this.problem}. Write one: @OnEvent(Contract, { subscriber: "service.purpose" })`
  }
}

/** The contract of a handler does not exist when the class is defined. */
export class NoContract extends TaggedClass<NoContract>()("NoContract", (Schema) => ({ handler: Schema.String })) {
  get message(): string {
    return (
      `@OnEvent of ${this.handler} got undefined instead of a contract: two files import each other. ` +
      "Define contracts in a file that imports no provider"
    )
  }
}

/** `@OnEvent` stands on something that no provider has. */
export class NotAMethod extends TaggedClass<NotAMethod>()("NotAMethod", (Schema) => ({ handler: Schema.String })) {
  get message(): string {
    return `@OnEvent stands on ${this.handler}, which is no method of an instance. Put it on a method of a provider that is not static`
  }
}

/** A handler names a bus that the app does not have. */
export class UnknownBus extends TaggedClass<UnknownBus>()("UnknownBus", (Schema) => ({
  handler: Schema.String,
  bus: Schema.String,
  known: Schema.Array(Schema.String)
})) {
  get message(): string {
    return (
      `${this.handler} handles events of the bus "${this.bus}", and the app has ${this.known.join(", ")}. ` +
      "Import EventsModule.forRoot({ name, … }) with that name, or correct `bus` in @OnEvent"
    )
  }
}

/** The app imports the module twice for one bus. */
export class DuplicateBus extends TaggedClass<DuplicateBus>()("DuplicateBus", (Schema) => ({ bus: Schema.String })) {
  get message(): string {
    return (
      `EventsModule is configured twice for ${this.bus}. Import it once, in the root module: it is global. ` +
      "A second bus needs a name: forRoot({ name, … })"
    )
  }
}

/** `testEvents` met a bus that is no test's. */
export class NoTestBus extends TaggedClass<NoTestBus>()("NoTestBus", () => ({})) {
  get message(): string {
    return (
      "testEvents needs a test bus, and the app has a live one. Import EventsTestingModule.forRoot() instead of EventsModule, " +
      "or give the builder of the testing module to EventsTestingModule.replaceIn"
    )
  }
}

/** A call came after the app had closed, to a bus that never connected. */
export class NotRunning extends TaggedClass<NotRunning>()("NotRunning", () => ({})) {
  get message(): string {
    return "the app is closed, and so is its bus. Await what publishes before app.close()"
  }
}

export class EventsModuleError extends TaggedError<EventsModuleError>()("EventsModuleError", (Schema) => ({
  reason: Schema.Union([
    DuplicateSubscriber,
    NoSubscriberName,
    NoContract,
    NotAMethod,
    UnknownBus,
    DuplicateBus,
    NotRunning,
    NoTestBus
  ])
})) {
  readonly isRetryable = false
  override get message(): string {
    return this.reason.message
  }
}
