/**
 * The mark of the inbox, and a handler whose effects in a database happen once. Nothing here knows the bus, so that a
 * subscriber with the option `inbox` can load it.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { createHash } from "node:crypto"
import type * as Envelope from "../../event/Envelope.ts"
import { type Database, ofClient } from "../Database.ts"
import { OutboxError } from "../OutboxError.ts"

/** What identifies an event: duplicates have the same. */
export type Identity = Pick<Envelope.Envelope, "id" | "source" | "type">

/** What a handler with an inbox fails with besides its own errors: then nothing of the attempt is in the database. */
export type InboxError = OutboxError | SqlError

export const once =
  <E extends Identity, A extends ReadonlyArray<unknown>, Err, R>(
    subscriber: string,
    handler: (event: E, ...more: A) => Effect.Effect<unknown, Err, R>
  ) =>
  (event: E, ...more: A): Effect.Effect<void, Err | InboxError, R | SqlClient> =>
    Effect.flatMap(SqlClient, (client) =>
      client.withTransaction(
        Effect.flatMap(mark(ofClient(client), subscriber, event), (first) =>
          first ? Effect.asVoid(handler(event, ...more)) : Effect.void
        )
      )
    )

/** Whether this is the first time; waits while another transaction handles the event. */
export const mark = (database: Database, subscriber: string, event: Identity): Effect.Effect<boolean, OutboxError> =>
  event.id === ""
    ? Effect.fail(OutboxError.of("mark", new Error("the event has no id, so nothing says whether it is the same")))
    : Effect.map(database.run("mark", database.dialect.mark(subscriber, hashOf(event))), (rows) => rows.length > 0)

/** Of a fixed length, and no part of one identity can be taken for that of another. */
const hashOf = ({ id, source, type }: Identity): string =>
  createHash("sha256")
    .update(JSON.stringify([source, type, id]))
    .digest("base64url")

/** Why handlers with these services can have no inbox, or undefined. */
export const clientFault = (context: Context.Context<never>): { readonly problem: string } | undefined => {
  const client = Option.getOrUndefined(Context.getOption(context, SqlClient))
  if (client === undefined) return { problem: "no SqlClient is among the services of the handler" }
  try {
    ofClient(client)
    return undefined
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) }
  }
}
