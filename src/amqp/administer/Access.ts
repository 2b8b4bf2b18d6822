/** A connection for an operator, and all that the management API lists of the virtual host where it is given. */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { BrokerError } from "../../bus/port/BrokerError.ts"
import { BrokerRefused } from "../../bus/port/BrokerReason.ts"
import { type AmqpOptions, settle, type Settings } from "../AmqpOptions.ts"
import * as Dial from "../connection/Dial.ts"
import * as Given from "../connection/Given.ts"
import * as Link from "../connection/Link.ts"
import type { Asked } from "../inspect/Attempt.ts"
import * as Api from "../inspect/ManagementApi.ts"

export interface AdministerOptions extends AmqpOptions {
  /** Address of the management API, with user and password where they are not those of RabbitMQ. */
  readonly management?: Redacted.Redacted<string>
  /** How long one answer may take, in milliseconds. */
  readonly patience: number
}

/** What the management API lists; bindings and what is held are seen there alone. */
export interface Listing {
  readonly exchanges: ReadonlyArray<Api.Json>
  readonly queues: ReadonlyArray<Api.Json>
  readonly bindings: ReadonlyArray<Api.Json>
  /** Undefined where its user may not see nodes. */
  readonly nodes: ReadonlyArray<Api.Json> | undefined
}

export interface Access {
  readonly connection: Asked
  readonly settings: Settings
  /** Asked anew at each use. Undefined without the management API. */
  readonly list: Effect.Effect<Listing, BrokerError> | undefined
}

export const open = Effect.fnUntraced(function* ({
  management,
  patience,
  ...options
}: AdministerOptions): Effect.fn.Return<Access, BrokerError, Scope.Scope> {
  const settings = yield* Effect.fromResult(settle(options))
  const [first, ...others] = settings.servers.map((server) =>
    Effect.map(
      Effect.acquireRelease(
        Dial.dial(server, settings, "administer", settings.connectMillis, () => {}),
        Link.close,
        { interruptible: true }
      ),
      (connection) => ({ server, connection })
    )
  )
  if (first === undefined) return yield* Effect.die(new Error("settings without a server"))
  const { connection, server } = yield* others.reduce((tried, next) => Effect.catch(tried, () => next), first)
  const login = management === undefined ? undefined : yield* Given.login(server, settings)
  return {
    settings,
    connection: { ...connection, patience },
    list: management === undefined ? undefined : listing(management, login, server.vhost, patience)
  }
})

const failed = (detail: string): BrokerError =>
  new BrokerError({ reason: new BrokerRefused({ operation: "asking the management API", detail }) })

const listing = (
  url: Redacted.Redacted<string>,
  login: Api.Login | undefined,
  host: string,
  patience: number
): Effect.Effect<Listing, BrokerError> =>
  Effect.gen(function* () {
    const made = Api.make(url, login, patience)
    if (Result.isFailure(made)) return yield* failed(`${made.failure}: write it as http://user:password@host:15672`)
    const api = made.success
    const vhost = encodeURIComponent(host)
    const asked = (path: string) =>
      Effect.mapBoth(api.get(path), {
        onFailure: ({ detail }) => failed(`${api.address}/api/${path}: ${detail}`),
        onSuccess: ({ body }) => Api.listOf(body)
      })
    const [exchanges, queues, bindings] = yield* Effect.all(
      [asked(`exchanges/${vhost}`), asked(`queues/${vhost}?disable_stats=false`), asked(`bindings/${vhost}`)],
      { concurrency: "unbounded" }
    )
    const nodes = yield* Effect.orElseSucceed(asked("nodes"), () => undefined)
    return { exchanges, queues, bindings, nodes }
  })
