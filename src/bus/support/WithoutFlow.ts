/** A context that is kept for many events, without what belongs to the one thing that was going on when it was taken. */
import * as Context from "effect/Context"
import { CurrentBaggage } from "../../event/flow/Baggage.ts"
import { CurrentTenant } from "../../event/flow/Tenant.ts"

const omit = Context.omit(CurrentTenant, CurrentBaggage)

/** The same context if it has neither tenant nor baggage. */
export const withoutFlow = <R>(context: Context.Context<R>): Context.Context<R> =>
  Context.get(context, CurrentTenant) === undefined && Context.get(context, CurrentBaggage) === undefined
    ? context
    : // References are no services that anybody requires.
      (omit(context) as Context.Context<R>)
