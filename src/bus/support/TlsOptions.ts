/** How a connection over TLS proves who is there, and who is here. */
import type * as Redacted from "effect/Redacted"

export interface TlsOptions {
  /** Authorities whose certificates are trusted. Default: those of Node. */
  readonly ca?: string | Buffer
  /** Certificate and key of this service. RabbitMQ takes the certificate as the identity when there is no user (SASL EXTERNAL). */
  readonly cert?: string | Buffer
  readonly key?: string | Buffer
  readonly passphrase?: Redacted.Redacted<string>
  /** The name that the certificate of the server must have. Default: the host of the url. */
  readonly servername?: string
}
