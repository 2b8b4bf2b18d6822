/**
 * The series of one contract, one subscriber, one door: everything that an event counts on its way, bound
 * once, so that an event costs additions and no look-up by attributes.
 */
import { Clock, Context } from "effect"
import * as Messaging from "./Messaging.ts"
import { bind, bindBy, type Bound } from "./Meter.ts"
import * as Metrics from "./Metrics.ts"
import * as Stopwatch from "./Stopwatch.ts"

/** Failures of a publish of which nothing was sent. */
const unsent: ReadonlySet<string> = new Set(["Invalid", "Denied", "Unavailable", "Overloaded"])

/** Metrics of publishing one event. */
export const publisher = (event: string, place: Messaging.Place, context: Context.Context<never>) => {
  const attributes = {
    "messaging.system": place.system,
    ...Messaging.publishing,
    "messaging.destination.name": Messaging.destination(place, event),
    "eventbus.event": event
  }
  const outcomes = bindBy(Metrics.publishes, context, { "eventbus.event": event }, "eventbus.outcome")
  const sent = bind(Metrics.sent, context, attributes)
  const duration = bind(Metrics.sendDuration, context, attributes)
  const sentInVain = bindBy(Metrics.sent, context, attributes, "error.type")
  const durationInVain = bindBy(Metrics.sendDuration, context, attributes, "error.type")
  const [confirmed, unrouted] = [outcomes("confirmed"), outcomes("unrouted")]
  // From 0 on: what appears with 1 is no increase to Prometheus.
  for (const reason of ["Invalid", "Denied", "Unavailable", "Overloaded", "Rejected", "Unknown"]) outcomes(reason)
  return {
    /** It is with the broker; `seconds` since the call. */
    confirmed: (routed: boolean, seconds: number): void => {
      const outcome = routed ? confirmed : unrouted
      outcome.update(1)
      sent.update(1)
      duration.update(seconds)
    },
    failed: (reason: string, seconds: number): void => {
      outcomes(reason).update(1)
      if (unsent.has(reason)) return
      sentInVain(reason).update(1)
      durationInVain(reason).update(seconds)
    }
  }
}
export type PublisherMetrics = ReturnType<typeof publisher>

/** Metrics of one subscriber. */
export const subscriber = (name: string, place: Messaging.Place, context: Context.Context<never>) => {
  const stopwatch = Stopwatch.of(Context.get(context, Clock.Clock))
  const own = { "eventbus.subscriber": name }
  const group = {
    "messaging.system": place.system,
    "messaging.destination.name": Messaging.queue(place, name),
    "messaging.consumer.group.name": name,
    ...own
  }
  const processing = { ...group, ...Messaging.processing }
  const processed = bind(Metrics.processDuration, context, processing)
  const processedInVain = bindBy(Metrics.processDuration, context, processing, "error.type")
  const consumed = bind(Metrics.consumed, context, { ...group, ...Messaging.delivering })
  const redelivered = bind(Metrics.redelivered, context, own)
  const depth = bind(Metrics.retryDepth, context, own)
  const count = bind(Metrics.retries, context, own)
  const outcome = bindBy(Metrics.outcomes, context, own, "eventbus.outcome")
  const deadLettered = bindBy(Metrics.deadLettered, context, own, "eventbus.reason")
  // From 0 on: what appears with 1 is no increase to Prometheus.
  for (const known of ["handled", "retried", "dead-lettered", "postponed"]) outcome(known)
  for (const known of ["Exhausted", "Rejected", "Invalid", "CrashLoop", "LaneFull", "LaneTooSlow"]) deadLettered(known)
  return {
    delivered: (again: boolean): void => {
      consumed.update(1)
      if (again) redelivered.update(1)
    },
    outcome,
    /** When something begins. */
    stopwatch,
    /** A handler that began then has ended; `error` is what it failed with. */
    processed: (began: number, error: string | undefined): void =>
      (error === undefined ? processed : processedInVain(error)).update(stopwatch() - began),
    deadLettered,
    retries: {
      /** This attempt failed and there will be another one. */
      update: (attempt: number): void => {
        count.update(1)
        depth.update(attempt)
      }
    } satisfies Bound,
    restarts: bind(Metrics.restarts, context, own),
    returns: bind(Metrics.returns, context, own)
  }
}
export type SubscriberMetrics = ReturnType<typeof subscriber>
