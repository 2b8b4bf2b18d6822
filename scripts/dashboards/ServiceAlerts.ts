/** Alerts on processes, on publishing and on the connections. */
import * as Metrics from "../../src/observe/Metrics.ts"
import { type Group, label } from "./Alert.ts"
import { by, query, selecting } from "./Query.ts"

const of = selecting()
const ofProcess = by("job", "instance")
const ofService = by("job")
const process = `${label("job")} at ${label("instance")}`
/** The caller could do nothing against these. */
const inVain = ["Unavailable", "Overloaded", "Rejected", "Unknown"]

export const serviceAlerts: Group = {
  name: "eventbus-services",
  alerts: [
    {
      name: "EventBusCheckDown",
      severity: "critical",
      query: () =>
        query`max ${by("job", "instance", "eventbus.check")} (${of(Metrics.health, { "eventbus.state": "down" })}) > 0`,
      lasting: "2 minutes",
      summary: `${process}: ${label("eventbus.check")} is down`,
      description: "A check of /health that the service needs is down; the answer of /health says why and since when."
    },
    {
      name: "EventBusDisconnected",
      severity: "critical",
      query: () => query`max ${by("job", "instance", "eventbus.connection")} (${of(Metrics.connections)}) == 0`,
      lasting: "1 minute",
      summary: `${process} has no connection to RabbitMQ for ${label("eventbus.connection")}`,
      description: "It tries again by itself. Until then publishes wait and fail, or events are not handled there."
    },
    {
      name: "EventBusReconnecting",
      severity: "warning",
      query: ({ window }) => query`sum ${ofProcess} (increase(${of(Metrics.reconnects)}${window("15 minutes")})) > 3`,
      lasting: "0 seconds",
      summary: `${process} keeps losing RabbitMQ`,
      description:
        "More than three connections were lost and made again in a quarter of an hour. What was in flight is handled again."
    },
    {
      name: "EventBusPublishersBlocked",
      severity: "critical",
      query: ({ window }) => query`max ${ofProcess} (rate(${of(Metrics.blockedTime)}${window("2 minutes")})) > 0.5`,
      lasting: "1 minute",
      summary: `RabbitMQ blocks the publishers of ${process}`,
      description: "It is out of memory or disk. Publishes wait and then fail with Overloaded; handling goes on."
    },
    {
      name: "EventBusPublishFailing",
      severity: "critical",
      query: ({ window }) =>
        query`sum ${ofService} (rate(${of(Metrics.publishes, { "eventbus.outcome": inVain })}${window("5 minutes")})) / sum ${ofService} (rate(${of(Metrics.publishes)}${window("5 minutes")})) > 0.01`,
      lasting: "2 minutes",
      summary: `{{ $value | humanizePercentage }} of the publishes of ${label("job")} fail`,
      description:
        "The broker is away, blocks, refuses or does not answer. The callers were told; what they do is theirs."
    },
    {
      name: "EventBusPublishRefused",
      severity: "warning",
      query: ({ window }) =>
        query`sum ${by("job", "eventbus.event", "eventbus.outcome")} (increase(${of(Metrics.publishes, { "eventbus.outcome": ["Invalid", "Denied"] })}${window("15 minutes")})) > 0`,
      lasting: "1 minute",
      summary: `${label("job")} publishes ${label("eventbus.event")} that is ${label("eventbus.outcome")}`,
      description: "A mistake in the service, or somebody who tries what he may not: nothing was sent."
    },
    {
      name: "EventBusDoorFull",
      severity: "warning",
      query: () => query`sum ${by("job", "instance", "eventbus.door")} (${of(Metrics.doorWaiting)}) > 0`,
      lasting: "5 minutes",
      summary: `${process}: {{ $value }} event(s) wait in front of the door (${label("eventbus.door")})`,
      description: "More is published than the broker confirms, or it is away or blocks."
    },
    {
      name: "EventBusDelaysLate",
      severity: "warning",
      query: ({ seconds }) =>
        query`max ${ofService} (${of(Metrics.delayLateness)}) > ${seconds("10 seconds")} or max ${ofService} (${of(Metrics.health, { "eventbus.check": "delay ladder", "eventbus.state": { not: "up" } })}) > 0`,
      lasting: "2 minutes",
      summary: `Retries and delayed events of ${label("job")} come late`,
      description: "The canary on the delay ladder is late, or did not come home: nothing that waits there does."
    },
    {
      name: "EventBusRedisDegraded",
      severity: "warning",
      query: () =>
        query`max ${ofProcess} (${of(Metrics.health, { "eventbus.check": "cache", "eventbus.state": { not: "up" } })}) > 0`,
      lasting: "2 minutes",
      summary: `Redis is slow or away for ${process}`,
      description:
        "Publishing and handling go on. Last known events are stale or missing, duplicates are not told, limits and breakers hold per process."
    },
    {
      name: "EventBusCacheDropping",
      severity: "warning",
      query: ({ window }) => query`sum ${ofProcess} (increase(${of(Metrics.cacheDropped)}${window("15 minutes")})) > 0`,
      lasting: "1 minute",
      summary: `The cache of ${process} forgets events`,
      description: "Its buffer was full, or Redis refused them: last known events and histories have gaps."
    },
    {
      name: "EventBusEventLoopLag",
      severity: "warning",
      query: () => query`max ${ofProcess} (${of(Metrics.eventLoopLag)}) > 1`,
      lasting: "5 minutes",
      summary: `The event loop of ${process} is {{ $value | humanizeDuration }} late`,
      description: "Something computes without a break. Heartbeats, deadlines and answers of that process are as late."
    },
    {
      name: "EventBusExportsFailing",
      severity: "warning",
      query: ({ window }) =>
        query`sum ${by("job", "eventbus.signal")} (rate(${of(Metrics.exports, { "eventbus.outcome": { not: "accepted" } })}${window("15 minutes")})) / sum ${by("job", "eventbus.signal")} (rate(${of(Metrics.exports)}${window("15 minutes")})) > 0.5`,
      lasting: "10 minutes",
      summary: `The collector does not take the ${label("eventbus.signal")} of ${label("job")}`,
      description: "They are dropped; events are not touched by it."
    }
  ]
}
