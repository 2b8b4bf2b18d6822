/** Calls that define something, or build a layer. */
import { Effect, Layer, Schema } from "effect"
import {
  Batch,
  createEventBus,
  Event,
  EventBus,
  Health,
  httpEndpoints,
  operations,
  RedisStores,
  runMain,
  Subscriber,
  Telemetry,
  TemporaryState
} from "../../../src/index.ts"
import { building, failing, type Place, ports, rejecting, right, state } from "./Setup.ts"

export const layerPlaces: Readonly<Record<string, Place>> = {
  "Event.make": {
    types: ["EventOptions.Options<S, Role, Status>"],
    refuses: (options) => rejecting(async () => Event.make("a.b", options)),
    tag: "EventDefinitionError",
    base: { version: 1, data: Schema.String },
    misspelled: ["publisher", "publishers"],
    wrong: ["key", "id", '"id"'],
    required: "version"
  },
  "Event.define": {
    types: ["Loose"],
    refuses: (options) => rejecting(async () => Event.define("a.b", options)),
    tag: "EventDefinitionError",
    base: { version: 1, data: Schema.String },
    misspelled: ["cached", "cache"],
    wrong: ["cache", true, "true"],
    required: "data"
  },
  "Batch.each": {
    types: ["{"],
    refuses: (options) => failing(Batch.each([], () => Effect.void, options)),
    tag: "OptionInvalid",
    misspelled: ["concurency", "concurrency"],
    wrong: ["concurrency", 0, "0"]
  },
  "Health.over": {
    types: ["HealthOptions"],
    refuses: (options) => rejecting(async () => Health.over(Effect.succeed([]), options)),
    tag: "OptionInvalid",
    misspelled: ["patient", "patience"],
    wrong: ["deadline", "soon", '"soon"']
  },
  "Health.watched": {
    types: ["HealthOptions"],
    refuses: (options) => failing(Effect.scoped(Health.watched(Effect.succeed([]), options))),
    tag: "OptionInvalid",
    misspelled: ["intervall", "interval"],
    wrong: ["interval", 0, "0"]
  },
  "health.add": {
    types: [],
    refuses: (probe) => failing(Effect.flatMap(Health, ({ add }) => add(probe))),
    tag: "OptionInvalid",
    base: { name: "database", critical: true, check: Effect.succeed({ status: "up", detail: "" }) },
    misspelled: ["critcal", "critical"],
    wrong: ["critical", "yes", '"yes"'],
    required: "check"
  },
  "RedisStores.layer": {
    types: ["RedisOptions"],
    refuses: (options) => building(Layer.effectDiscard(Layer.build(RedisStores.layer(options)))),
    tag: "BrokerError",
    base: { url: "redis://localhost" },
    misspelled: ["timeOut", "timeout"],
    wrong: ["timeout", "soon", "a text"],
    required: "url"
  },
  "Subscriber.layer": {
    types: ["AnyReturning<E, Returned>", "BatchedReturning<E, Returned>", "InboxReturning<E, Returned>"],
    refuses: (options) => building(Subscriber.layer("options.layer", options)),
    tag: "SubscribeError",
    base: right,
    misspelled: ["concurency", "concurrency"],
    wrong: ["retry", 3, "3"],
    required: "handler"
  },
  "Subscriber.layerEphemeral": {
    types: ["GapOptions"],
    refuses: (options) => building(Subscriber.layerEphemeral(options)),
    tag: "SubscribeError",
    base: right,
    misspelled: ["onGapp", "onGap"],
    wrong: ["onGap", true, "true"],
    required: "events"
  },
  "Telemetry.layer": {
    types: ["TelemetryOptions"],
    refuses: (options) => building(Telemetry.layer(options)),
    tag: "OptionInvalid",
    misspelled: ["endPoints", "endpoint"],
    wrong: ["logs", "xml", '"xml"']
  },
  "TemporaryState.make": {
    types: ["StateOptions<S>"],
    refuses: (options) => failing(Effect.scoped(TemporaryState.make("options", options))),
    tag: "StateError",
    base: state,
    misspelled: ["timeToLife", "timeToLive"],
    wrong: ["timeToLive", -1, "-1"],
    required: "schema"
  },
  "state.set": {
    types: ["{"],
    refuses: (options) =>
      failing(Effect.scoped(Effect.flatMap(TemporaryState.make("set", state), ({ set }) => set("k", "v", options)))),
    tag: "StateError",
    misspelled: ["timeToLives", "timeToLive"],
    wrong: ["timeToLive", "soon", '"soon"']
  },
  createEventBus: {
    types: ["PromiseBusOptions", "PromiseExtras"],
    refuses: (options) => rejecting(() => createEventBus(options)),
    tag: "BrokerError",
    base: { url: "memory://" },
    misspelled: ["heartBeats", "heartbeat"],
    wrong: ["topology", "check", "a text"],
    required: "url"
  },
  "a hook of createEventBus": {
    types: [],
    refuses: (hook) => rejecting(() => createEventBus({ url: "memory://", around: [hook] })),
    tag: "OptionInvalid",
    base: { name: "timing" },
    misspelled: ["handlin", "handling"],
    wrong: ["publishing", "a text", "a text"],
    required: "name"
  },
  "the log of createEventBus": {
    types: [],
    refuses: (logger) => rejecting(() => createEventBus({ url: "memory://", logger })),
    tag: "OptionInvalid",
    misspelled: ["levle", "level"],
    wrong: ["level", "verbose", '"verbose"']
  },
  "EventBus.layerAmqp": {
    types: ["LiveOptions"],
    refuses: (options) => building(Layer.effectDiscard(Layer.build(EventBus.layerAmqp(options)))),
    tag: "BrokerError",
    base: { url: "memory://" },
    misspelled: ["pasword", ""],
    wrong: ["redisTls", "ca", "a text"]
  },
  "EventBus.layerMemory": {
    types: ["MemoryOptions"],
    refuses: (options) => building(Layer.effectDiscard(Layer.build(EventBus.layerMemory(options)))),
    tag: "OptionInvalid",
    misspelled: ["nameSpaces", "namespace"],
    wrong: ["authorise", "all", '"all"']
  },
  "EventBus.layerWith": {
    types: ["EventBus.Options"],
    refuses: (options) =>
      building(Layer.effectDiscard(Layer.build(EventBus.layerWith(options).pipe(Layer.provide(ports))))),
    tag: "OptionInvalid",
    misspelled: ["sources", "source"],
    wrong: ["publishTimeout", "soon", '"soon"']
  },
  httpEndpoints: {
    types: ["EndpointOptions"],
    refuses: (options) => building(httpEndpoints(options)),
    tag: "BrokerError",
    base: { port: 0 },
    misspelled: ["detail", "details"],
    wrong: ["details", "local", "a text"],
    required: "port"
  },
  operations: {
    types: ["OperationsOptions"],
    refuses: (options) => building(operations(options, { url: "memory://" })),
    tag: "BrokerError",
    base: { port: 0, authorize: () => Effect.succeed(undefined) },
    misspelled: ["readonly", "readOnly"],
    wrong: ["readOnly", "yes", "a text"],
    required: "authorize"
  },
  runMain: {
    types: ["RunMainOptions"],
    refuses: (options) => rejecting(async () => runMain(Effect.void, options)),
    tag: "OptionInvalid",
    misspelled: ["deadLine", "deadline"],
    wrong: ["deadline", -1, "-1"]
  }
}
