/**
 * The operations over RabbitMQ and Redis. They connect when the first one needs the bus, and declare nothing: whoever
 * looks at a system must not change it.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type { ExamineOptions } from "../amqp/inspect/Examine.ts"
import { DeadLetters } from "../bus/deadletter/DeadLetters.ts"
import { Administrator } from "../bus/port/Administration.ts"
import { Broker } from "../bus/port/Broker.ts"
import { BrokerError } from "../bus/port/BrokerError.ts"
import { SettingsInvalid } from "../bus/port/BrokerReason.ts"
import { CacheStore } from "../bus/port/CacheStore.ts"
import { type Examined, Examiner, type Subject } from "../bus/port/Examination.ts"
import { Fleet } from "../bus/port/Fleet.ts"
import * as Notes from "../bus/support/Notes.ts"
import { millisOf } from "../event/options/OptionNames.ts"
import * as SchemaModule from "../event/SchemaModule.ts"
import { make, Operations } from "../operations/Operations.ts"
import type { LiveOptions } from "./LiveOptions.ts"
import { redisClient } from "./RedisConnection.ts"

export interface OperationsOptions {
  /** Those of the service. */
  readonly live: LiveOptions
  /** Address of RabbitMQ's management API. */
  readonly management?: Redacted.Redacted<string>
  /** How long one answer may take, in milliseconds. A connection may take twice as long. */
  readonly patience: number
}

export const layer = (options: OperationsOptions): Layer.Layer<Operations> =>
  Layer.effect(
    Operations,
    Effect.gen(function* () {
      yield* Effect.promise(() => SchemaModule.load())
      return yield* make(examinerOf(options), administratorOf(options), {
        bus: connect(options),
        cache: connectCache(options),
        fleet: connectFleet(options),
        namespace: (namespace, subscribers = []) => measured(options, namespace, subscribers)
      })
    })
  )

const isEmbedded = ({ servers, url }: LiveOptions): boolean =>
  servers === undefined && textOf(url).trim().toLowerCase().startsWith("memory:")

const textOf = (url: string | Redacted.Redacted<string>): string =>
  Redacted.isRedacted(url) ? Redacted.value(url) : url

const embedded = new BrokerError({
  reason: new SettingsInvalid({
    setting: "EVENTBUS_URL",
    problem: "the embedded bus lives in its own process, and nothing else sees it",
    remedy: "Set it to the address of RabbitMQ"
  })
})

const amqpOf = ({ redisTls: _tls, redisUrl: _redis, signing: _signing, url, ...rest }: LiveOptions) => {
  const { namespace = "eduflow", servers = url, ...others } = rest
  return { ...others, namespace, servers, source: "eventbus-cli" }
}

/** A person waits for less long than a service, and no canary has to pass the ladder for an operator. */
const forOperators = ({ live, patience }: OperationsOptions) => ({
  ...amqpOf(live),
  topology: "verify" as const,
  // An event that is published for later may be the first to wait that long.
  levels: "assert" as const,
  waitForBroker: false,
  connectTimeout: Math.min(millisOf(live.connectTimeout ?? "10 seconds"), Math.max(2 * patience, leastConnectMillis)),
  canaryInterval: "1 hour" as const
})

/** The setting has the same bound. */
const leastConnectMillis = 100

const connect = (options: OperationsOptions) =>
  Effect.gen(function* () {
    const { live } = options
    if (isEmbedded(live)) return yield* embedded
    const { AmqpBroker } = yield* Effect.promise(() => import("../amqp/index.ts"))
    const broker = AmqpBroker.layer(forOperators(options))
    const { signing } = live
    const signed =
      signing === undefined
        ? broker
        : Layer.provide((yield* Effect.promise(() => import("../bus/send/SignedBroker.ts"))).layer(signing), broker)
    const context = yield* Layer.build(Layer.provideMerge(DeadLetters.layer, signed))
    return { broker: Context.get(context, Broker), letters: Context.get(context, DeadLetters) }
  })

/** A broker in a namespace that exists, or in a new one that ends with the scope. */
const measured = (options: OperationsOptions, existing: string | undefined, subscribers: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    if (isEmbedded(options.live)) return yield* embedded
    const { AmqpBroker } = yield* Effect.promise(() => import("../amqp/index.ts"))
    const own = yield* Effect.promise(() => import("../amqp/inspect/OwnNamespace.ts"))
    const namespace = existing ?? own.fresh()
    const amqp = { ...forOperators(options), namespace }
    // Before it is declared: an interruption in between must not leave it there.
    if (existing === undefined) yield* Effect.addFinalizer(() => own.remove(amqp, subscribers, patienceToRemove))
    const topology = existing === undefined ? ("assert" as const) : ("verify" as const)
    return Context.get(yield* Layer.build(AmqpBroker.layer({ ...amqp, topology })), Broker)
  })

