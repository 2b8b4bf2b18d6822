/**
 * What a handler of batches may say of single events. A batch that fails with a `BatchFailure` has
 * succeeded with every event that the failure does not name; any other failure is one of each of its
 * events. What becomes of an event that failed is decided for it alone, by the retry policy.
 */
import { Cause, Data, Effect, Exit } from "effect"
import type * as Envelope from "../event/Envelope.ts"
import { CurrentHandling } from "./Handling.ts"

/** One event of a batch, and why it failed. */
export interface FailedEvent<out Err> {
  /** As the handler got it, or its id. */
  readonly event: Envelope.Envelope | string
  readonly cause: Cause.Cause<Err>
}

/**
 * Some events of a batch failed, all others succeeded. It never leaves the process, so it is no schema:
 * its type carries what the single events failed with, which is what the retry policy sees.
 */
export class BatchFailure<out Err = unknown> extends Data.TaggedError("BatchFailure")<{
  readonly failures: ReadonlyArray<FailedEvent<Err>>
}> {
  /** An error may be anything, `Reject` and `Later` too. Without failures everything has succeeded. */
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

/**
 * Runs an effect for each event of a batch and fails with those that did not succeed, so that one bad
 * event costs the others nothing. One after the other, unless `concurrency` says more. What an effect
 * publishes is caused by its event.
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
 *   batch: { size: 100, within: "500 millis" },
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
    const failures: Array<FailedEvent<Err>> = []
    const each = (event: A, index: number) =>
      Effect.suspend(() => one(event, index)).pipe(
        Effect.provideService(CurrentHandling, { id: event.id, correlationId: event.correlationId }),
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
