/** What a command works with: the settings of the service, what is known of its contracts, and the operations. */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { readFileSync } from "node:fs"
import type { LiveOptions } from "../app/LiveOptions.ts"
import { BrokerError } from "../bus/port/BrokerError.ts"
import { SettingsInvalid } from "../bus/port/BrokerReason.ts"
import type { TlsOptions } from "../bus/support/TlsOptions.ts"
import { Operations } from "../operations/Operations.ts"
import * as Contracts from "./Contracts.ts"
import { Outcome } from "./ExitCode.ts"
import { make, type Output } from "./Output.ts"
import { UsageError } from "./UsageError.ts"

/** The options that every command takes. */
export interface Common {
  readonly json: boolean
  readonly contracts: Option.Option<string>
  readonly subscriber: ReadonlyArray<string>
  readonly management: Option.Option<string>
  readonly ca: Option.Option<string>
  readonly cert: Option.Option<string>
  readonly key: Option.Option<string>
  readonly timeout: number
}

export interface Session {
  readonly operations: Operations["Service"]
  readonly output: Output["Service"]
  readonly known: Contracts.Known
  readonly live: LiveOptions
  readonly outcome: Outcome["Service"]
}

export interface Needs {
  /** It reaches nothing, and needs no settings. */
  readonly offline?: boolean
}

/** Runs a command; what it opened is closed at the end. */
export const run = <A, E, R>(
  common: Common,
  use: (session: Session) => Effect.Effect<A, E, R>,
  { offline = false }: Needs = {}
) =>
  Effect.gen(function* () {
    const output = yield* make(common.json)
    const outcome = yield* Outcome
    const known = yield* Contracts.load(Option.getOrUndefined(common.contracts), common.subscriber)
    const live: LiveOptions = offline ? { url: "memory://" } : yield* settings(common)
    const { layer } = yield* Effect.promise(() => import("../app/OperationsLive.ts"))
    const management = yield* managementOf(common, known, output)
    const context = yield* Layer.build(
      layer({
        live,
        patience: common.timeout * 1000,
        ...(management !== undefined && { management })
      })
    )
    return yield* Effect.flatMap(Operations, (operations) => use({ operations, output, known, live, outcome })).pipe(
      Effect.provideContext(context)
    )
  }).pipe(Effect.scoped)

/** A setting of this command alone: services do not ask the management API. */
const managementSetting = Config.option(Config.Redacted("EVENTBUS_MANAGEMENT_URL"))

/** The option, then the environment, then package.json. */
const managementOf = Effect.fnUntraced(function* (
  { management }: Common,
  known: Contracts.Known,
  output: Output["Service"]
) {
  if (Option.isSome(management)) {
    // Every user of this machine can read the arguments of its processes.
    if (/^https?:\/\/[^/]*:[^/]*@/i.test(management.value))
      yield* output.note(
        "warning: the password in --management can be read in the list of processes: set EVENTBUS_MANAGEMENT_URL instead"
      )
    return Redacted.make(management.value)
  }
  const set = yield* Effect.orElseSucceed(managementSetting, () => Option.none<Redacted.Redacted<string>>())
  if (Option.isSome(set) && Redacted.value(set.value) !== "") return set.value
  return known.management === undefined ? undefined : Redacted.make(known.management)
})

/** Those of the environment, as the service reads them. */
const settings = Effect.fnUntraced(function* ({ ca, cert, key }: Common) {
  const { config, givenUrl, unreadable } = yield* Effect.promise(() => import("../app/Config.ts"))
  const url = yield* Effect.orElseSucceed(givenUrl, () => Option.none<Redacted.Redacted<string>>())
  if (Option.isNone(url) || Redacted.value(url.value).trim() === "") return yield* withoutUrl
  const live = yield* Effect.mapError(config, (error) => unreadable(error, process.env))
  const tls: TlsOptions = {
    ...(yield* file("ca", ca)),
    ...(yield* file("cert", cert)),
    ...(yield* file("key", key))
  }
  if (Object.keys(tls).length === 0) return live
  const isRedisSecure = live.redisUrl !== undefined && /^rediss/i.test(textOf(live.redisUrl))
  return { ...live, tls, ...(isRedisSecure && { redisTls: tls }) }
})

const textOf = (url: string | Redacted.Redacted<string>): string =>
  Redacted.isRedacted(url) ? Redacted.value(url) : url

const file = (name: "ca" | "cert" | "key", path: Option.Option<string>) =>
  Option.isNone(path)
    ? Effect.succeed({})
    : Effect.try({
        try: () => ({ [name]: readFileSync(path.value, "utf8") }),
        catch: () => new UsageError({ problem: `--${name}: the file ${path.value} cannot be read` })
      })

const withoutUrl = new BrokerError({
  reason: new SettingsInvalid({
    setting: "EVENTBUS_URL",
    problem: "it is not set",
    remedy: "Set it as the service has it: amqp://user:password@host/vhost, or amqps:// with TLS"
  })
})
