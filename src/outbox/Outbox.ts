/**
 * Appends events to a table in the transaction that changes the data: both are committed, or neither. The relay publishes
 * what was committed.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { SqlClient } from "effect/sql/SqlClient"
import { sourceFault } from "../bus/publish/PublishOptions.ts"
import type { PublishError } from "../bus/send/PublishError.ts"
import { CurrentIds } from "../bus/support/EventIds.ts"
import { checkRuntime } from "../event/DuplicateEffect.ts"
import type * as Event from "../event/Event.ts"
import * as OptionInvalid from "../event/options/OptionInvalid.ts"
import * as Kinds from "../event/options/OptionKinds.ts"
import * as SchemaModule from "../event/SchemaModule.ts"
import * as Meter from "../observe/Meter.ts"
import * as OutboxMetrics from "../observe/OutboxMetrics.ts"
import { type Database, ofClient, ofPort, type Port } from "./Database.ts"
import { type Encoded, type Given, givenOf } from "../bus/publish/Validating.ts"
import * as Validation from "../bus/support/Validation.ts"
import { type AppendOptions, encoder } from "./EncodedEvent.ts"
import type { Dialect } from "./dialects/Dialect.ts"
import type { Row, Statement } from "./dialects/Statement.ts"
import type { OutboxError } from "./OutboxError.ts"
import { rowOf } from "./OutboxRow.ts"
import { CurrentWake } from "./Wake.ts"

/** An event that is published when the transaction has committed. */
export interface Appended {
  readonly id: string
  /** Its place in the outbox. Within a key it grows with the commits. */
  readonly position: number
}

/** The transaction of a client that is no `SqlClient`. */
export type Transaction = Pick<Port, "dialect" | "execute">

export class Outbox extends Context.Service<
  Outbox,
  {
    /**
     * Writes the event in the transaction of this fiber (`sql.withTransaction`), checked, authorised and encoded as by
     * `publish`, with the trace, cause and actor of this moment.
     */
    readonly append: <A>(
      event: Event.Event<string, unknown, A>,
      data: A,
      options?: AppendOptions
    ) => Effect.Effect<Appended, PublishError | OutboxError, SqlClient>
    /** The same in a transaction of any other client: `execute` runs a statement in it. */
    readonly appendWith: <A>(
      transaction: Transaction,
      event: Event.Event<string, unknown, A>,
      data: A,
      options?: AppendOptions
    ) => Effect.Effect<Appended, PublishError | OutboxError>
  }
>()("@eduflow/events/outbox/Outbox") {
  static readonly layer = (options: Outbox.Options): Layer.Layer<Outbox> =>
    Layer.effect(
      Outbox,
      Effect.suspend(() => make(options))
    )
}

export declare namespace Outbox {
  export interface Options {
    /** The service that appends: `source` of its events. */
    readonly source: string
    /** `"declared-only"` refuses events that declare no `publishers`. Default `"contracts"`. */
    readonly authorise?: "contracts" | "declared-only"
    /**
     * `"key"` (default): an append waits until the transaction that appended an event of its key before has ended, so that
     * events of a key are published in the order of their commits. Append behind the change of the row that the event is
     * about, and events of several keys in one order: locks that are taken in different orders are a deadlock, which the
     * database ends by failing one of the transactions. `"none"`: nothing waits, and events of a key whose transactions
     * overlap may be published in another order than they were committed.
     */
    readonly ordering?: "key" | "none"
    /**
     * Whether a commit wakes relays in other processes (PostgreSQL). It costs: PostgreSQL commits transactions that notify one
     * after the other. Default false: those relays ask every `poll`, the one in this process is woken by the append.
     */
    readonly notify?: boolean
  }
}

export const kinds = {
  source: Kinds.required(Kinds.text),
  authorise: Kinds.oneOf("contracts", "declared-only"),
  ordering: Kinds.oneOf("key", "none"),
  notify: Kinds.bool
} satisfies Kinds.KindsOf<Outbox.Options>

