/**
 * How connections to Redis prove who is there, and who is here: by parts that were given once, or by an Effect that is
 * asked at each connect.
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import { type ConnectionOptions, createSecureContext } from "node:tls"
import * as FreshOption from "../../bus/support/FreshOption.ts"
import type { TlsOptions } from "../../bus/support/TlsOptions.ts"
import { TaggedError } from "../../event/Tagged.ts"

/** Longest time that the Effect may take, in milliseconds. */
export const readTimeout = 10_000

/** There is nothing to connect with. The message has no secret. */
export class TlsUnavailable extends TaggedError<TlsUnavailable>()("TlsUnavailable", (Schema) => ({
  detail: Schema.String
})) {
  override get message(): string {
    return this.detail
  }
}

/** Node would throw on such parts at each connect. Its message is dropped: it may quote them. */
export const faultOf = (tls: TlsOptions): string | undefined => {
  try {
    const { ca, cert, key, passphrase } = partsOf(tls)
    createSecureContext({ ca, cert, key, passphrase })
    return undefined
  } catch {
    return "ca, cert or key cannot be read, or the passphrase does not open the key"
  }
}

/** As Node takes them. */
export const partsOf = ({ passphrase, ...rest }: TlsOptions): ConnectionOptions => ({
  ...rest,
  ...(passphrase !== undefined && { passphrase: Redacted.value(passphrase) })
})

/** Parts that are read anew for each connection. */
export class FreshTls {
  readonly read: Effect.Effect<TlsOptions, TlsUnavailable>
  private readonly context: Context.Context<never>

  constructor(tls: Effect.Effect<TlsOptions, unknown>, context: Context.Context<never>) {
    this.context = context
    this.read = FreshOption.read("redisTls", tls).pipe(
      Effect.timeoutOrElse({
        duration: readTimeout,
        orElse: () => Effect.fail(`the option redisTls gave nothing within ${readTimeout / 1000} seconds`)
      }),
      Effect.filterOrElse(
        (parts) => faultOf(parts) === undefined,
        (parts) => Effect.fail(`of the option redisTls ${faultOf(parts)}`)
      ),
      Effect.mapError((detail) => new TlsUnavailable({ detail }))
    )
  }

  /** For a connector, which ioredis calls outside of any fiber. Fails if the connection was closed meanwhile. */
  async next(signal: AbortSignal): Promise<ConnectionOptions> {
    const exit = await Effect.runPromiseExitWith(this.context)(this.read, { signal })
    // In the words of ioredis, which knows it.
    if (signal.aborted) throw new Error("Connection is closed.")
    if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
    return partsOf(exit.value)
  }
}
