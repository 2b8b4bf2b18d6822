/** The parts of RabbitMQ's management API that are read. What it sends is checked field by field: versions differ. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"

export type Json = Readonly<Record<string, unknown>>

export interface Api {
  /** Host and port, for messages. */
  readonly address: string
  readonly get: (path: string) => Effect.Effect<Reply, ApiFailure>
}

export interface Reply {
  readonly body: unknown
  /** The wall clock of the server, in milliseconds; whole seconds. */
  readonly date: number | undefined
}

/** `detail` has no secret. */
export interface ApiFailure {
  readonly detail: string
  readonly status: number | undefined
}

export interface Login {
  readonly username: string
  readonly password: Redacted.Redacted<string>
}

/** `login` is used where the address names no user. */
export const make = (
  url: Redacted.Redacted<string>,
  login: Login | undefined,
  millis: number
): Result.Result<Api, string> => {
  const text = Redacted.value(url)
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text))
    return Result.fail("it does not begin with http:// or https://")
  const { host, password, pathname, protocol, username } = new URL(text)
  const user =
    username === ""
      ? login
      : { username: decodeURIComponent(username), password: Redacted.make(decodeURIComponent(password)) }
  const pair = user === undefined ? "guest:guest" : `${user.username}:${Redacted.value(user.password)}`
  const authorization = `Basic ${Buffer.from(pair).toString("base64")}`
  const base = `${protocol}//${host}${pathname.replace(/\/$/, "")}/api/`
  return Result.succeed({
    address: host,
    get: (path) =>
      Effect.tryPromise({
        try: async (signal) => {
          const response = await fetch(base + path, { headers: { authorization }, signal, redirect: "error" })
          const date = Date.parse(response.headers.get("date") ?? "")
          if (!response.ok) return { status: response.status }
          return { body: (await response.json()) as unknown, date: Number.isNaN(date) ? undefined : date }
        },
        catch: (error): ApiFailure => ({ status: undefined, detail: causeOf(error) })
      }).pipe(
        Effect.flatMap((reply) =>
          "status" in reply
            ? Effect.fail<ApiFailure>({ status: reply.status, detail: `it answers ${reply.status}` })
            : Effect.succeed<Reply>(reply)
        ),
        Effect.timeoutOrElse({
          duration: millis,
          orElse: () => Effect.fail<ApiFailure>({ status: undefined, detail: `no answer within ${millis} ms` })
        })
      )
  })
}

/** The code of the socket; the text of the error may contain the address. */
const causeOf = (error: unknown): string => {
  const cause = error instanceof Error ? error.cause : undefined
  const code = Predicate.hasProperty(cause, "code") ? cause.code : undefined
  return Predicate.isString(code) ? code : "the request failed"
}

export const listOf = (body: unknown): ReadonlyArray<Json> =>
  Array.isArray(body) ? body.filter(Predicate.isObject) : []
export const textOf = (record: Json, name: string): string => {
  const value = record[name]
  return Predicate.isString(value) ? value : ""
}
export const numberOf = (record: Json, name: string): number | undefined => {
  const value = record[name]
  return Predicate.isNumber(value) ? value : undefined
}
export const recordOf = (record: Json, name: string): Json => {
  const value = record[name]
  return Predicate.isObject(value) ? value : {}
}
