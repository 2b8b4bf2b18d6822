import { PgClient } from "@effect/sql-pg"
import { runMain } from "@eduflow/events"
import { Config, Effect } from "effect"
import { program, serviceOn } from "../outbox.ts"

export const serviceOnPostgres = serviceOn(PgClient.layerConfig({ url: Config.Redacted("DATABASE_URL") }))

export const main = program.pipe(Effect.provide(serviceOnPostgres))

if (import.meta.main) runMain(Effect.flatMap(main, (refunds) => Effect.log(`refund for ${refunds.join()}`)))
