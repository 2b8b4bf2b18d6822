/**
 * How to reach RabbitMQ, checked before anything is connected: what cannot work fails at start with
 * the setting and the remedy, and never with a url, which holds the password.
 */
import { Duration, type Effect, Option, Redacted } from "effect"
import { isIPv4 } from "node:net"
import { BrokerError, SettingsInvalid } from "../bus/BrokerError.ts"
import { namespaceFault } from "../event/Name.ts"

export interface Credentials {
  readonly username: string
  readonly password: Redacted.Redacted<string>
}

/** Servers by their parts, for passwords that do not fit into a url. */
export interface Servers extends Partial<Credentials> {
  /** `host` or `host:port`. */
  readonly hosts: ReadonlyArray<string>
  /** Default `"/"`. */
  readonly vhost?: string
}

export interface TlsOptions {
  readonly ca?: string | Buffer
  /** With `cert` and `key` and no user, the broker takes the certificate as the identity (SASL EXTERNAL). */
  readonly cert?: string | Buffer
  readonly key?: string | Buffer
  readonly passphrase?: Redacted.Redacted<string>
  readonly servername?: string
}

export interface AmqpOptions {
  /** `amqp://` or `amqps://` addresses separated by commas, or the parts. Tried in random order, the next on failure. */
  readonly servers: string | Redacted.Redacted<string> | Servers
  readonly namespace: string
  readonly source: string
  readonly tls?: TlsOptions
  /** Asked at each connect, for credentials that change. */
  readonly credentials?: Effect.Effect<Credentials>
  /** Longest time to connect, credentials and handshake included; of several servers each has its share. Default 10 seconds. */
  readonly connectTimeout?: Duration.Input
  /** Default 10 seconds. */
  readonly heartbeat?: Duration.Input
  /** Longest time for one answer of the broker to a declaration or the like. Default 10 seconds. */
  readonly callTimeout?: Duration.Input
  /** Starts without the broker and connects when it is there. Default false. */
  readonly waitForBroker?: boolean
  /** `"verify"` declares nothing and looks only whether things are there. Default `"assert"`. */
  readonly topology?: "assert" | "verify"
  /** Allows `amqp://` without TLS to other hosts than this one. Default false. */
  readonly allowPlaintext?: boolean
  /** Confirm channels to publish on. Default 2. */
  readonly publishChannels?: number
  /** Sends small frames at once (TCP_NODELAY). Default true. */
  readonly noDelay?: boolean
  /** How often health tries the delay ladder. Default 15 seconds. */
  readonly canaryInterval?: Duration.Input
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

export interface Settings {
  readonly namespace: string
  readonly source: string
  readonly servers: ReadonlyArray<Server>
  readonly tls: TlsOptions
  readonly credentials: Effect.Effect<Credentials> | undefined
  readonly connectMillis: number
  readonly heartbeatSeconds: number
  readonly callMillis: number
  readonly waitForBroker: boolean
  readonly topology: "assert" | "verify"
  readonly publishChannels: number
  readonly noDelay: boolean
  readonly canaryMillis: number
}

export const settle = (options: AmqpOptions): Settings | BrokerError => {
  const fault = namespaceFault(options.namespace)
  if (fault !== undefined) return wrong("namespace", fault, 'The default is "eduflow"')
  const servers = serversOf(options.servers)
  if (servers instanceof BrokerError) return servers
  const open = servers.find(({ host, secure }) => !secure && !isLoopback(host))
  if (open !== undefined && options.allowPlaintext !== true) {
    return wrong(
      "url",
      `amqp:// to ${open.address} would send the password and the events in the clear`,
      "Use amqps://, or allow it with allowPlaintext (EVENTBUS_ALLOW_PLAINTEXT=true)"
    )
  }
  const connectMillis = millisOf(options.connectTimeout, 10_000)
  const heartbeatMillis = millisOf(options.heartbeat, 10_000)
  const callMillis = millisOf(options.callTimeout, 10_000)
  // Node's timers fire at once beyond 24 days, and a heartbeat has 16 bits.
  const hour = 3_600_000
  if (!(connectMillis >= 100 && connectMillis <= hour))
    return wrong("connectTimeout", "it is not a time from 100 ms to 1 hour", "The default is 10 seconds")
  if (!(heartbeatMillis >= 1000 && heartbeatMillis <= hour))
    return wrong("heartbeat", "it is not a time from 1 second to 1 hour", "The default is 10 seconds")
  if (!(callMillis >= 100 && callMillis <= hour))
    return wrong("callTimeout", "it is not a time from 100 ms to 1 hour", "The default is 10 seconds")
  const canaryMillis = millisOf(options.canaryInterval, 15_000)
  if (!(canaryMillis >= 3000 && canaryMillis <= hour))
    return wrong("canaryInterval", "it is not a time from 3 seconds to 1 hour", "The default is 15 seconds")
  const publishChannels = options.publishChannels ?? 2
  if (!Number.isSafeInteger(publishChannels) || publishChannels < 1 || publishChannels > 64) {
    return wrong("publishChannels", `${publishChannels} is not a whole number from 1 to 64`, "The default is 2")
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
    publishChannels,
    noDelay: options.noDelay ?? true,
    canaryMillis
  }
}

const wrong = (setting: string, problem: string, remedy: string): BrokerError =>
  new BrokerError({ reason: new SettingsInvalid({ setting, problem, remedy }) })

const shape = "Write amqp://user:password@host:5672/vhost, or amqps:// for TLS"

const serversOf = (servers: AmqpOptions["servers"]): ReadonlyArray<Server> | BrokerError => {
  if (typeof servers === "object" && "hosts" in servers) return fromParts(servers)
  const text = typeof servers === "string" ? servers : Redacted.value(servers)
  const found: Array<Server> = []
  for (const part of text.split(",")) {
    const server = fromUrl(part.trim())
    if (server instanceof BrokerError) return server
    found.push(server)
  }
  return found
}

const fromUrl = (text: string): Server | BrokerError => {
  if (!/^amqps?:\/\//.test(text))
    return wrong(
      "url",
      "it does not begin with amqp://, amqps:// or memory://",
      `${shape}; a "," begins another url, write one in the password as %2C`
    )
  if (text.includes("#") || (text.match(/@/g)?.length ?? 0) > 1 || !URL.canParse(text)) {
    return wrong(
      "url",
      'it cannot be read, perhaps because of a "#", "/", "@", "," or ":" in the password',
      `Write such signs as %23, %2F, %40, %2C and %3A, or give \`servers: { hosts, vhost, username, password }\`. ${shape}`
    )
  }
  const url = new URL(text)
  // A "/" ended the host within the password: what is taken for the address is its beginning.
  if (/[/?].*@/s.test(text.slice(text.indexOf("://") + 3))) {
    return wrong(
      "url",
      'it has an "@" after a "/" or "?", perhaps because of one in the password',
      'Write "/" as %2F, "?" as %3F and "@" as %40, or give `servers: { hosts, vhost, username, password }`'
    )
  }
  if (url.hostname === "") return wrong("url", "it names no host", shape)
  if (url.search !== "")
    return wrong("url", 'it has parameters after a "?"', "Give settings as options or in the environment")
  const username = decode(url.username)
  const password = decode(url.password)
  const vhost = decode(url.pathname.slice(1))
  if (username === undefined || password === undefined || vhost === undefined) {
    return wrong("url", 'it has a "%" that stands for nothing', 'Write "%" as %25')
  }
  const secure = url.protocol === "amqps:"
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1")
  const port = url.port === "" ? (secure ? 5671 : 5672) : Number(url.port)
  if (port === 0) return wrong("url", "its port is 0", shape)
  return {
    host,
    port,
    secure,
    vhost: vhost === "" ? "/" : vhost,
    credentials: username === "" ? undefined : { username, password: Redacted.make(password) },
    address: `${host}:${port}`
  }
}

const fromParts = (parts: Servers): ReadonlyArray<Server> | BrokerError => {
  if (parts.hosts.length === 0) return wrong("servers.hosts", "it is empty", 'Give at least one "host" or "host:port"')
  const found: Array<Server> = []
  for (const entry of parts.hosts) {
    const match = /^(?:(amqps?):\/\/)?([^:/@\s]+|\[[^\]]+\])(?::(\d{1,5}))?$/.exec(entry)
    const host = match?.[2]?.replace(/^\[(.*)\]$/, "$1")
    if (match === null || host === undefined)
      return wrong("servers.hosts", "an entry is not of the form host:port", "Give user and password apart from it")
    const secure = match[1] === "amqps"
    const port = Number(match[3] ?? (secure ? 5671 : 5672))
    if (port < 1 || port > 65_535) return wrong("servers.hosts", `${port} is not a port`, "Give one from 1 to 65535")
    found.push({
      host,
      port,
      secure,
      vhost: parts.vhost ?? "/",
      credentials:
        parts.username === undefined
          ? undefined
          : { username: parts.username, password: parts.password ?? Redacted.make("") },
      address: `${host}:${port}`
    })
  }
  return found
}

const decode = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127."))

const millisOf = (input: Duration.Input | undefined, fallback: number): number =>
  input === undefined
    ? fallback
    : Option.match(Duration.fromInput(input), { onNone: () => Number.NaN, onSome: Duration.toMillis })
