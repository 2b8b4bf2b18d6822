/** The addresses of RabbitMQ servers, read from urls or their parts. No error contains a url, which holds the password. */
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { BrokerError } from "../bus/port/BrokerError.ts"
import { SettingsInvalid } from "../bus/port/BrokerReason.ts"
import * as HostName from "../bus/support/HostName.ts"
import { isLoopback } from "../bus/support/Loopback.ts"

export interface Credentials {
  readonly username: string
  readonly password: Redacted.Redacted<string>
}

/** What the option `credentials` gives. */
export interface FreshCredentials extends Credentials {
  /**
   * When they end: fresh ones are asked for before. Default: the claim `exp`, if the password is a JSON Web Token; otherwise
   * they do not end.
   */
  readonly expiresAt?: Date
}

/** Servers by their parts, for passwords that do not fit into a url. */
export interface ServerParts extends Partial<Credentials> {
  /** `host` or `host:port`. */
  readonly hosts: ReadonlyArray<string>
  /** Default `"/"`. */
  readonly vhost?: string
}

export interface Server {
  readonly host: string
  readonly port: number
  readonly secure: boolean
  readonly vhost: string
  readonly credentials: Credentials | undefined
  /** For messages: without credentials. */
  readonly address: string
}

type Parsed<A> = Result.Result<A, BrokerError>

export const invalid = (setting: string, problem: string, remedy: string): Result.Result<never, BrokerError> =>
  Result.fail(new BrokerError({ reason: new SettingsInvalid({ setting, problem, remedy }) }))

const shape = "Write amqp://user:password@host:5672/vhost, or amqps:// for TLS"

export const parse = (servers: string | Redacted.Redacted<string> | ServerParts): Parsed<ReadonlyArray<Server>> => {
  if (Predicate.hasProperty(servers, "hosts")) return fromParts(servers)
  const text = Predicate.isString(servers) ? servers : Redacted.value(servers)
  return Result.all(text.split(",").map((part) => fromUrl(part.trim())))
}

/** Fails when a password or an event would leave this host in the clear. */
export const checkPlaintext = (servers: ReadonlyArray<Server>, isAllowed: boolean): Parsed<void> => {
  const open = servers.find(({ host, secure }) => !secure && !isLoopback(host))
  return open === undefined || isAllowed
    ? Result.void
    : invalid(
        "url",
        `amqp:// to ${open.address} would send the password and the events in the clear`,
        "Use amqps://, or allow it with allowPlaintext (EVENTBUS_ALLOW_PLAINTEXT=true)"
      )
}

const fromUrl = (text: string): Parsed<Server> => {
  if (!/^amqps?:\/\//i.test(text))
    return invalid(
      "url",
      "it does not begin with amqp://, amqps:// or memory://",
      `${shape}; a "," begins another url, write one in the password as %2C`
    )
  if (text.includes("#") || (text.match(/@/g)?.length ?? 0) > 1 || !URL.canParse(text)) {
    return invalid(
      "url",
      'it cannot be read, perhaps because of a "#", "/", "@", "," or ":" in the password',
      `Write such signs as %23, %2F, %40, %2C and %3A, or give \`servers: { hosts, vhost, username, password }\`. ${shape}`
    )
  }
  // A "/" ended the host within the password: what looks like the address is its beginning.
  if (/[/?].*@/s.test(text.slice(text.indexOf("://") + 3))) {
    return invalid(
      "url",
      'it has an "@" after a "/" or "?", perhaps because of one in the password',
      'Write "/" as %2F, "?" as %3F and "@" as %40, or give `servers: { hosts, vhost, username, password }`'
    )
  }
  // Not by URL, which reads a vhost ".." as a step back.
  const path = /^[^:]+:\/\/[^/?]*\/?([^?]*)/.exec(text)?.[1] ?? ""
  return ofUrl(new URL(text), path)
}

const ofUrl = (url: URL, path: string): Parsed<Server> => {
  const host = HostName.read(url.hostname)
  if (host === undefined) return invalid("url", "it names no host", shape)
  if (url.search !== "")
    return invalid("url", 'it has parameters after a "?"', "Give settings as options or in the environment")
  const username = decode(url.username)
  const password = decode(url.password)
  const vhost = decode(path)
  if (username === undefined || password === undefined || vhost === undefined) {
    return invalid("url", 'it has a "%" that stands for nothing', 'Write "%" as %25')
  }
  const secure = url.protocol === "amqps:"
  const port = url.port === "" ? (secure ? 5671 : 5672) : Number(url.port)
  if (port === 0) return invalid("url", "its port is 0", shape)
  return Result.succeed({
    host,
    port,
    secure,
    vhost: vhost === "" ? "/" : vhost,
    credentials: username === "" ? undefined : { username, password: Redacted.make(password) },
    address: `${host}:${port}`
  })
}

const decode = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

const fromParts = (parts: ServerParts): Parsed<ReadonlyArray<Server>> =>
  parts.hosts.length === 0
    ? invalid("servers.hosts", "it is empty", 'Give at least one "host" or "host:port"')
    : Result.all(parts.hosts.map((entry) => fromHost(entry, parts)))

const fromHost = (entry: string, { password, username, vhost }: ServerParts): Parsed<Server> => {
  const match = /^(?:(amqps?):\/\/)?([^:/@\s]+|\[[^\]]+\])(?::(\d{1,5}))?$/.exec(entry)
  const host = match?.[2]?.replace(/^\[(.*)\]$/, "$1")
  if (match === null || host === undefined)
    return invalid("servers.hosts", "an entry is not of the form host:port", "Give user and password apart from it")
  const secure = match[1] === "amqps"
  const port = Number(match[3] ?? (secure ? 5671 : 5672))
  if (port < 1 || port > 65_535) return invalid("servers.hosts", `${port} is not a port`, "Give one from 1 to 65535")
  return Result.succeed({
    host,
    port,
    secure,
    vhost: vhost ?? "/",
    credentials: username === undefined ? undefined : { username, password: password ?? Redacted.make("") },
    address: `${host}:${port}`
  })
}