/** Deleting forty objects takes a busy broker a moment. */
const patienceToRemove = 30_000

/** An operator waits for an answer for longer than a service does. Undefined without Redis. */
const connectRedis = ({ live, patience: timeout }: OperationsOptions) => {
  const { allowPlaintext, namespace, redisTls: tls, redisUrl: url } = live
  if (url === undefined) return Effect.undefined
  return redisClient({
    url,
    ...(namespace !== undefined && { namespace }),
    ...(allowPlaintext !== undefined && { allowPlaintext }),
    timeout,
    ...(tls !== undefined && { tls })
  })
}

const connectCache = (options: OperationsOptions) =>
  Effect.gen(function* () {
    const redis = yield* connectRedis(options)
    if (redis === undefined) return undefined
    const { RedisCache, client } = redis
    return Context.get(yield* Layer.build(Layer.provide(RedisCache.layerOnClient, client)), CacheStore)
  })

const connectFleet = (options: OperationsOptions) =>
  Effect.gen(function* () {
    const redis = yield* connectRedis(options)
    if (redis === undefined) return undefined
    const { RedisFleet, client } = redis
    return Context.get(yield* Layer.build(Layer.provide(Layer.fresh(RedisFleet.layer), client)), Fleet)
  })

const examinerOf = ({ live, management, patience }: OperationsOptions): Examiner["Service"] => {
  const options = { ...amqpOf(live), ...(management !== undefined && { management }), patience }
  return Examiner.of({
    examine: (subject) =>
      Effect.map(
        Effect.all([isEmbedded(live) ? nothingToSee : rabbit(options, subject), redis(live, patience)], {
          concurrency: "unbounded"
        }),
        Notes.merge
      ),
    rightsToWatch: Effect.flatMap(
      Effect.promise(() => import("../amqp/inspect/WatchRights.ts")),
      ({ look }) => look(options, patience)
    ),
    deadLetterSources: isEmbedded(live)
      ? Effect.succeed(undefined)
      : Effect.flatMap(examineRabbit, ({ listDeadLetterSources }) => listDeadLetterSources(options))
  })
}

const administratorOf = ({ live, management, patience }: OperationsOptions): Administrator["Service"] => {
  const amqp = amqpOf(live)
  const { namespace } = amqp
  const options = { ...amqp, ...(management !== undefined && { management }), patience }
  const rabbitMq = isEmbedded(live)
    ? Effect.fail(embedded)
    : Effect.map(
        Effect.promise(() => import("../amqp/administer/Administer.ts")),
        ({ make }) => make(options)
      )
  return Administrator.of({
    namespace,
    compare: (wanted) => Effect.flatMap(rabbitMq, ({ compare }) => compare(wanted)),
    declare: (wanted) => Effect.flatMap(rabbitMq, ({ declare }) => declare(wanted)),
    retire: (target, wanted, how) => Effect.flatMap(rabbitMq, ({ retire }) => retire(target, wanted, how)),
    grants: (service) =>
      Effect.gen(function* () {
        const { grants } = yield* rabbitMq
        const { commandsOfOperator, commandsOfService } = yield* Effect.promise(
          () => import("../redis/connection/AclRules.ts")
        )
        const { stateNamespace = `${namespace}-${service.user}` } = live
        const commands = commandsOfService(namespace, stateNamespace, service.user)
        const operatorCommands = commandsOfOperator(namespace)
        return { rabbitmq: yield* grants(service), redis: { stateNamespace, commands, operatorCommands } }
      })
  })
}

const examineRabbit = Effect.promise(() => import("../amqp/inspect/Examine.ts"))

const rabbit = (options: ExamineOptions, subject: Subject) =>
  Effect.flatMap(examineRabbit, ({ examine }) => examine(options, subject))

const seen = (fact: string) => Effect.sync((): Examined => ({ facts: [fact], findings: [], unseen: [] }))

const nothingToSee = seen("the embedded bus lives in its own process: there is no RabbitMQ to look at")

const redis = (live: LiveOptions, patience: number) => {
  const { allowPlaintext, namespace, redisTls, redisUrl, stateNamespace } = live
  if (redisUrl === undefined) return seen("without EVENTBUS_REDIS_URL each process remembers by itself")
  const options = {
    url: Redacted.isRedacted(redisUrl) ? redisUrl : Redacted.make(redisUrl),
    ...(allowPlaintext !== undefined && { allowPlaintext }),
    ...(redisTls !== undefined && { tls: redisTls }),
    ...(namespace !== undefined && { prefix: namespace }),
    ...(stateNamespace !== undefined && { statePrefix: stateNamespace })
  }
  return Effect.flatMap(
    Effect.promise(() => import("../redis/inspect/Examine.ts")),
    ({ examine }) => examine(options, patience)
  )
}