/** What the Standard Schema of an event makes of data; undefined for a schema of Effect, which needs no fiber. */
export const validating = (event: Event.Any, data: unknown): Effect.Effect<Given> | undefined => {
  // Callers come from outside of TypeScript too.
  const validate = event?.dataCodec?.validate
  return validate === undefined
    ? undefined
    : Effect.map(Validation.settled(event.name, validate(data), Validation.defaultMillis), givenOf)
}

/** An event that was checked, authorised and encoded: its insert, and what that makes of the rows. */
export interface Insert {
  readonly statement: Statement
  readonly appended: (rows: ReadonlyArray<Row>) => Appended
}

/** Checks and encodes. It is no Effect: an append is so short that a fiber of its own would be a fifth of it. */
export type Prepare = (
  dialect: Dialect,
  event: Event.Any,
  data: unknown,
  options: AppendOptions,
  /** Of the fiber that appends: its trace, cause and actor. */
  context: Context.Context<never>,
  /** What the data is written as, where it was validated already. */
  encoded?: Encoded
) => Result.Result<Insert, PublishError>

export const makePrepare = Effect.fnUntraced(function* (options: Outbox.Options) {
  OptionInvalid.check("Outbox.layer", options, kinds)
  const { authorise = "contracts", notify = false, ordering = "key", source } = options
  const fault = sourceFault(source)
  if (fault !== undefined) {
    return yield* Effect.die(
      new OptionInvalid.OptionInvalid({
        call: "Outbox.layer",
        option: "source",
        problem: fault,
        remedy: "Name the service in words of a-z, 0-9 and -"
      })
    )
  }
  yield* checkRuntime
  yield* Effect.promise(SchemaModule.load)
  const clock = yield* Clock.Clock
  const counted = Meter.seriesBy(OutboxMetrics.appended, yield* Effect.context<never>(), {}, "eventbus.event")
  const ids = yield* CurrentIds
  const encode = encoder({ source, authorise, ids, now: () => clock.currentTimeMillisUnsafe() })
  const settings = { locksKey: ordering === "key", notifies: notify }

  const prepare: Prepare = (dialect, event, data, options, context, given) => {
    const encoded = encode(event, data, options, context, given)
    if (Result.isFailure(encoded)) return Result.fail(encoded.failure)
    const { id, name } = encoded.success
    return Result.succeed({
      statement: dialect.append(rowOf(encoded.success), settings),
      appended: (rows) => {
        counted(name).update(1)
        return { id, position: Number(rows[0]?.["position"]) }
      }
    })
  }
  return prepare
})

const make = Effect.fnUntraced(function* (options: Outbox.Options) {
  const prepare = yield* makePrepare(options)
  const wake = yield* CurrentWake
  const insertOf = (
    database: Database,
    prepared: ReturnType<Prepare>
  ): Effect.Effect<Appended, PublishError | OutboxError> => {
    if (Result.isFailure(prepared)) return Effect.fail(prepared.failure)
    const { appended, statement } = prepared.success
    return Effect.map(database.run("append", statement), appended)
  }
  const insert = <A>(database: Database, event: Event.Event<string, unknown, A>, data: A, options: AppendOptions) =>
    Effect.contextWith((context: Context.Context<never>): Effect.Effect<Appended, PublishError | OutboxError> => {
      const { dialect } = database
      const validation = validating(event, data)
      return validation === undefined
        ? insertOf(database, prepare(dialect, event, data, options, context))
        : Effect.flatMap(validation, ({ encoded, output }) =>
            insertOf(database, prepare(dialect, event, output, options, context, encoded))
          )
    })
  return Outbox.of({
    append: (event, data, options = {}) =>
      Effect.flatMap(SqlClient, (client) =>
        Effect.tap(insert(ofClient(client), event, data, options), () =>
          client.afterCommit(Effect.sync(() => wake.appended()))
        )
      ),
    appendWith: (transaction, event, data, options = {}) =>
      Effect.suspend(() => insert(ofPort(transaction), event, data, options))
  })
})
