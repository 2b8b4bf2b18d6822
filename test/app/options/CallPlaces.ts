/** Calls of a bus, of the test kit and of the conformance suites. */
import { Effect, Layer } from "effect"
import { DeadLetters, EventCache, Foreign, Recurring, Subscriber } from "../../../src/index.ts"
import { brokerCases, busProcess, cacheStoreCases } from "../../../src/ports/index.ts"
import { createTestBus, TestBus } from "../../../src/testing/index.ts"
import {
  Asked,
  bus,
  building,
  data,
  drain,
  failing,
  iterate,
  Moved,
  type Place,
  ports,
  promised,
  rejecting,
  right
} from "./Setup.ts"

export const callPlaces: Readonly<Record<string, Place>> = {
  "bus.publish": {
    types: ["PublishOptions"],
    refuses: (options) => bus(({ publish }) => publish(Moved, data, options)),
    tag: "PublishError",
    misspelled: ["correlationid", "correlationId"],
    wrong: ["timeout", "soon", '"soon"']
  },
  "bus.publishAll": {
    types: ["Omit<PublishOptions, "],
    refuses: (options) => bus(({ publishAll }) => publishAll(Moved, [], options)),
    tag: "PublishAllError",
    misspelled: ["mandatary", "mandatory"],
    wrong: ["mandatory", 1, "1"]
  },
  "PromiseEventBus.publish": {
    types: ["PromisePublishOptions"],
    refuses: (options) => rejecting(() => promised().publish(Moved, data, options)),
    tag: "PublishError",
    misspelled: ["sgnal", "signal"],
    wrong: ["signal", true, "true"]
  },
  "PromiseEventBus.publishAll": {
    types: ["Omit<PromisePublishOptions, "],
    refuses: (options) => rejecting(() => promised().publishAll(Moved, [], options)),
    tag: "PublishAllError",
    misspelled: ["actr", "actor"],
    wrong: ["delay", new Date(Number.NaN), "an object"]
  },
  "PromiseEventBus.httpHandler": {
    types: ["HttpHandlerOptions"],
    refuses: (options) => rejecting(async () => promised().httpHandler(options)),
    tag: "OptionInvalid",
    misspelled: ["detail", "details"],
    wrong: ["details", "local", '"local"']
  },
  "PromiseEventBus.operationsHandler": {
    types: ["OperationsHandlerOptions"],
    refuses: (options) => rejecting(async () => promised().operationsHandler(options)),
    tag: "OptionInvalid",
    base: { authorize: () => undefined },
    misspelled: ["readonly", "readOnly"],
    wrong: ["readOnly", "yes", '"yes"'],
    required: "authorize"
  },
  "bus.request": {
    types: ["RequestOptions"],
    refuses: (options) => bus(({ request }) => request(Asked, data, options)),
    tag: "RequestError",
    misspelled: ["deadlin", "deadline"],
    wrong: ["deadline", "soon", '"soon"']
  },
  "bus.requestAll": {
    types: ["RequestAllOptions"],
    refuses: (options) => bus(({ requestAll }) => requestAll(Asked, data, options)),
    tag: "RequestError",
    base: { within: "1 second" },
    misspelled: ["atmost", "atMost"],
    wrong: ["atMost", 0.5, "0.5"],
    required: "within"
  },
  "Subscriber.reply": {
    types: ["ReplyOptions<Q, Returned>"],
    refuses: (options) => building(Subscriber.reply("options.reply", options)),
    tag: "SubscribeError",
    base: { to: Asked, handler: () => Effect.succeed(1) },
    misspelled: ["concurency", "concurrency"],
    wrong: ["to", 7, "7"],
    required: "to"
  },
  "Recurring.layer": {
    types: ["RecurringOptions<E>", "RecurringOptions.RecurringOptions<E>"],
    refuses: (options) => building(Recurring.layer("options.recurring", options)),
    tag: "SubscribeError",
    base: { event: Moved, cron: "0 * * * *", data: () => data },
    misspelled: ["timezone", "timeZone"],
    wrong: ["catchUp", 3, "3"],
    required: "cron"
  },
  "PromiseEventBus.recurring": {
    types: [],
    refuses: (options) => rejecting(() => promised().recurring("options.recurring", options)),
    tag: "SubscribeError",
    base: { event: Moved, cron: "0 * * * *", data: () => data },
    misspelled: ["catchup", "catchUp"],
    wrong: ["data", 3, "3"],
    required: "event"
  },
  "PromiseEventBus.request": {
    types: [],
    refuses: (options) => rejecting(() => promised().request(Asked, data, options)),
    tag: "RequestError",
    misspelled: ["deadlines", "deadline"],
    wrong: ["signal", true, "true"]
  },
  "PromiseEventBus.reply": {
    types: ["PromiseReplyOptions<Q>"],
    refuses: (options) => rejecting(() => promised().reply("options.reply", options)),
    tag: "SubscribeError",
    base: { to: Asked, handler: () => 1 },
    misspelled: ["retryy", "retry"],
    wrong: ["breaker", 3, "3"],
    required: "handler"
  },
  "cache.history": {
    types: ["HistoryOptions", "EventCache.HistoryOptions"],
    refuses: (options) => failing(Effect.flatMap(EventCache, ({ history }) => history(Moved, options))),
    tag: "CacheError",
    misspelled: ["limits", "limit"],
    wrong: ["before", new Date(Number.NaN), "an object"]
  },
  "cache.historyStream": {
    types: ["HistoryStreamOptions"],
    refuses: (options) =>
      failing(Effect.flatMap(EventCache, ({ historyStream }) => drain(historyStream(Moved, options)))),
    tag: "CacheError",
    misspelled: ["pagesize", "pageSize"],
    wrong: ["pageSize", 0, "0"]
  },
  "PromiseEventBus.historyStream": {
    types: ["EventCache.HistoryStreamOptions"],
    refuses: (options) => rejecting(() => iterate(promised().historyStream(Moved, options))),
    tag: "CacheError",
    misspelled: ["afer", "after"],
    wrong: ["key", 7, "7"]
  },
  "bus.stream": {
    types: ["EventBus.StreamOptions"],
    refuses: (options) => bus(({ stream }) => drain(stream([Moved], options))),
    tag: "SubscribeError",
    misspelled: ["buffers", "buffer"],
    wrong: ["buffer", Number.NaN, "NaN"]
  },
  "deadLetters.list": {
    types: ["DeadLetters.ListOptions"],
    refuses: (options) => failing(Effect.flatMap(DeadLetters, ({ list }) => list("a.b", options))),
    tag: "DeadLettersError",
    misspelled: ["resaon", "reason"],
    wrong: ["reason", "Broken", "a text"]
  },
  "deadLetters.replay": {
    types: ["DeadLetters.ReplayOptions"],
    refuses: (options) => failing(Effect.flatMap(DeadLetters, ({ replay }) => replay("a.b", options))),
    tag: "ReplayError",
    misspelled: ["dryrun", "dryRun"],
    wrong: ["rate", 0, "0"]
  },
  "deadLetters.discard": {
    types: ["DeadLetters.DiscardOptions"],
    refuses: (options) => failing(Effect.flatMap(DeadLetters, ({ discard }) => discard("a.b", options))),
    tag: "DeadLettersError",
    base: { all: true },
    misspelled: ["olderthan", "olderThan"],
    wrong: ["ids", "one", "a text"]
  },
  "PromiseEventBus.subscribe": {
    types: ["PromiseSubscriberOptions<E>", "PromiseBatchedOptions<E>"],
    refuses: (options) => rejecting(() => promised().subscribe("options.promise", options)),
    tag: "SubscribeError",
    base: right,
    misspelled: ["dedline", "deadline"],
    wrong: ["breaker", 3, "3"],
    required: "events"
  },
  "TestBus.layerWith": {
    types: ["TestBusOptions"],
    refuses: (options) => building(Layer.effectDiscard(Layer.build(TestBus.layerWith(options)))),
    tag: "OptionInvalid",
    misspelled: ["fault", "faults"],
    wrong: ["faults", 7, "7"]
  },
  createTestBus: {
    types: ["PromiseTestBusOptions"],
    refuses: (options) => rejecting(() => createTestBus(options)),
    tag: "OptionInvalid",
    misspelled: ["arround", "around"],
    wrong: ["logger", "xml", '"xml"']
  },
  "TestBus.layerWith, faults": {
    types: [],
    refuses: (faults) => building(Layer.effectDiscard(Layer.build(TestBus.layerWith({ faults })))),
    tag: "OptionInvalid",
    base: { seed: 1 },
    misspelled: ["confirmLst", "confirmLost"],
    wrong: ["redelivered", 20, "20"],
    required: "seed"
  },
  "TestBus.deliver": {
    types: ["DeliverOptions"],
    refuses: (options) => failing(Effect.flatMap(TestBus, ({ deliver }) => deliver("a.b", Moved, data, options))),
    tag: "OptionInvalid",
    misspelled: ["header", "headers"],
    wrong: ["headers", "a", '"a"']
  },
  "Foreign.json": {
    types: ["CodecOptions"],
    refuses: (options) => rejecting(async () => Foreign.json(options)),
    tag: "OptionInvalid",
    misspelled: ["tipe", "type"],
    wrong: ["type", "created", '"created"']
  },
  "Foreign.massTransit": {
    types: ["MassTransitOptions"],
    refuses: (options) => rejecting(async () => Foreign.massTransit(options)),
    tag: "OptionInvalid",
    misspelled: ["sourceAdress", "sourceAddress"],
    wrong: ["sourceAddress", 7, "7"]
  },
  "Foreign.nest": {
    types: ["NestOptions"],
    refuses: (options) => rejecting(async () => Foreign.nest(options)),
    tag: "OptionInvalid",
    misspelled: ["ids", "id"],
    wrong: ["id", "orderId", '"orderId"']
  },
  "PromiseEventBus.publishForeign": {
    types: ["PromiseForeignPublishOptions"],
    refuses: (options) => rejecting(() => promised().publishForeign({ queue: "orders" }, Moved, data, options)),
    tag: "PublishError",
    misspelled: ["sgnal", "signal"],
    wrong: ["mandatory", 1, "1"]
  },
  "Foreign.publish": {
    types: ["ForeignPublishOptions"],
    refuses: (options) => failing(Foreign.publish({ queue: "orders" }, Moved, data, options)),
    tag: "PublishError",
    misspelled: ["tipe", "type"],
    wrong: ["mandatory", 1, "1"]
  },
  "Foreign.queue": {
    types: ["ForeignOptions<E>"],
    refuses: (options) =>
      bus(({ subscribe }) =>
        Effect.scoped(subscribe("a.b", { events: Foreign.queue("orders", options), handler: () => Effect.void }))
      ),
    tag: "SubscribeError",
    base: { types: { moved: Moved } },
    misspelled: ["codecs", "codec"],
    wrong: ["onUnknownType", "drop", '"drop"'],
    required: "types"
  },
  busProcess: {
    types: ["EventBus.Options"],
    refuses: (options) => rejecting(async () => busProcess(ports, options)),
    tag: "OptionInvalid",
    misspelled: ["drainTimeOuts", "drainTimeout"],
    wrong: ["inFlight", 1000, "1000"]
  },
  cacheStoreCases: {
    types: ["CacheStoreOptions"],
    refuses: (options) => rejecting(async () => cacheStoreCases(options)),
    tag: "OptionInvalid",
    misspelled: ["settled", "settle"],
    wrong: ["settle", Effect.void, "an object"]
  },
  brokerCases: {
    types: [],
    refuses: (setup) => rejecting(async () => brokerCases(setup)),
    tag: "OptionInvalid",
    base: { ports, network: Effect.never, claims: ports, publishForeign: () => Effect.void, remote: true },
    misspelled: ["scales", "scale"],
    wrong: ["remote", "yes", '"yes"'],
    required: "ports"
  }
}
