/** Alerts on processes, publishing and connections. */
import * as Metrics from "../../src/observe/Metrics.ts"
import * as OutboxMetrics from "../../src/observe/OutboxMetrics.ts"
import { type Group, label } from "./Alert.ts"
import { by, query, selecting } from "./Query.ts"

const on = selecting()
const byProcess = by("job", "instance")
const byService = by("job")
const process = `${label("job")} at ${label("instance")}`
/** Failures that the caller cannot prevent. */
const unpreventable = ["Unavailable", "Overloaded", "Rejected", "Unknown"]

export const serviceAlerts: Group = {
  name: "eventbus-services",
  alerts: [
    {
      name: "EventBusCheckDown",
      severity: "critical",
      query: () =>
        query`max ${by("job", "instance", "eventbus.check")} (${on(Metrics.health, { "eventbus.state": "down" })}) > 0`,
      lasting: "2 minutes",
      summary: `${process}: ${label("eventbus.check")} is down`,
      description: "A critical check of /health is down. The response of /health says why and since when."
    },
    {
      name: "EventBusDisconnected",
      severity: "critical",
      query: () => query`max ${by("job", "instance", "eventbus.connection")} (${on(Metrics.connections)}) == 0`,
      lasting: "1 minute",
      summary: `${process} has no connection to RabbitMQ for ${label("eventbus.connection")}`,
      description:
        "The process keeps reconnecting. Until it succeeds, publishes wait and fail, or events are not handled there."
    },
    {
      name: "EventBusReconnecting",
      severity: "warning",
      query: ({ window }) => query`sum ${byProcess} (increase(${on(Metrics.reconnects)}${window("15 minutes")})) > 3`,
      lasting: "0 seconds",
      summary: `${process} keeps losing its connection to RabbitMQ`,
      description:
        "More than three connections were lost and re-established within 15 minutes. Events in flight are handled again."
    },
    {
      name: "EventBusCredentialsFailing",
      severity: "critical",
      query: ({ window }) =>
        query`sum ${byProcess} (increase(${on(Metrics.credentialRenewals, { "eventbus.outcome": "failed" })}${window("5 minutes")})) > 1`,
      lasting: "1 minute",
      summary: `${process} gets no fresh credentials for RabbitMQ`,
      description:
        "The option credentials fails, or RabbitMQ does not take what it gives. When the present ones end, publishes are refused and connections are closed."
    },
    {
      name: "EventBusPublishersBlocked",
      severity: "critical",
      query: ({ window }) => query`max ${byProcess} (rate(${on(Metrics.blockedTime)}${window("2 minutes")})) > 0.5`,
      lasting: "1 minute",
      summary: `RabbitMQ blocks the publishers of ${process}`,
      description:
        "RabbitMQ is out of memory or disk. Publishes wait and then fail with Overloaded. Handling continues."
    },
    {
      name: "EventBusPublishFailing",
      severity: "critical",
      query: ({ window }) =>
        query`sum ${byService} (rate(${on(Metrics.publishes, { "eventbus.outcome": unpreventable })}${window("5 minutes")})) / sum ${byService} (rate(${on(Metrics.publishes)}${window("5 minutes")})) > 0.01`,
      lasting: "2 minutes",
      summary: `{{ $value | humanizePercentage }} of the publishes of ${label("job")} fail`,
      description:
        "The broker is away, blocks publishers, refuses events or does not answer. The callers receive the failures and have to react."
    },
    {
      name: "EventBusPublishRefused",
      severity: "warning",
      query: ({ window }) =>
        query`sum ${by("job", "eventbus.event", "eventbus.outcome")} (increase(${on(Metrics.publishes, { "eventbus.outcome": ["Invalid", "Denied"] })}${window("15 minutes")})) > 0`,
      lasting: "1 minute",
      summary: `${label("job")} publishes ${label("eventbus.event")} and fails with ${label("eventbus.outcome")}`,
      description: "The service has a bug, or someone lacks the permission to publish. Nothing was sent."
    },
    {
      name: "EventBusInFlightLimitFull",
      severity: "warning",
      query: () => query`sum ${by("job", "instance", "eventbus.limit")} (${on(Metrics.limitWaiting)}) > 0`,
      lasting: "5 minutes",
      summary: `${process}: {{ $value }} event(s) wait for the in-flight limit (${label("eventbus.limit")})`,
      description: "More events are published than the broker confirms, or the broker is away or blocks publishers."
    },
    {
      name: "EventBusOutboxLate",
      severity: "critical",
      query: ({ seconds }) => query`max ${byService} (${on(OutboxMetrics.oldest)}) > ${seconds("2 minutes")}`,
      lasting: "3 minutes",
      summary: `An event of the outbox of ${label("job")} has waited for {{ $value | humanizeDuration }}`,
      description:
        "It is committed and not published: the broker or the database is away, a queue is full, or a transaction of its key stays open."
    },
    {
      name: "EventBusOutboxRefused",
      severity: "warning",
      query: () => query`max ${byService} (${on(OutboxMetrics.refused)}) > 0`,
      lasting: "1 minute",
      summary: `{{ $value }} event(s) of the outbox of ${label("job")} were set aside`,
      description: "They were refused for good and are not published. Later events of their keys are."
    },
    {
      name: "EventBusDelaysLate",
      severity: "warning",
      query: ({ seconds }) =>
        query`max ${byService} (${on(Metrics.delayLateness)}) > ${seconds("10 seconds")} or max ${byService} (${on(Metrics.health, { "eventbus.check": "delay ladder", "eventbus.state": { not: "up" } })}) > 0`,
      lasting: "2 minutes",
      summary: `Retries and delayed events of ${label("job")} are late`,
      description:
        "The canary message on the delay ladder is late or did not arrive, and so are all events that wait there."
    },
    {
      name: "EventBusRedisDegraded",
      severity: "warning",
      query: () =>
        query`max ${byProcess} (${on(Metrics.health, { "eventbus.check": "cache", "eventbus.state": { not: "up" } })}) > 0`,
      lasting: "2 minutes",
      summary: `Redis is slow or away for ${process}`,
      description:
        "Publishing and handling continue. Last known events are stale or missing, duplicates are not detected, and rate limits and breakers apply per process."
    },
    {
      name: "EventBusCacheDropping",
      severity: "warning",
      query: ({ window }) => query`sum ${byProcess} (increase(${on(Metrics.cacheDropped)}${window("15 minutes")})) > 0`,
      lasting: "1 minute",
      summary: `The cache of ${process} drops events`,
      description: "The write buffer was full, or Redis refused the events. Last known events and histories have gaps."
    },
    {
      name: "EventBusEventLoopLag",
      severity: "warning",
      query: () => query`max ${byProcess} (${on(Metrics.eventLoopLag)}) > 1`,
      lasting: "5 minutes",
      summary: `The event loop of ${process} is {{ $value | humanizeDuration }} late`,
      description:
        "Something computes without yielding. Heartbeats, deadlines and responses of the process are equally late."
    },
    {
      name: "EventBusExportsFailing",
      severity: "warning",
      query: ({ window }) =>
        query`sum ${by("job", "eventbus.signal")} (rate(${on(Metrics.exports, { "eventbus.outcome": { not: "accepted" } })}${window("15 minutes")})) / sum ${by("job", "eventbus.signal")} (rate(${on(Metrics.exports)}${window("15 minutes")})) > 0.5`,
      lasting: "10 minutes",
      summary: `The collector does not accept the ${label("eventbus.signal")} of ${label("job")}`,
      description: "They are dropped. Events are not affected."
    }
  ]
}
