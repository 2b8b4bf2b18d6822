/** Publishing, the in-flight limits in front of it, and the connections below it. */
import * as Metrics from "../../src/observe/Metrics.ts"
import * as RequestMetrics from "../../src/observe/RequestMetrics.ts"
import * as OutboxMetrics from "../../src/observe/OutboxMetrics.ts"
import { event, instance, job, on, percentileBy, percentiles, perSecond, perSecondOfAll, total } from "./Boards.ts"
import { type Board, stat, type Target, timeseries } from "./Panel.ts"
import { by, query, shows } from "./Query.ts"

const failed = { "eventbus.outcome": { not: ["confirmed", "unrouted"] } } as const

/** A service without an outbox, or that asks nothing, has none of their metrics. */
const quietly = (target: Target): Target => ({ ...target, quiet: true })

export const publisherBoard: Board = {
  uid: "eventbus-publisher",
  title: "Event bus: publishing",
  description:
    "What is published, how long it takes, and what delays it: the in-flight limits, the broker, the connections.",
  variables: [job, instance, event],
  rows: [
    {
      title: "Now",
      panels: [
        stat(
          "Published",
          "reqps",
          "Events per second that the broker confirmed.",
          query`sum(rate(${on(Metrics.publishes, { "eventbus.outcome": ["confirmed", "unrouted"] })}[$__rate_interval]))`
        ),
        stat(
          "Failed publishes",
          "reqps",
          "Publishes per second that failed. The callers received the failure.",
          query`sum(rate(${on(Metrics.publishes, failed)}[$__rate_interval]))`,
          {
            alarmFrom: 0.001
          }
        ),
        stat(
          "Waiting",
          "short",
          "Events waiting because the in-flight limit is reached, or the broker is away or blocks publishers.",
          query`sum(${on(Metrics.limitWaiting)})`,
          {
            alarmFrom: 1
          }
        ),
        stat(
          "Blocked",
          "percentunit",
          "Share of time during which the broker blocked publishers.",
          query`max(rate(${on(Metrics.blockedTime)}[$__rate_interval]))`,
          {
            alarmFrom: 0.01
          }
        ),
        stat(
          "Connections up",
          "short",
          "Connections of all processes: each has one for publishing, and one for consuming if it has subscribers.",
          query`sum(${on(Metrics.connections)})`,
          {
            alarmUpTo: 0
          }
        )
      ]
    },
    {
      title: "Publishing",
      panels: [
        timeseries(
          "Outcomes",
          "reqps",
          "Publishes by outcome. Unrouted: confirmed, but no subscriber is bound to the event.",
          [perSecond(Metrics.publishes, "eventbus.outcome")],
          {
            stacked: true
          }
        ),
        timeseries(
          "Sent, by event",
          "reqps",
          "Events sent to the broker, whatever the outcome.",
          [perSecond(Metrics.sent, "eventbus.event")],
          {
            stacked: true
          }
        ),
        timeseries("Failures, by event", "reqps", "Failed publishes with their reason.", [
          {
            query: query`sum ${by("eventbus.event", "eventbus.outcome")} (rate(${on(Metrics.publishes, failed)}[$__rate_interval])) > 0`,
            legend: `${shows("eventbus.event")}: ${shows("eventbus.outcome")}`,
            quiet: true
          }
        ])
      ]
    },
    {
      title: "Duration",
      panels: [
        timeseries(
          "Duration of a publish",
          "s",
          "Time from the call to its outcome, for events that were sent.",
          percentiles(Metrics.sendDuration)
        ),
        timeseries("Duration of a publish, 95th percentile", "s", "By event.", [
          percentileBy(Metrics.sendDuration, 0.95, "eventbus.event")
        ]),
        timeseries("Sent again", "reqps", "Sends repeated after a nack or a lost confirm: duplicates are possible.", [
          perSecondOfAll(Metrics.resent, "sent again")
        ])
      ]
    },
    {
      title: "In-flight limits",
      panels: [
        timeseries("In flight", "short", "Events in flight. The limit for callers of publish is 1,000.", [
          total(Metrics.limitInFlight, "eventbus.limit")
        ]),
        timeseries("Size in flight", "bytes", "Size of their bodies. The limit for callers of publish is 32 MiB.", [
          total(Metrics.limitBytes, "eventbus.limit")
        ]),
        timeseries(
          "Waiting",
          "short",
          "Events waiting for the limit, or for a broker that is away or blocks publishers.",
          [total(Metrics.limitWaiting, "eventbus.limit")]
        )
      ]
    },
    {
      title: "Requests",
      panels: [
        timeseries(
          "Requests",
          "reqps",
          "Requests by outcome. An error is one that the contract declares; any other outcome than replied says why there is no answer.",
          [
            {
              query: query`sum ${by("eventbus.outcome")} (rate(${on(RequestMetrics.duration, {}, "_count")}[$__rate_interval]))`,
              legend: "{{eventbus_outcome}}",
              quiet: true
            }
          ]
        ),
        timeseries(
          "Duration of a request",
          "s",
          "Time from the call to its answer.",
          percentiles(RequestMetrics.duration).map(quietly)
        ),
        timeseries(
          "Too late",
          "reqps",
          "Answers that nobody waited for any more, and requests that were left for that: deadlines are too short, or repliers too slow.",
          [perSecondOfAll(RequestMetrics.late, "too late")]
        )
      ]
    },
    {
      title: "Outbox",
      panels: [
        timeseries(
          "Appended and published",
          "reqps",
          "Events written to the outbox of a database, and what its relays did with them. Any other outcome than confirmed or unrouted was set aside.",
          [
            quietly(perSecondOfAll(OutboxMetrics.appended, "appended")),
            quietly(perSecond(OutboxMetrics.relayed, "eventbus.outcome"))
          ]
        ),
        timeseries("Not published yet", "short", "Committed events that wait for their relay, and those set aside.", [
          { query: query`max(${on(OutboxMetrics.pending)})`, legend: "wait", quiet: true },
          { query: query`max(${on(OutboxMetrics.refused)})`, legend: "set aside", quiet: true }
        ]),
        timeseries("Age and delay", "s", "Age of the oldest event that waits, and time from append to confirm.", [
          { query: query`max(${on(OutboxMetrics.oldest)})`, legend: "oldest", quiet: true },
          ...percentiles(OutboxMetrics.delay).map(quietly)
        ]),
        timeseries("Partitions", "short", "Partitions of the outbox by process. All four are held by somebody.", [
          { query: query`sum ${by("instance")} (${on(OutboxMetrics.partitions)})`, legend: "{{instance}}", quiet: true }
        ])
      ]
    },
    {
      title: "Connections",
      panels: [
        timeseries("Up", "short", "Open connections by purpose, over all processes.", [
          total(Metrics.connections, "eventbus.connection")
        ]),
        timeseries("Reconnects", "reqps", "Connections that were lost and re-established.", [
          perSecond(Metrics.reconnects, "eventbus.connection")
        ]),
        timeseries("Credentials", "reqps", "Fresh credentials that the broker took, and failures to get them.", [
          perSecond(Metrics.credentialRenewals, "eventbus.outcome")
        ]),
        timeseries("Blocked", "percentunit", "Share of time during which the broker blocked publishers, by process.", [
          {
            query: query`max ${by("instance")} (rate(${on(Metrics.blockedTime)}[$__rate_interval]))`,
            legend: "{{instance}}"
          }
        ]),
        timeseries(
          "Late acknowledgements",
          "reqps",
          "Dropped because their channel was closed. The events are redelivered.",
          [perSecondOfAll(Metrics.lateAcks, "dropped")]
        )
      ]
    }
  ]
}
