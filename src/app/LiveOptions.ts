/**
 * Options of a live bus: what the bus does, where RabbitMQ is, and where Redis is.
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { AmqpOptions } from "../amqp/AmqpOptions.ts"
import type { EventBus } from "../bus/EventBus.ts"
import type { Signing } from "../bus/send/SignedBroker.ts"
import type { TlsOptions } from "../bus/support/TlsOptions.ts"

export interface LiveOptions extends EventBus.Options, Omit<AmqpOptions, "servers" | "source" | "namespace"> {
  /** Addresses of RabbitMQ separated by commas, or `memory://` for the embedded bus. */
  readonly url: string | Redacted.Redacted<string>
  /** Replaces `url` where a password does not fit into an address. */
  readonly servers?: AmqpOptions["servers"]
  /** `redis://`, `redis+sentinel://` or `redis+cluster://`, with `rediss` over TLS. Default: none, the process remembers by itself. */
  readonly redisUrl?: string | Redacted.Redacted<string>
  /**
   * How `rediss` proves who is there, and who is here; or an Effect that runs at each connect, for certificates that are
   * renewed while the service runs.
   */
  readonly redisTls?: TlsOptions | Effect.Effect<TlsOptions, unknown>
  /** First part of every queue, exchange and Redis key. Default `"eduflow"`. */
  readonly namespace?: string
  /**
   * Signs retries, delayed events, parked events and dead letters with a secret of the namespace, so that no program
   * without it can forge one. Default: none.
   */
  readonly signing?: Signing
  /**
   * First part of the Redis keys that this service alone uses: claims and done marks, temporary state, Effect's stores. With
   * one of its own, a Redis user can be kept from those of other services. All processes of a service need the same. State
   * that another one holds is not found. Default: `namespace`.
   */
  readonly stateNamespace?: string
  /** Longest time of one Redis command. Default 150 ms. */
  readonly redisTimeout?: Duration.Input
}

/** Options of the embedded bus. */
export interface MemoryOptions extends EventBus.Options {
  /** First part of every queue name. Default `"eduflow"`. */
  readonly namespace?: string
}
