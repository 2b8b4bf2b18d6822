/**
 * How to reach RabbitMQ, checked before anything is connected: settings that cannot work fail at start with the
 * setting and the remedy, and never with a url, which holds the password.
 */
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { BrokerError } from "../bus/port/BrokerError.ts"
import type { TlsOptions } from "../bus/support/TlsOptions.ts"
import { namespaceFault } from "../event/Name.ts"
import * as Servers from "./Servers.ts"

export interface AmqpOptions {
  /** `amqp://` or `amqps://` addresses separated by commas, or their parts. Tried in random order, the next on failure. */
  readonly servers: string | Redacted.Redacted<string> | Servers.ServerParts
  readonly namespace: string
  readonly source: string
  /** Or an Effect that runs at each connect, for certificates that are renewed while the service runs. */
  readonly tls?: TlsOptions | Effect.Effect<TlsOptions, unknown>
  /**
   * For credentials that change: runs at each connect, again when two thirds of their time are over, so that the connections
   * go on with the next ones, and when RabbitMQ refuses what it allowed. Failures are tried again.
   */
  readonly credentials?: Effect.Effect<Servers.FreshCredentials, unknown>
  /** Longest time to connect, credentials and handshake included; each of several servers has its share. Default 10 seconds. */
  readonly connectTimeout?: Duration.Input
  /** Default 10 seconds. */
  readonly heartbeat?: Duration.Input
  /** Longest time for one answer of the broker, such as to a declaration. Default 10 seconds. */
  readonly callTimeout?: Duration.Input
  /** Starts without the broker and connects when it is there. Default false. */
  readonly waitForBroker?: boolean
  /** `"verify"` declares nothing and only checks that the objects exist. Default `"assert"`. */
  readonly topology?: "assert" | "verify"
  /** Allows `amqp://` and `redis://`, which have no TLS, to other hosts than this one. Default false. */
  readonly allowPlaintext?: boolean
  /** Confirm channels to publish on. Default 2. */
  readonly publishChannels?: number
  /** Sends small frames at once (TCP_NODELAY). Default true. */
  readonly noDelay?: boolean
  /** How often health tries the delay ladder. Default 15 seconds. */
  readonly canaryInterval?: Duration.Input
}

/** What the runtime itself may ask for besides. */
export interface OperatorOptions extends AmqpOptions {
  /** Whether levels of the delay ladder are declared although the rest is only looked at. Default: as `topology`. */
  readonly levels?: "assert" | "verify"
}

export interface Settings {
  readonly namespace: string
  readonly source: string
  readonly servers: ReadonlyArray<Servers.Server>
  readonly tls: TlsOptions | Effect.Effect<TlsOptions, unknown>
  readonly credentials: Effect.Effect<Servers.FreshCredentials, unknown> | undefined
  readonly connectMillis: number
  readonly heartbeatSeconds: number
  readonly callMillis: number
  readonly waitForBroker: boolean
  readonly topology: "assert" | "verify"
  readonly levels: "assert" | "verify"
  readonly publishChannels: number
  readonly noDelay: boolean
  readonly canaryMillis: number
}

/** The settings with their defaults; fails with the first that cannot work. */
export const settle = (options: OperatorOptions): Result.Result<Settings, BrokerError> =>
  Result.gen(function* () {
    const fault = namespaceFault(options.namespace)
    if (fault !== undefined) return yield* Servers.invalid("namespace", fault, 'The default is "eduflow"')
    const servers = yield* Servers.parse(options.servers)
    yield* Servers.checkPlaintext(servers, options.allowPlaintext ?? false)
    const connectMillis = yield* millis("connectTimeout", options.connectTimeout, ["100 ms", 100], 10)
    // A heartbeat has 16 bits of seconds.
    const heartbeatMillis = yield* millis("heartbeat", options.heartbeat, ["1 second", 1000], 10)
    const callMillis = yield* millis("callTimeout", options.callTimeout, ["100 ms", 100], 10)
    const canaryMillis = yield* millis("canaryInterval", options.canaryInterval, ["3 seconds", 3000], 15)
    const publishChannels = options.publishChannels ?? 2
    if (!Number.isSafeInteger(publishChannels) || publishChannels < 1 || publishChannels > 64) {
      const problem = `${publishChannels} is not a whole number from 1 to 64`
      return yield* Servers.invalid("publishChannels", problem, "The default is 2")
    }
    return {
      namespace: options.namespace,
      source: options.source,
      servers,
      tls: options.tls ?? {},
      credentials: options.credentials,
      connectMillis,
      heartbeatSeconds: Math.round(heartbeatMillis / 1000),
      callMillis,
      waitForBroker: options.waitForBroker ?? false,
      topology: options.topology ?? "assert",
      levels: options.levels ?? options.topology ?? "assert",
      publishChannels,
      noDelay: options.noDelay ?? true,
      canaryMillis
    }
  })

/** Node's timers fire at once beyond 24 days: an hour is more than any of these times needs. */
const hour = 3_600_000

const millis = (
  setting: string,
  input: Duration.Input | undefined,
  [least, leastMillis]: readonly [string, number],
  defaultSeconds: number
): Result.Result<number, BrokerError> => {
  const duration = Duration.fromInput(input ?? Duration.seconds(defaultSeconds))
  const value = Option.match(duration, { onNone: () => Number.NaN, onSome: Duration.toMillis })
  return value >= leastMillis && value <= hour
    ? Result.succeed(value)
    : Servers.invalid(setting, `it is not a time from ${least} to 1 hour`, `The default is ${defaultSeconds} seconds`)
}
