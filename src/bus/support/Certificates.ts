/** Looks at the certificate of a server as a client would: whether it is trusted, made for this host, and for how long. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { checkServerIdentity, connect, type PeerCertificate } from "node:tls"
import type { Notes } from "./Notes.ts"
import type { TlsOptions } from "./TlsOptions.ts"

const day = 86_400_000
/** A renewal that is due takes days, where people do it. */
const warnDays = 30
const errorDays = 7

interface Seen {
  readonly certificate: PeerCertificate
  /** Why the chain is not trusted; undefined if it is. */
  readonly distrust: string | undefined
  readonly protocol: string
}

/** Adds what is wrong; `now` is wall time. Without an answer within `millis` it adds nothing: connecting says why. */
export const look = (
  notes: Notes,
  check: string,
  { host, port }: { readonly host: string; readonly port: number },
  tls: TlsOptions,
  now: number,
  millis: number
): Effect.Effect<void> =>
  Effect.map(Effect.timeoutOption(see(host, port, tls), millis), (seen) => {
    if (seen._tag === "Some" && seen.value !== undefined)
      judge(notes, check, `${host}:${port}`, host, tls, seen.value, now)
  })

const see = (host: string, port: number, tls: TlsOptions): Effect.Effect<Seen | undefined> =>
  Effect.callback<Seen | undefined>((resume) => {
    const { ca, cert, key, passphrase, servername } = tls
    const name = servername ?? host
    const socket = connect(
      {
        host,
        port,
        // Judged here: a refused handshake would not show the certificate.
        rejectUnauthorized: false,
        checkServerIdentity: () => undefined,
        ...(/^[\d.]+$|:/.test(name) ? {} : { servername: name }),
        ...(ca !== undefined && { ca }),
        ...(cert !== undefined && { cert }),
        ...(key !== undefined && { key }),
        ...(passphrase !== undefined && { passphrase: Redacted.value(passphrase) })
      },
      () => {
        const { authorizationError } = socket
        // Node types it as an Error, and gives the code as text.
        const distrust: unknown = authorizationError
        resume(
          Effect.succeed({
            certificate: socket.getPeerCertificate(),
            distrust:
              distrust instanceof Error ? distrust.message : typeof distrust === "string" ? distrust : undefined,
            protocol: socket.getProtocol() ?? "TLS"
          })
        )
        socket.destroy()
      }
    )
    socket.on("error", () => resume(Effect.succeed(undefined)))
    return Effect.sync(() => socket.destroy())
  })

const judge = (
  notes: Notes,
  check: string,
  address: string,
  host: string,
  { servername = host }: TlsOptions,
  { certificate, distrust, protocol }: Seen,
  now: number
): void => {
  const days = Math.floor((Date.parse(certificate.valid_to) - now) / day)
  const until = `its certificate is valid until ${certificate.valid_to}`
  if (days < 0) notes.error(`${check}.expiry`, `${address}: ${until}, ${-days} days ago`, renew)
  else if (days < warnDays)
    notes.add(days < errorDays ? "error" : "warning", `${check}.expiry`, `${address}: ${until}, ${days} days`, renew)
  // An old certificate is not trusted for its age, which was said.
  if (distrust !== undefined && days >= 0)
    notes.error(`${check}.chain`, `${address}: its certificate is not trusted (${distrust})`, trust)
  const mismatch = checkServerIdentity(servername, certificate)
  if (mismatch !== undefined)
    notes.error(
      `${check}.name`,
      `${address}: its certificate is not made for ${servername} (it names ${certificate.subjectaltname ?? certificate.subject?.CN ?? "nothing"})`,
      `use a name of the certificate in the address, or have one issued for ${servername}`
    )
  if (days >= warnDays && distrust === undefined && mismatch === undefined)
    notes.fact(`${address}: ${protocol}, certificate for ${servername} valid for ${days} days`)
}

const renew =
  "have a new certificate issued and installed: `openssl s_client -connect <host:port>` shows the one that is served"
const trust =
  "give the authority that issued it: NODE_EXTRA_CA_CERTS=<file.pem>, or --ca <file.pem> here and the option tls.ca in the service"
