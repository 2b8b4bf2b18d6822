/**
 * The settings that a service takes from its environment: name, meaning and default. The table of settings in
 * the documentation is generated from this file.
 */
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { Signing } from "../bus/send/SignedBroker.ts"
import { BrokerError } from "../bus/port/BrokerError.ts"
import { SettingsInvalid } from "../bus/port/BrokerReason.ts"
import { bounded } from "../event/EventError.ts"
import type { LiveOptions } from "./LiveOptions.ts"
import type { RedisOptions } from "./RedisOptions.ts"

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
    "`redis://`, `redis+sentinel://` or `redis+cluster://`, with `rediss` over TLS; without it, what is remembered stays in the process",
    "none",
    optional(Config.Redacted)
  ),
  namespace: setting(
    "EVENTBUS_NAMESPACE",
    "First part of every queue, exchange and Redis key: `[a-z0-9-]{1,32}`",
    "`eduflow`",
    withDefault(Config.String, "eduflow")
  ),
  stateNamespace: setting(
    "EVENTBUS_STATE_NAMESPACE",
    "First part of the Redis keys that this service alone uses (claims, done marks, state), for a Redis user of its own",
    "the namespace",
    optional(Config.String)
  ),
  source: setting(
    "EVENTBUS_SOURCE",
    "Name of the service: `source` of its events",
    "`service`",
    withDefault(Config.String, "service")
  ),
  signingSecret: setting(
    "EVENTBUS_SIGNING_SECRET",
    "Signs retries, delayed events and dead letters: at least 32 characters, or two such secrets separated by a comma, the new one first",
    "none",
    optional(Config.Redacted)
  ),
  signing: setting(
    "EVENTBUS_SIGNING",
    "With a secret: `sign` believes what is unsigned, until every process signs; `require` believes only what is signed",
    "`sign`",
    withDefault((name) => Config.Literals(["sign", "require"], name), "sign")
  ),
  topology: setting(
    "EVENTBUS_TOPOLOGY",
    "`assert` declares queues and exchanges, `verify` only checks that they exist",
    "`assert`",
    withDefault((name) => Config.Literals(["assert", "verify"], name), "assert")
  ),
  waitForBroker: setting(
    "EVENTBUS_WAIT_FOR_BROKER",
    "`true` starts while RabbitMQ is away and connects when it is back",
    "`false`",
    withDefault(Config.Boolean, false)
  ),
  allowPlaintext: setting(
    "EVENTBUS_ALLOW_PLAINTEXT",
    "`true` allows `amqp://` and `redis://`, which have no TLS, to other hosts than this one",
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
    "Interval of the heartbeats between RabbitMQ and the service",
    "`10 seconds`",
    withDefault(Config.Duration, Duration.seconds(10))
  ),
  publishTimeout: setting(
    "EVENTBUS_PUBLISH_TIMEOUT",
    "Longest time until a publish succeeds or fails",
    "`15 seconds`",
    withDefault(Config.Duration, Duration.seconds(15))
  ),
  drainTimeout: setting(
    "EVENTBUS_DRAIN_TIMEOUT",
    "Longest time to finish running work when the service stops",
    "`25 seconds`",
    withDefault(Config.Duration, Duration.seconds(25))
  )
} as const

/** The address, where there is one: what to do without it deserves more words than "a key is missing". */
export const givenUrl = Config.option(settings.url.config)

export const config: Config.Config<LiveOptions> = Config.map(
  Config.unwrap({
    url: settings.url.config,
    redisUrl: settings.redisUrl.config,
    namespace: settings.namespace.config,
    stateNamespace: settings.stateNamespace.config,
    source: settings.source.config,
    signingSecret: settings.signingSecret.config,
    signing: settings.signing.config,
    topology: settings.topology.config,
    waitForBroker: settings.waitForBroker.config,
    allowPlaintext: settings.allowPlaintext.config,
    connectTimeout: settings.connectTimeout.config,
    heartbeat: settings.heartbeat.config,
    publishTimeout: settings.publishTimeout.config,
    drainTimeout: settings.drainTimeout.config
  }),
  ({ redisUrl, signing: mode, signingSecret, stateNamespace, ...rest }) => ({
    ...rest,
    ...(redisUrl !== undefined && { redisUrl }),
    ...(stateNamespace !== undefined && { stateNamespace }),
    ...(signingSecret !== undefined && { signing: { secret: secretsOf(signingSecret), mode } })
  })
)

/** Two secrets are separated by a comma. */
const secretsOf = (setting: Redacted.Redacted<string>): Signing["secret"] => {
  const [first = "", second, ...others] = Redacted.value(setting).split(",")
  if (second === undefined) return setting
  // More than two are refused, as one that is too short is.
  return others.length > 0 ? "" : [Redacted.make(first.trim()), Redacted.make(second.trim())]
}

/** Why a variable of the environment cannot be read, as an error of the bus; other errors stay as they are. */
export const unreadable = (error: unknown, environment: Readonly<Record<string, string | undefined>>): unknown => {
  if (!(error instanceof Config.ConfigError)) return error
  const [expected = "", path = ""] = error.cause.message.split("\n")
  const name = /\["(\w+)"\]/.exec(path)?.[1] ?? "the environment"
  const known = Object.values(settings).find((setting) => setting.name === name)
  // Addresses contain passwords.
  const value = environment[name] === undefined || name.endsWith("URL") ? "it" : JSON.stringify(environment[name])
  return new BrokerError({
    reason: new SettingsInvalid({
      setting: name,
      problem: `${bounded(value, 100)} cannot be read (${expected})`,
      remedy:
        known === undefined
          ? "Fix its value"
          : `Fix its value, or unset it for the default (${known.default}). It means: ${known.meaning}`
    })
  })
}

/** The settings of Redis alone; the address is required here. */
export const redisConfig: Config.Config<RedisOptions> = Config.map(
  Config.unwrap({
    url: Config.Redacted(settings.redisUrl.name),
    namespace: settings.namespace.config,
    stateNamespace: settings.stateNamespace.config,
    allowPlaintext: settings.allowPlaintext.config
  }),
  ({ namespace, stateNamespace, ...rest }) => ({ ...rest, namespace: stateNamespace ?? namespace })
)
