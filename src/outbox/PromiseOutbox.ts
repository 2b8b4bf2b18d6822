/** The outbox for code without Effect, over each client of a database that runs a text with parameters in a transaction. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as BusRuntime from "../bus/BusRuntime.ts"
import type { EventBus } from "../bus/EventBus.ts"
import type * as Event from "../event/Event.ts"
import * as OptionInvalid from "../event/options/OptionInvalid.ts"
import * as Kinds from "../event/options/OptionKinds.ts"
import { type Execute, ofPort, type Port, runSteps } from "./Database.ts"
import type { AppendOptions } from "./EncodedEvent.ts"
import * as Inbox from "./Inbox.ts"
import * as Migrations from "./Migrations.ts"
import { type Appended, kinds as outboxKinds, makePrepare, validating, type Outbox } from "./Outbox.ts"
import { OutboxError } from "./OutboxError.ts"
import { OutboxRelay, type RelayStatus } from "./relay/OutboxRelay.ts"
import { kinds as relayKinds, type RelayOptions } from "./relay/RelayOptions.ts"
import * as Upkeep from "./Upkeep.ts"

export interface CreateOutboxOptions extends Outbox.Options, Port {
  /** The bus that `createEventBus` returned: what is committed is published to it. Default: other processes do that. */
  readonly relayTo?: object
  /** How it is published. */
  readonly relay?: RelayOptions
}

export type PromiseAppendOptions = AppendOptions

export interface PromiseOutbox extends AsyncDisposable {
  /** Writes the event in the transaction that `execute` runs statements in. */
  readonly append: <A>(
    execute: Execute,
    event: Event.Event<string, unknown, A>,
    data: NoInfer<A>,
    options?: PromiseAppendOptions
  ) => Promise<Appended>
  /**
   * Marks the event as handled by this subscriber in that transaction. Resolves to whether this is the first time: otherwise
   * there is nothing to do.
   */
  readonly isFirst: (execute: Execute, subscriber: string, event: Inbox.Identity) => Promise<boolean>
  /** Creates the tables where they are missing. */
  readonly migrate: () => Promise<void>
  /** Of the relay in this process; undefined without `relayTo`. */
  readonly status: () => Promise<RelayStatus | undefined>
  /** Makes what was set aside pending again: the event with this id, or all. Resolves to their number. */
  readonly retry: (id?: string) => Promise<number>
  /** Ends the relay; what is in flight gets its answer. */
  readonly close: () => Promise<void>
}

const kinds: Kinds.Kinds = {
  ...outboxKinds,
  dialect: Kinds.required(Kinds.text),
  execute: Kinds.required(Kinds.func),
  listen: Kinds.func,
  relayTo: Kinds.plain,
  relay: Kinds.record(relayKinds)
} satisfies Kinds.KindsOf<CreateOutboxOptions>

/**
 * An outbox over any client.
 *
 * @example
 * ```ts
 * import { createEventBus, Event } from "@eduflow/events"
 * import { createOutbox } from "@eduflow/events/outbox"
 * import { Schema } from "effect"
 * import { Pool, type PoolClient } from "pg"
 *
 * const Placed = Event.make("shop.order.placed", { version: 1, data: Schema.Struct({ orderId: Schema.String }) })
 * const pool = new Pool()
 * const on = (client: Pool | PoolClient) => async (sql: string, parameters: ReadonlyArray<unknown>) =>
 *   (await client.query(sql, [...parameters])).rows
 *
 * export const run = async (client: PoolClient) => {
 *   await using bus = await createEventBus({ url: "memory://", source: "shop" })
 *   await using outbox = await createOutbox({ source: "shop", dialect: "postgres", execute: on(pool), relayTo: bus })
 *   await client.query("BEGIN")
 *   await client.query("INSERT INTO orders (id) VALUES ($1)", ["o-1"])
 *   await outbox.append(on(client), Placed, { orderId: "o-1" })
 *   await client.query("COMMIT")
 * }
 * ```
 */
export const createOutbox = async (options: CreateOutboxOptions): Promise<PromiseOutbox> => {
  OptionInvalid.check("createOutbox", options, kinds)
  const { dialect, execute, listen, relay, relayTo, ...own } = options
  const port: Port = { dialect, execute, ...(listen !== undefined && { listen }) }
  const database = ofPort(port)
  const runtime = relayTo === undefined ? undefined : BusRuntime.of(relayTo)
  if (relayTo !== undefined && runtime === undefined) throw notABus()
  const run = <A, E>(effect: Effect.Effect<A, E>): Promise<A> =>
    runtime === undefined ? Effect.runPromise(effect) : runtime.run(effect)
  const scope = Scope.makeUnsafe()
  const prepare = await run(makePrepare(own))
  const relaying = await runtime?.run(relayIn(scope, port, relay))
  const close = (): Promise<void> => run(Scope.close(scope, Exit.void))
  return {
    append: async (execute, event, data, options = {}) => {
      const validation = validating(event, data)
      const given = validation === undefined ? undefined : await run(validation)
      const prepared = prepare(
        database.dialect,
        event,
        given === undefined ? data : given.output,
        options,
        runtime?.context() ?? Context.empty(),
        given?.encoded
      )
      // As every failure, with the stack of the call.
      if (Result.isFailure(prepared)) return run(Effect.fail(prepared.failure))
      const { appended, statement } = prepared.success
      try {
        // No fiber waits for it: that would cost a turn of the event loop for each event.
        const { next, parameters, text } = statement
        return appended(await (next === undefined ? execute(text, parameters) : runSteps(execute, statement)))
      } catch (error) {
        throw OutboxError.of("append", error)
      }
    },
    isFirst: (execute, subscriber, event) => run(Inbox.isFirstWith({ dialect, execute }, subscriber, event)),
    migrate: () => run(Migrations.migrateWith(port)),
    status: async () => (relaying === undefined ? undefined : run(relaying.status)),
    retry: (id) => run(Upkeep.retry(database, id)),
    close,
    [Symbol.asyncDispose]: close
  }
}

const relayIn = (
  scope: Scope.Scope,
  port: Port,
  options: RelayOptions | undefined
): Effect.Effect<OutboxRelay["Service"], never, EventBus> =>
  Effect.map(Layer.buildWithScope(Layer.fresh(OutboxRelay.layerWith(port, options)), scope), (context) =>
    Context.get(context, OutboxRelay)
  )

const notABus = (): OptionInvalid.OptionInvalid =>
  new OptionInvalid.OptionInvalid({
    call: "createOutbox",
    option: "relayTo",
    problem: "it is no bus of this library",
    remedy: "Give what `createEventBus` returned"
  })
