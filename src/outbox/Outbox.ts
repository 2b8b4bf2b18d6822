/**
 * Appends events to a table in the transaction that changes the data: both are committed, or neither. The relay publishes
 * what was committed.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
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
import { type AppendOptions, type Encode, encoder } from "./EncodedEvent.ts"
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
      event: Event.Event<string, A>,
      data: A,
      options?: AppendOptions
    ) => Effect.Effect<Appended, PublishError | OutboxError, SqlClient>
    /** The same in a transaction of any other client: `execute` runs a statement in it. */
    readonly appendWith: <A>(
      transaction: Transaction,
      event: Event.Event<string, A>,
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

const make = Effect.fnUntraced(function* (options: Outbox.Options) {
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
  const wake = yield* CurrentWake
  const appended = Meter.seriesBy(OutboxMetrics.appended, yield* Effect.context<never>(), {}, "eventbus.event")
  const ids = yield* CurrentIds
  const encode = encoder({ source, authorise, ids, now: () => clock.currentTimeMillisUnsafe() })
  const settings = { locksKey: ordering === "key", notifies: notify }

  const insert = (
    database: Database,
    encoded: ReturnType<Encode>
  ): Effect.Effect<Appended, PublishError | OutboxError> => {
    if (Result.isFailure(encoded)) return Effect.fail(encoded.failure)
    const event = encoded.success
    return Effect.map(database.run("append", database.dialect.append(rowOf(event), settings)), (rows) => {
      appended(event.name).update(1)
      return { id: event.id, position: Number(rows[0]?.["position"]) }
    })
  }
  const encodedHere = <A>(event: Event.Event<string, A>, data: A, options: AppendOptions) =>
    encode(event, data, options, Fiber.getCurrent()?.context ?? Context.empty())

  return Outbox.of({
    append: (event, data, options = {}) =>
      Effect.flatMap(SqlClient, (client) =>
        Effect.tap(insert(ofClient(client), encodedHere(event, data, options)), () =>
          client.afterCommit(Effect.sync(() => wake.appended()))
        )
      ),
    appendWith: (transaction, event, data, options = {}) =>
      Effect.suspend(() => insert(ofPort(transaction), encodedHere(event, data, options)))
  })
})
