/**
 * The option `inbox`: a handler in a transaction that begins with the mark of its event. What it needs is loaded when the
 * first subscriber asks for it, so that all others neither load nor run any of it.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Event from "../../event/Event.ts"
import * as HandlerReturn from "./HandlerReturn.ts"
import { SubscribeError, SubscriberInvalid } from "./SubscribeError.ts"
import type { Handler } from "./SubscriberOptions.ts"
import type { Settled } from "./SubscriberSettings.ts"

/** The subscriber whose handler does its work once for each event. Fails when its services have no database for the marks. */
export const over = Effect.fnUntraced(function* <E extends Event.Any, Err, R>(
  settled: Settled<E, Err, R>,
  context: Context.Context<R>
) {
  const { name, plan } = settled
  if (plan._tag === "Batch") return settled
  const { clientFault, once } = yield* Effect.promise(() => import("../../outbox/inbox/Once.ts"))
  const fault = clientFault(context)
  if (fault !== undefined) {
    return yield* new SubscribeError({
      subscriber: name,
      reason: new SubscriberInvalid({
        option: "inbox",
        ...fault,
        remedy:
          "Provide the layer of a SqlClient, such as PgClient.layer or SqliteFile.layer; with any other client, call isFirst of the outbox in its transaction"
      })
    })
  }
  const handler = once(name, (...[event, delivery]: Parameters<Handler<E, Err, R>>) =>
    HandlerReturn.effectOf(plan.handler(event, delivery))
  )
  // The check above found the client in the context; an `InboxError` is a failed attempt, like every failure of a handler.
  return { ...settled, plan: { ...plan, handler: handler as Handler<E, Err, R> } } satisfies Settled<E, Err, R>
})
