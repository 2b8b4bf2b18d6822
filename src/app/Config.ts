/**
 * Every setting that a service can make by its environment: name, meaning, default. The table in the
 * README is made from this file.
 */
import { Config, Duration, Option } from "effect"
import type { LiveOptions } from "./Live.ts"
import type { RedisLiveOptions } from "./RedisLive.ts"

interface Setting<A> {
  readonly name: string
  readonly meaning: string
  readonly default: string
  readonly config: Config.Config<A>
}

const setting = <A>(
  name: string,
  meaning: string,
  fallback: string,
  make: (name: string) => Config.Config<A>
): Setting<A> => ({ name, meaning, default: fallback, config: make(name) })

const optional =
  <A>(make: (name: string) => Config.Config<A>) =>
  (name: string): Config.Config<A | undefined> =>
    Config.map(Config.option(make(name)), Option.getOrUndefined)

const withDefault =
  <A>(make: (name: string) => Config.Config<A>, value: A) =>
  (name: string): Config.Config<A> =>
    Config.withDefault(make(name), value)

export const settings = {
  url: setting(
    "EVENTBUS_URL",
    "`memory://`, or one or several `amqp://` or `amqps://` addresses separated by commas, with the virtual host as path",
    "required",
    Config.Redacted
  ),
  redisUrl: setting(
    "EVENTBUS_REDIS_URL",
    "`redis://`, `redis+sentinel://` or `redis+cluster://`, with `rediss` over TLS; without it the process remembers by itself",
    "none",
    optional(Config.Redacted)
  ),
  namespace: setting(
    "EVENTBUS_NAMESPACE",
    "First part of every queue, exchange and Redis key: `[a-z0-9-]{1,32}`",
    "`eduflow`",
    withDefault(Config.String, "eduflow")
  ),
  source: setting(
    "EVENTBUS_SOURCE",
    "Name of the service: `source` of its events",
    "`service`",
    withDefault(Config.String, "service")
  ),
  topology: setting(
    "EVENTBUS_TOPOLOGY",
    "`assert` declares queues and exchanges, `verify` only looks whether they are there",
    "`assert`",
    withDefault((name) => Config.Literals(["assert", "verify"], name), "assert")
  ),
  waitForBroker: setting(
    "EVENTBUS_WAIT_FOR_BROKER",
    "`true` starts without RabbitMQ and connects when it is there",
    "`false`",
    withDefault(Config.Boolean, false)
  ),
  allowPlaintext: setting(
    "EVENTBUS_ALLOW_PLAINTEXT",
    "`true` allows `amqp://` without TLS to other hosts than this one",
    "`false`",
    withDefault(Config.Boolean, false)
  ),
  connectTimeout: setting(
    "EVENTBUS_CONNECT_TIMEOUT",
    "Longest time to connect",
    "`10 seconds`",
    withDefault(Config.Duration, Duration.seconds(10))
  ),
  heartbeat: setting(
    "EVENTBUS_HEARTBEAT",
    "Interval at which RabbitMQ and the service look for each other",
    "`10 seconds`",
    withDefault(Config.Duration, Duration.seconds(10))
  ),
  publishTimeout: setting(
    "EVENTBUS_PUBLISH_TIMEOUT",
    "Longest time until the outcome of a publish",
    "`15 seconds`",
    withDefault(Config.Duration, Duration.seconds(15))
  ),
  drain: setting(
    "EVENTBUS_DRAIN",
    "Longest time to finish what runs when the service stops",
    "`25 seconds`",
    withDefault(Config.Duration, Duration.seconds(25))
  )
} as const

export const config: Config.Config<LiveOptions> = Config.map(
  Config.unwrap({
    url: settings.url.config,
    redisUrl: settings.redisUrl.config,
    namespace: settings.namespace.config,
    source: settings.source.config,
    topology: settings.topology.config,
    waitForBroker: settings.waitForBroker.config,
    allowPlaintext: settings.allowPlaintext.config,
    connectTimeout: settings.connectTimeout.config,
    heartbeat: settings.heartbeat.config,
    publishTimeout: settings.publishTimeout.config,
    drain: settings.drain.config
  }),
  ({ redisUrl, ...rest }) => ({ ...rest, ...(redisUrl !== undefined && { redisUrl }) })
)

/** Redis alone, which is required then. */
export const redisConfig: Config.Config<RedisLiveOptions> = Config.unwrap({
  url: Config.Redacted(settings.redisUrl.name),
  namespace: settings.namespace.config
})
