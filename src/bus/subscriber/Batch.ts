/**
 * How a batch handler fails for single events. If it fails with a `BatchFailure`, only the events it names have
 * failed; with any other failure, every event of the batch has. The retry policy decides about each failed event
 * alone.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Envelope from "../../event/Envelope.ts"
import { CurrentBaggage } from "../../event/flow/Baggage.ts"
import { CurrentTenant } from "../../event/flow/Tenant.ts"
import * as OptionInvalid from "../../event/options/OptionInvalid.ts"
import * as Kinds from "../../event/options/OptionKinds.ts"
import { CurrentHandling } from "../support/CurrentHandling.ts"

/** One failed event of a batch. */
export interface FailedEvent<out Err> {
  /** The event that the handler got, or its id. */
  readonly event: Envelope.Envelope | string
  readonly cause: Cause.Cause<Err>
}

/**
 * Some events of a batch failed, all others succeeded. It never leaves the process, so it is not a schema: its type
 * carries the errors of the single events for the retry policy.
 */
export class BatchFailure<out Err = unknown> extends Data.TaggedError("BatchFailure")<{
  readonly failures: ReadonlyArray<FailedEvent<Err>>
}> {
  /** An error may have any type, also `Reject` and `Later`. Without failures the whole batch has succeeded. */
  static of<Err>(
    failures: Iterable<{ readonly event: Envelope.Envelope | string; readonly error: Err }>
  ): BatchFailure<Err> {
    return new BatchFailure({
      failures: Array.from(failures, ({ error, event }) => ({ event, cause: Cause.fail(error) }))
    })
  }
  override get message(): string {
    return `${this.failures.length} events of the batch failed`
  }
}

const eachKinds: Kinds.Kinds = {
  concurrency: Kinds.or(Kinds.count, '"unbounded"', (value) => value === "unbounded")
}

/**
 * Runs an effect for each event of a batch and fails with the events whose effects failed, so that one bad event
 * does not fail the others. Effects run one after the other unless `concurrency` is higher. Events that an effect
 * publishes have its event as their cause, and its tenant, actor and baggage.
 *
 * @example
 * ```ts
 * import { Batch, Event, Reject, Subscriber } from "@eduflow/events"
 * import { Effect, Schema } from "effect"
 *
 * const Posted = Event.make("social.post.created", { version: 1, data: Schema.Struct({ text: Schema.String }) })
 *
 * export const Search = Subscriber.layer("social.search", {
 *   events: [Posted],
 *   batch: { size: 100, maxWait: "500 millis" },
 *   handler: (posts) =>
 *     Batch.each(posts, (post) =>
 *       post.data.text === "" ? Effect.fail(new Reject({ reason: "empty" })) : Effect.log(post.data.text)
 *     )
 * })
 * ```
 */
export const each = <A extends Envelope.Envelope, Err, R>(
  events: ReadonlyArray<A>,
  one: (event: A, index: number) => Effect.Effect<unknown, Err, R>,
  options: { readonly concurrency?: number | "unbounded" } = {}
): Effect.Effect<void, BatchFailure<Err>, R> =>
  Effect.suspend(() => {
    const wrong = OptionInvalid.of("Batch.each", options, eachKinds)
    if (wrong !== undefined) return Effect.die(wrong)
    const failures: Array<FailedEvent<Err>> = []
    const each = (event: A, index: number) =>
      Effect.suspend(() => one(event, index)).pipe(
        Effect.updateContext((context: Context.Context<R>) => withCause(context, event)),
        Effect.exit,
        Effect.map((exit) => {
          if (Exit.isFailure(exit)) failures.push({ event, cause: exit.cause })
        })
      )
    return Effect.andThen(
      Effect.forEach(events, each, { concurrency: options.concurrency ?? 1, discard: true }),
      Effect.suspend(() => (failures.length === 0 ? Effect.void : Effect.fail(new BatchFailure({ failures }))))
    )
  })

const withCause = <R>(context: Context.Context<R>, event: Envelope.Envelope): Context.Context<R> => {
  const { actor, correlationId, id, tenant } = event
  const baggage = Context.get(context, CurrentHandling)?.baggageOf?.(event)
  let own = Context.add(context, CurrentHandling, { id, correlationId, actor })
  if (tenant !== undefined) own = Context.add(own, CurrentTenant, tenant)
  if (baggage !== undefined) own = Context.add(own, CurrentBaggage, baggage)
  return own
}
