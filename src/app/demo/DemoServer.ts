/**
 * The HTTP of the demo: health, metrics, and the page of the operations with all contracts of the catalog. Processes of
 * this machine are let in, others by the token in `OPERATIONS_TOKEN`, if there is one.
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { createHash, timingSafeEqual } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { BrokerError } from "../../bus/port/BrokerError.ts"
import { isLoopback } from "../../bus/support/Loopback.ts"
import { catalog } from "../../catalog/index.ts"
import type { Health } from "../../observe/Health.ts"
import type { Operations } from "../../operations/Operations.ts"
import * as BoundedServer from "../http/BoundedServer.ts"
import * as OperationsServer from "../http/OperationsServer.ts"
import { pathOf, paths } from "../http/Paths.ts"
import * as Server from "../http/Server.ts"
import type { Ledger } from "./Ledger.ts"

export interface DemoServerOptions {
  readonly host: string
  /** `0` selects a free port. */
  readonly port: number
  /** A run that accounts for every event must not be changed from outside. */
  readonly readOnly: boolean
  readonly onListen: (address: string) => void
}

/** Names of this machine, whatever it listens on: a container is asked by them. */
const hosts = ["localhost", "127.0.0.1", "::1"]

const hashOf = (text: string): Buffer => createHash("sha256").update(text).digest()

/** Comparing takes as long for a token that is nearly right as for any other. */
const isSame = (one: string, other: string): boolean => timingSafeEqual(hashOf(one), hashOf(other))

export const authorizeBy =
  (token: Option.Option<Redacted.Redacted<string>>): OperationsServer.OperationsOptions["authorize"] =>
  ({ address, headers }) =>
    Effect.sync(() => {
      if (isLoopback(address)) return { name: "somebody on this machine" }
      const given = headers["authorization"]
      return Option.isSome(token) &&
        Redacted.value(token.value) !== "" &&
        typeof given === "string" &&
        isSame(given, `Bearer ${Redacted.value(token.value)}`)
        ? { name: "the holder of OPERATIONS_TOKEN" }
        : undefined
    })

export const layer = (
  ledger: Ledger,
  { host, onListen, port, readOnly }: DemoServerOptions
): Layer.Layer<never, BrokerError | Config.ConfigError, Health | Operations> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const token = yield* Config.option(Config.Redacted("OPERATIONS_TOKEN"))
      const health = yield* Server.make({ details: "loopback" })
      const operations = yield* OperationsServer.make({
        host,
        hosts,
        authorize: authorizeBy(token),
        readOnly,
        contracts: catalog.events,
        subscribers: ledger.accounts.map(({ subscriber }) => subscriber)
      })
      const respond = (request: IncomingMessage, response: ServerResponse): void =>
        paths.has(pathOf(request)) ? health(request, response) : operations(request, response)
      yield* BoundedServer.serve({ host, port, onListen, silence: OperationsServer.silenceMillis }, respond)
    })
  )
