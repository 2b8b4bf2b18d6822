/**
 * The settings of a connection to Redis, checked before anything is connected. A setting that cannot work fails at start
 * with its name and a remedy, never with the url, which holds the password.
 *
 * One url is enough: `redis://host`, `redis+sentinel://host,host,host/master`, `redis+cluster://host,host`; with `rediss`
 * instead of `redis` over TLS.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { BrokerError } from "../../bus/port/BrokerError.ts"
import { SettingsInvalid } from "../../bus/port/BrokerReason.ts"
import * as HostName from "../../bus/support/HostName.ts"
import { isLoopback } from "../../bus/support/Loopback.ts"
import type { TlsOptions } from "../../bus/support/TlsOptions.ts"
import { namespaceFault } from "../../event/Name.ts"
import * as Tls from "./Tls.ts"

export interface RedisOptions {
  /** `redis://`, `redis+sentinel://` or `redis+cluster://`, with `rediss` over TLS; user, password and database number where needed. */
  readonly url: Redacted.Redacted<string>
  /** How long one command may take. Default 150 ms. */
  readonly commandTimeout?: Duration.Input
  /** Or an Effect that runs at each connect, for certificates that are renewed while the service runs. */
  readonly tls?: TlsOptions | Effect.Effect<TlsOptions, unknown>
  /** Allows a url without TLS to other hosts than this one. Default false. */
  readonly allowPlaintext?: boolean
  /** First part of every key. Default `"eduflow"`. */
  readonly prefix?: string
  /** First part of the keys that one service alone uses. Default: `prefix`. */
  readonly statePrefix?: string
}

export interface RedisHost {
  readonly host: string
  readonly port: number
}

/** What the hosts of the url are: a server, sentinels, or nodes of a cluster. */
export type Place =
  | { readonly _tag: "Single"; readonly host: RedisHost }
  | {
      readonly _tag: "Sentinel"
      readonly hosts: ReadonlyArray<RedisHost>
      /** The name of the master on the sentinels. */
      readonly master: string
      readonly username: string | undefined
      readonly password: Redacted.Redacted<string> | undefined
    }
  | { readonly _tag: "Cluster"; readonly hosts: ReadonlyArray<RedisHost> }

export interface RedisSettings {
  readonly place: Place
  readonly username: string | undefined
  readonly password: Redacted.Redacted<string> | undefined
  readonly db: number
  /** Undefined without TLS. */
  readonly tls: TlsOptions | Tls.FreshTls | undefined
  /** Hosts and ports, for messages. */
  readonly address: string
  readonly commandTimeout: number
  readonly prefix: string
  readonly statePrefix: string
}

export const make = Effect.fnUntraced(function* (options: RedisOptions): Effect.fn.Return<RedisSettings, BrokerError> {
  const { tls, ...settings } = yield* Effect.fromResult(parse(options))
  return { ...settings, tls: Effect.isEffect(tls) ? new Tls.FreshTls(tls, yield* Effect.context<never>()) : tls }
})

interface Parsed extends Omit<RedisSettings, "tls"> {
  readonly tls: RedisOptions["tls"]
}

