/** Credentials and certificates as the service gives them, read anew each time: both may be renewed while it runs. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { BrokerError } from "../../bus/port/BrokerError.ts"
import { CredentialsUnavailable } from "../../bus/port/BrokerReason.ts"
import * as FreshOption from "../../bus/support/FreshOption.ts"
import type { TlsOptions } from "../../bus/support/TlsOptions.ts"
import type { Settings } from "../AmqpOptions.ts"
import type { FreshCredentials, Server } from "../Servers.ts"
import * as Token from "./Token.ts"

export interface Login extends FreshCredentials {
  /** What the password is, if it says so itself. */
  readonly token: Token.Token | undefined
}

/** When it ends, as wall time; undefined if it does not end as far as is known. */
export const endOf = ({ expiresAt, token }: Login): number | undefined => {
  const end = expiresAt === undefined ? token?.expiresAt : expiresAt.getTime()
  return Number.isFinite(end) ? end : undefined
}

/** What to log in with; undefined if nothing was given. */
export const login = (
  { address, credentials }: Pick<Server, "address" | "credentials">,
  settings: Settings
): Effect.Effect<Login | undefined, BrokerError> =>
  settings.credentials === undefined
    ? Effect.succeed(credentials === undefined ? undefined : { ...credentials, token: undefined })
    : fresh(address, settings.credentials)

/** Credentials that were asked for now. */
export const fresh = (
  address: string,
  credentials: NonNullable<Settings["credentials"]>
): Effect.Effect<Login, BrokerError> =>
  Effect.map(asked(address, "credentials", credentials), (given) => ({
    ...given,
    token: Token.read(Redacted.value(given.password))
  }))

export const tls = ({ address }: Server, settings: Settings): Effect.Effect<TlsOptions, BrokerError> =>
  Effect.isEffect(settings.tls) ? asked(address, "tls", settings.tls) : Effect.succeed(settings.tls)

const asked = <A>(address: string, option: string, effect: Effect.Effect<A, unknown>): Effect.Effect<A, BrokerError> =>
  Effect.mapError(
    FreshOption.read(option, effect),
    (detail) => new BrokerError({ reason: new CredentialsUnavailable({ address, detail }) })
  )
