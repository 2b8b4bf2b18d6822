/** `eventbus outbox …` */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { printable } from "../../event/FieldValue.ts"
import { millisOf } from "../../event/options/OptionNames.ts"
import type { Database, DialectName } from "../../outbox/Database.ts"
import { run as runMigrations, sqlOf } from "../../outbox/Migrations.ts"
import * as Upkeep from "../../outbox/Upkeep.ts"
import { ExitCode, Outcome } from "../ExitCode.ts"
import { open } from "../OutboxDatabase.ts"
import { make } from "../Output.ts"
import { table } from "../Text.ts"
import { UsageError } from "../UsageError.ts"

interface Shared {
  readonly json: boolean
}

interface Where {
  readonly database: Option.Option<string>
}

export const migrate = (
  { json }: Shared,
  { database, print }: Where & { readonly print: Option.Option<DialectName> }
) =>
  Effect.gen(function* () {
    if (Option.isSome(print)) return yield* Console.log(sqlOf(print.value).trimEnd())
    const output = yield* make(json)
    const opened = yield* open(database)
    yield* runMigrations(opened)
    const { migrations, name } = opened.dialect
    const report = {
      kind: "outbox.migrate" as const,
      version: 1 as const,
      dialect: name,
      migrations: migrations.map((migration) => migration.name)
    }
    return yield* output.report(report, () => ["the tables are there: eventbus_outbox, its leases, eventbus_inbox"])
  }).pipe(Effect.scoped)

const shownRefusals = 100

export const status = ({ json }: Shared, { database }: Where) =>
  Effect.gen(function* () {
    const output = yield* make(json)
    const opened = yield* open(database)
    const { oldestSeconds, pending, refused } = yield* Upkeep.counts(opened)
    const refusals = yield* Upkeep.refusals(opened, shownRefusals)
    const outcome = yield* Outcome
    if (refused > 0) outcome.code = ExitCode.found
    const report = {
      kind: "outbox.status" as const,
      version: 1 as const,
      pending,
      oldestSeconds,
      refused,
      refusals: refusals.map(({ appendedAt, event, id, key, reason, refusedAt }) => ({
        id,
        event,
        key: key ?? null,
        reason,
        appended: appendedAt.toISOString(),
        refused: refusedAt.toISOString()
      }))
    }
    yield* output.report(report, () => [
      pending === 0 ? "nothing waits" : `${pending} events wait, the oldest for ${Math.round(oldestSeconds)} s`,
      refused === 0 ? "nothing was set aside" : `${refused} were set aside:`,
      ...table(report.refusals.map((one) => [one.id, one.event, one.refused, one.reason].map(printable))),
      ...(refused > 0 ? ["mend the cause, then: eventbus outbox retry --yes"] : [])
    ])
  }).pipe(Effect.scoped)

export const retry = (
  { json }: Shared,
  { database, id, yes }: Where & { readonly id: Option.Option<string>; readonly yes: boolean }
) =>
  Effect.gen(function* () {
    const output = yield* make(json)
    const opened = yield* open(database)
    const wanted = Option.getOrUndefined(id)
    const events = yes ? yield* Upkeep.retry(opened, wanted) : yield* wouldRetry(opened, wanted)
    const report = { kind: "outbox.retry" as const, version: 1 as const, dryRun: !yes, events }
    yield* output.report(report, () => [
      yes ? `${events} events wait for the relay again` : `${events} events would be published`,
      ...hintOf(yes, events)
    ])
  }).pipe(Effect.scoped)

const wouldRetry = (database: Database, id: string | undefined) =>
  id === undefined
    ? Effect.map(Upkeep.counts(database), ({ refused }) => refused)
    : Effect.map(Upkeep.refusals(database, 100_000), (all) => all.filter((one) => one.id === id).length)

export const purge = (
  { json }: Shared,
  {
    database,
    olderThan,
    refused,
    yes
  }: Where & { readonly olderThan: string; readonly refused: boolean; readonly yes: boolean }
) =>
  Effect.gen(function* () {
    const output = yield* make(json)
    const millis = millisOf(olderThan)
    if (!(millis >= 0))
      return yield* new UsageError({ problem: `--older-than: "${olderThan}" is no length of time, such as "7 days"` })
    const opened = yield* open(database)
    const state = refused ? ("refused" as const) : ("sent" as const)
    const events = yes ? yield* Upkeep.purge(opened, state, millis) : yield* Upkeep.older(opened, state, millis)
    const report = { kind: "outbox.purge" as const, version: 1 as const, dryRun: !yes, events, state }
    return yield* output.report(report, () => [
      yes ? `${events} events were deleted` : `${events} events would be deleted`,
      ...hintOf(yes, events)
    ])
  }).pipe(Effect.scoped)

const hintOf = (yes: boolean, count: number): ReadonlyArray<string> =>
  yes || count === 0 ? [] : ["nothing was changed: the same with --yes does it"]