const form = /^(rediss?)(?:\+(sentinel|cluster))?:\/\/(?:([^/?#]*)@)?([^/?#]*)([^?#]*)(?:\?([^#]*))?(#.*)?$/i

const parse = (options: RedisOptions): Result.Result<Parsed, BrokerError> => {
  const [whole, scheme = "", kind = "", login, authority = "", path = "", query = "", hash] =
    form.exec(Redacted.value(options.url).trim()) ?? []
  if (whole === undefined) return bad("it does not begin with redis://, redis+sentinel:// or redis+cluster://")
  const place = kind.toLowerCase()
  if (hash !== undefined || (query !== "" && place !== "sentinel"))
    return bad('it has a "?" or "#"', `${shape}. Write "?", "#" and "/" of a password as %3F, %23 and %2F`)
  const hosts = authority.split(",").map((text) => hostOf(text, place === "sentinel" ? 26_379 : 6_379))
  const known = hosts.filter((host) => host !== undefined)
  const [first] = known
  if (first === undefined || known.length < hosts.length) return bad("it names no host, or one with an impossible port")
  if (place === "" && known.length > 1)
    return bad(
      "it has several hosts",
      "Write redis+cluster:// before nodes of a cluster, redis+sentinel:// before sentinels"
    )
  const user = credentials(login?.replace(/:[^]*/, ""), login?.includes(":") ? login.replace(/^[^:]*:/, "") : undefined)
  const watch = credentials(...["sentinelUsername", "sentinelPassword"].map((name) => parameter(query, name)))
  if (user === undefined || watch === undefined)
    return bad('user or password have a "%" that stands for nothing', 'Write "%" as %25')
  if ([user, watch].some(({ password, username }) => username !== undefined && password === undefined))
    return bad("it has a user without a password")
  const parts = path.split("/").filter((part) => part !== "")
  const master = place === "sentinel" ? decode(parts.shift() ?? "") : undefined
  if (place === "sentinel" && (master === undefined || master === ""))
    return bad(
      "it does not name the master",
      "Write it as redis+sentinel://user:password@host:26379,host:26379/mymaster/0"
    )
  const [number = "0", ...more] = parts
  if (!/^\d{1,5}$/.test(number) || more.length > 0) return bad("its path is not a database number")
  if (place === "cluster" && Number(number) !== 0)
    return bad("a cluster has no database but 0", "Leave the number away")
  const commandTimeout = Duration.fromInput(options.commandTimeout ?? 150)
  const millis = commandTimeout._tag === "Some" ? Duration.toMillis(commandTimeout.value) : Number.NaN
  if (!(millis >= 1 && millis <= 60_000))
    return bad("it is not a time between 1 ms and 1 minute", "The default is 150 ms", "commandTimeout")
  const { prefix = "eduflow", statePrefix = prefix } = options
  const [fault, stateFault] = [namespaceFault(prefix), namespaceFault(statePrefix)]
  if (fault !== undefined) return bad(fault, 'The default is "eduflow"', "prefix")
  if (stateFault !== undefined) return bad(stateFault, "The default is that of the other keys", "stateNamespace")
  const address = known.map(({ host, port }) => `${host.includes(":") ? `[${host}]` : host}:${port}`).join(",")
  const secure = scheme.toLowerCase() === "rediss"
  if (!secure && options.allowPlaintext !== true && known.some(({ host }) => !isLoopback(host)))
    return bad(
      `redis:// to ${address} would send the password and the events in the clear`,
      "Use rediss://, or allow it with allowPlaintext (EVENTBUS_ALLOW_PLAINTEXT=true)"
    )
  const tlsFault = options.tls && tlsFaultOf(options.tls, secure)
  if (tlsFault !== undefined) return bad(tlsFault, "Write rediss://, and give ca, cert and key as PEM text", "redisTls")
  return Result.succeed({
    place:
      place === "cluster"
        ? { _tag: "Cluster", hosts: known }
        : master === undefined
          ? { _tag: "Single", host: first }
          : { _tag: "Sentinel", hosts: known, master, ...watch },
    ...user,
    db: Number(number),
    tls: secure ? (options.tls ?? {}) : undefined,
    address,
    commandTimeout: Math.round(millis),
    prefix,
    statePrefix
  })
}

const tlsFaultOf = (tls: NonNullable<RedisOptions["tls"]>, secure: boolean): string | undefined => {
  if (!secure) return "the url is one without TLS"
  return Effect.isEffect(tls) ? undefined : Tls.faultOf(tls)
}

const shape = "Write it as redis://user:password@host:6379/0; user, password, port and number may be absent"

const bad = (problem: string, remedy = shape, setting = "Redis url"): Result.Result<never, BrokerError> =>
  Result.fail(new BrokerError({ reason: new SettingsInvalid({ setting, problem, remedy }) }))

const hostOf = (text: string, port: number): RedisHost | undefined => {
  if (text === "" || !URL.canParse(`redis://${text}`)) return undefined
  const url = new URL(`redis://${text}`)
  const host = HostName.read(url.hostname)
  if (host === undefined || Number(url.port || port) === 0) return undefined
  return { host, port: Number(url.port || port) }
}

/** Undefined when one of them cannot be decoded. An empty one counts as absent. */
const credentials = (user = "", secret = ""): Pick<RedisSettings, "username" | "password"> | undefined => {
  const [username, password] = [decode(user), decode(secret)]
  if (username === undefined || password === undefined) return undefined
  return {
    username: username === "" ? undefined : username,
    password: password === "" ? undefined : Redacted.make(password)
  }
}

/** Not by URLSearchParams, which turns the "+" of a password into a blank. */
const parameter = (query: string, name: string): string | undefined =>
  query
    .split("&")
    .find((part) => part.startsWith(`${name}=`))
    ?.slice(name.length + 1)

const decode = (part: string): string | undefined => {
  try {
    return decodeURIComponent(part)
  } catch {
    return undefined
  }
}
