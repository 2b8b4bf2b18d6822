/**
 * The series of one contract and of one subscriber: everything that is counted for an event, looked up once, so that an
 * event costs additions and no look-up by attributes.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Messaging from "./Messaging.ts"
import { series, seriesBy, type Series } from "./Meter.ts"
import * as Metrics from "./Metrics.ts"
import * as Stopwatch from "./Stopwatch.ts"

/** Reasons of failed publishes for which nothing was sent. */
const notSentReasons: ReadonlySet<string> = new Set(["Invalid", "Denied", "Unavailable", "Overloaded"])

/** Metrics of publishing one event. */
export const publisher = (event: string, broker: Messaging.BrokerIdentity, context: Context.Context<never>) => {
  const attributes = {
    "messaging.system": broker.system,
    ...Messaging.publishOperation,
    "messaging.destination.name": Messaging.destination(broker, event),
    "eventbus.event": event
  }
  const outcomes = seriesBy(Metrics.publishes, context, { "eventbus.event": event }, "eventbus.outcome")
  const sent = series(Metrics.sent, context, attributes)
  const duration = series(Metrics.sendDuration, context, attributes)
  const sendFailed = seriesBy(Metrics.sent, context, attributes, "error.type")
  const failedSendDuration = seriesBy(Metrics.sendDuration, context, attributes, "error.type")
  const [confirmed, unrouted] = [outcomes("confirmed"), outcomes("unrouted")]
  // Exported as 0 from the start: Prometheus sees no increase in a series that first appears as 1.
  for (const reason of ["Invalid", "Denied", "Unavailable", "Overloaded", "Rejected", "Unknown"]) outcomes(reason)
  return {
    /** The broker confirmed it, `seconds` after the call. */
    confirmed: (routed: boolean, seconds: number): void => {
      const outcome = routed ? confirmed : unrouted
      outcome.update(1)
      sent.update(1)
      duration.update(seconds)
    },
    failed: (reason: string, seconds: number): void => {
      outcomes(reason).update(1)
      if (notSentReasons.has(reason)) return
      sendFailed(reason).update(1)
      failedSendDuration(reason).update(seconds)
    }
  }
}
export type PublisherMetrics = ReturnType<typeof publisher>

/** Metrics of one subscriber. */
export const subscriber = (name: string, broker: Messaging.BrokerIdentity, context: Context.Context<never>) => {
  const stopwatch = Stopwatch.of(Context.get(context, Clock.Clock))
  const bySubscriber = { "eventbus.subscriber": name }
  const group = {
    "messaging.system": broker.system,
    "messaging.destination.name": Messaging.queue(broker, name),
    "messaging.consumer.group.name": name,
    ...bySubscriber
  }
  const processing = { ...group, ...Messaging.processOperation }
  const processed = series(Metrics.processDuration, context, processing)
  const processFailed = seriesBy(Metrics.processDuration, context, processing, "error.type")
  const consumed = series(Metrics.consumed, context, { ...group, ...Messaging.deliverOperation })
  const redelivered = series(Metrics.redelivered, context, bySubscriber)
  const droppedHeaders = series(Metrics.droppedHeaders, context, bySubscriber)
  const foreignSubjects = series(Metrics.foreignSubjects, context, bySubscriber)
  const depth = series(Metrics.retryDepth, context, bySubscriber)
  const count = series(Metrics.retries, context, bySubscriber)
  const outcome = seriesBy(Metrics.outcomes, context, bySubscriber, "eventbus.outcome")
  const deadLettered = seriesBy(Metrics.deadLettered, context, bySubscriber, "eventbus.reason")
  // Exported as 0 from the start: Prometheus sees no increase in a series that first appears as 1.
  for (const known of ["handled", "retried", "dead-lettered", "postponed"]) outcome(known)
  series(Metrics.unsigned, context, bySubscriber)
  for (const known of ["Exhausted", "Rejected", "Invalid", "CrashLoop", "Expired", "LaneFull", "LaneTooSlow"])
    deadLettered(known)
  return {
    delivered: (isRedelivery: boolean): void => {
      consumed.update(1)
      if (isRedelivery) redelivered.update(1)
    },
    droppedHeaders,
    foreignSubjects,
    outcome,
    /** Seconds on the clock that `processed` measures with. */
    stopwatch,
    /** A handler that began at this time has ended; `error` is the type of its failure. Returns its seconds. */
    processed: (began: number, error: string | undefined): number => {
      const seconds = stopwatch() - began
      ;(error === undefined ? processed : processFailed(error)).update(seconds)
      return seconds
    },
    deadLettered,
    retries: {
      /** This attempt failed and another one follows. */
      update: (attempt: number): void => {
        count.update(1)
        depth.update(attempt)
      }
    } satisfies Series,
    restarts: series(Metrics.restarts, context, bySubscriber),
    returns: series(Metrics.returns, context, bySubscriber)
  }
}
export type SubscriberMetrics = ReturnType<typeof subscriber>
