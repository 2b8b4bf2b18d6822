/**
 * Options of Effect's stores on Redis.
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { TlsOptions } from "../bus/support/TlsOptions.ts"

export interface RedisOptions {
  /** `redis://`, `redis+sentinel://` or `redis+cluster://`, with `rediss` over TLS. */
  readonly url: string | Redacted.Redacted<string>
  /**
   * How `rediss` proves who is there, and who is here; or an Effect that runs at each connect, for certificates that are
   * renewed while the service runs.
   */
  readonly tls?: TlsOptions | Effect.Effect<TlsOptions, unknown>
  /** Allows `redis://`, which has no TLS, to other hosts than this one. Default false. */
  readonly allowPlaintext?: boolean
  /** First part of every key. Default `"eduflow"`. */
  readonly namespace?: string
  /** Longest time of one command; reserved connections may block for longer. Default 150 ms. */
  readonly timeout?: Duration.Input
}
