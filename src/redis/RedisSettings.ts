/**
 * Where Redis is and how long it may take, checked before anything is connected: what cannot work
 * fails at start with the setting and the remedy, never with the url, which holds the password.
 */
import { Duration, Effect, Redacted, Result } from "effect"
import { BrokerError, SettingsInvalid } from "../bus/BrokerError.ts"
import { namespaceFault } from "../event/Name.ts"

export interface RedisOptions {
  /** `redis://` or `rediss://` (TLS), with user, password and database number where needed. */
  readonly url: Redacted.Redacted<string>
  /** How long one command may take. Default 150 ms. */
  readonly commandTimeout?: Duration.Input
  /** First part of every key. Default `"eduflow"`. */
  readonly prefix?: string
}

export interface RedisSettings {
  readonly host: string
  readonly port: number
  readonly username: string | undefined
  readonly password: Redacted.Redacted<string> | undefined
  readonly db: number
  readonly tls: boolean
  /** Host and port, for messages. */
  readonly address: string
  readonly commandTimeout: number
  readonly prefix: string
}

export const make = (options: RedisOptions): Effect.Effect<RedisSettings, BrokerError> =>
  Effect.fromResult(parse(options))

const parse = (options: RedisOptions): Result.Result<RedisSettings, BrokerError> => {
  const text = Redacted.value(options.url)
  if (!URL.canParse(text)) return bad("Redis url", "it is not a url", shape)
  const url = new URL(text)
  if (url.protocol !== "redis:" && url.protocol !== "rediss:")
    return bad("Redis url", "it does not begin with redis:// or rediss://", shape)
  if (url.hostname === "") return bad("Redis url", "it names no host", shape)
  if (url.search !== "" || url.hash !== "") {
    return bad("Redis url", 'it has a "?" or "#"', `${shape}. Write "?", "#" and "/" of a password as %3F, %23 and %2F`)
  }
  const username = decode(url.username)
  const password = decode(url.password)
  if (username === undefined || password === undefined)
    return bad("Redis url", 'user or password have a "%" that stands for nothing', 'Write "%" as %25')
  if (username !== "" && password === "") return bad("Redis url", "it has a user without a password", shape)
  if (!/^\/?\d{0,5}\/?$/.test(url.pathname)) return bad("Redis url", "its path is not a database number", shape)
  const commandTimeout = Duration.fromInput(options.commandTimeout ?? 150)
  const millis = commandTimeout._tag === "Some" ? Duration.toMillis(commandTimeout.value) : Number.NaN
  if (!(millis >= 1 && millis <= 60_000))
    return bad("commandTimeout", "it is not a time between 1 ms and 1 minute", "The default is 150 ms")
  const prefix = options.prefix ?? "eduflow"
  const fault = namespaceFault(prefix)
  if (fault !== undefined) return bad("prefix", fault, 'The default is "eduflow"')
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1")
  const port = url.port === "" ? 6379 : Number(url.port)
  return Result.succeed({
    host,
    port,
    username: username === "" ? undefined : username,
    password: password === "" ? undefined : Redacted.make(password),
    db: Number(url.pathname.replaceAll("/", "")),
    tls: url.protocol === "rediss:",
    address: `${url.hostname}:${port}`,
    commandTimeout: Math.round(millis),
    prefix
  })
}

const shape = "Write it as redis://user:password@host:6379/0; user, password, port and number may be absent"

const bad = (setting: string, problem: string, remedy: string): Result.Result<never, BrokerError> =>
  Result.fail(new BrokerError({ reason: new SettingsInvalid({ setting, problem, remedy }) }))

const decode = (part: string): string | undefined => {
  try {
    return decodeURIComponent(part)
  } catch {
    return undefined
  }
}
