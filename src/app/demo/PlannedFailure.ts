/**
 * Failures that the demo plans for some of its events. They are drawn when an event is published and travel in a
 * header, so that every subscriber sees the same one: most events are handled, some fail at first, some are
 * postponed, a few never succeed.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { Later, Reject } from "../../bus/subscriber/HandlerError.ts"
import type { DeliveryInfo } from "../../bus/subscriber/SubscriberOptions.ts"
import type { SeededRandom } from "../../bus/support/SeededRandom.ts"
import { chance } from "./University.ts"

export type PlannedFailure = "flaky" | "slow" | "later" | "rejected" | "broken" | "malformed"

/** The header that carries it. */
export const header = "demo-fate"

/** Undefined for most events. */
export const draw = (random: SeededRandom): PlannedFailure | undefined =>
  chance(random, 0.02)
    ? "flaky"
    : chance(random, 0.003)
      ? "slow"
      : chance(random, 0.005)
        ? "later"
        : chance(random, 0.002)
          ? "rejected"
          : chance(random, 0.002)
            ? "broken"
            : chance(random, 0.002)
              ? "malformed"
              : undefined

export class Hiccup extends Schema.TaggedError<Hiccup>()("Hiccup", { message: Schema.String }) {}
export class Outage extends Schema.TaggedError<Outage>()("Outage", { message: Schema.String }) {}

/** A hiccup passes soon and is retried in the process; an outage takes seconds, and its retries wait on the broker. */
export const retryWith =
  (hiccups: Schedule.Schedule<unknown>) =>
  (error: unknown): Schedule.Schedule<unknown> =>
    error instanceof Outage ? Schedule.spaced("1 second").pipe(Schedule.upTo({ times: 3 })) : hiccups

export const retry = retryWith(Schedule.exponential("40 millis").pipe(Schedule.upTo({ times: 3 })))

/** Fails as planned for the event. `postponed` holds the ids that this subscriber has postponed once. */
export const apply = (
  delivery: DeliveryInfo,
  id: string,
  postponed: Set<string>
): Effect.Effect<void, Hiccup | Outage | Reject | Later> =>
  Effect.suspend((): Effect.Effect<void, Hiccup | Outage | Reject | Later> => {
    switch (delivery.headers[header]) {
      case "flaky":
        return delivery.attempt <= 2 ? Effect.fail(new Hiccup({ message: "the database was busy" })) : Effect.void
      case "slow":
        return delivery.attempt <= 2 ? Effect.fail(new Outage({ message: "the mail server is away" })) : Effect.void
      case "broken":
        return Effect.fail(new Hiccup({ message: "this event never succeeds" }))
      case "rejected":
        return Effect.fail(new Reject({ reason: "the recipient no longer exists" }))
      case "later":
        if (postponed.delete(id)) return Effect.void
        postponed.add(id)
        return Effect.fail(Later.in("200 millis", "quiet hours"))
      default:
        return Effect.void
    }
  })
