/**
 * What the demo lets happen to an event on its way, drawn when it is published and carried in a header,
 * so that every subscriber meets the same: most are handled, some fail at first, some are put off, a
 * few are poison.
 */
import { Effect, Schedule, Schema } from "effect"
import { Later, Reject } from "../../bus/BusError.ts"
import type { DeliveryInfo } from "../../bus/SubscriberOptions.ts"
import { chance, type Random } from "./University.ts"

export type Fate = "flaky" | "slow" | "later" | "rejected" | "broken" | "malformed"

export const header = "demo-fate"

/** Undefined for the most. */
export const draw = (random: Random): Fate | undefined =>
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

/** Hiccups pass soon and are waited for in the process, outages take seconds and wait on the broker. */
export const retryWith =
  (hiccups: Schedule.Schedule<unknown>) =>
  (error: unknown): Schedule.Schedule<unknown> =>
    error instanceof Outage ? Schedule.spaced("1 second").pipe(Schedule.upTo({ times: 3 })) : hiccups

export const retry = retryWith(Schedule.exponential("40 millis").pipe(Schedule.upTo({ times: 3 })))

/** Fails as the event's fate wants it; `putOff` remembers what was put off by this subscriber. */
export const meet = (
  delivery: DeliveryInfo,
  id: string,
  putOff: Set<string>
): Effect.Effect<void, Hiccup | Outage | Reject | Later> =>
  Effect.suspend((): Effect.Effect<void, Hiccup | Outage | Reject | Later> => {
    switch (delivery.headers[header]) {
      case "flaky":
        return delivery.attempt <= 2 ? Effect.fail(new Hiccup({ message: "the database was busy" })) : Effect.void
      case "slow":
        return delivery.attempt <= 2 ? Effect.fail(new Outage({ message: "the mail server is away" })) : Effect.void
      case "broken":
        return Effect.fail(new Hiccup({ message: "this one never works" }))
      case "rejected":
        return Effect.fail(new Reject({ reason: "the recipient does not exist any more" }))
      case "later":
        if (putOff.delete(id)) return Effect.void
        putOff.add(id)
        return Effect.fail(Later.in("200 millis", "quiet hours"))
      default:
        return Effect.void
    }
  })
