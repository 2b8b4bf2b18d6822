/** Publishing, the doors in front of it, and the connections below it. */
import * as Metrics from "../../src/observe/Metrics.ts"
import { event, instance, job, on, percentileBy, percentiles, perSecond, perSecondOfAll, total } from "./Boards.ts"
import { type Board, stat, timeseries } from "./Panel.ts"
import { by, query, shows } from "./Query.ts"

const failed = { "eventbus.outcome": { not: ["confirmed", "unrouted"] } } as const

export const publisherBoard: Board = {
  uid: "eventbus-publisher",
  title: "Event bus: publisher and gate",
  description: "What is published, how long it takes, what holds it up: the doors, the broker, the connection.",
  variables: [job, instance, event],
  rows: [
    {
      title: "Now",
      panels: [
        stat(
          "Published",
          "reqps",
          "Events a second that the broker confirmed.",
          query`sum(rate(${on(Metrics.publishes, { "eventbus.outcome": ["confirmed", "unrouted"] })}[$__rate_interval]))`
        ),
        stat(
          "Failed publishes",
          "reqps",
          "Publishes a second that failed; the callers were told.",
          query`sum(rate(${on(Metrics.publishes, failed)}[$__rate_interval]))`,
          {
            alarmFrom: 0.001
          }
        ),
        stat(
          "Waiting at the door",
          "short",
          "Events in front of the door: it is full, or the broker is away or blocks.",
          query`sum(${on(Metrics.doorWaiting)})`,
          {
            alarmFrom: 1
          }
        ),
        stat(
          "Blocked",
          "percentunit",
          "Share of the time in which the broker blocked publishers.",
          query`max(rate(${on(Metrics.blockedTime)}[$__rate_interval]))`,
          {
            alarmFrom: 0.01
          }
        ),
        stat(
          "Connections up",
          "short",
          "Of all processes: one for publishing each, one more for those that consume.",
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
          "Unrouted: confirmed, and nobody is bound to it.",
          [perSecond(Metrics.publishes, "eventbus.outcome")],
          {
            stacked: true
          }
        ),
        timeseries(
          "Sent, by event",
          "reqps",
          "Events that were sent to the broker, whatever it answered.",
          [perSecond(Metrics.sent, "eventbus.event")],
          {
            stacked: true
          }
        ),
        timeseries("Failures, by event", "reqps", "Of publishes, with their reason.", [
          {
            query: query`sum ${by("eventbus.event", "eventbus.outcome")} (rate(${on(Metrics.publishes, failed)}[$__rate_interval])) > 0`,
            legend: `${shows("eventbus.event")}: ${shows("eventbus.outcome")}`,
            quiet: true
          }
        ])
      ]
    },
    {
      title: "Time",
      panels: [
        timeseries(
          "Time of a publish",
          "s",
          "From the call to its outcome, of events that were sent.",
          percentiles(Metrics.sendDuration)
        ),
        timeseries("Time of a publish, 95 % within", "s", "By event.", [
          percentileBy(Metrics.sendDuration, 0.95, "eventbus.event")
        ]),
        timeseries("Sent again", "reqps", "Sends repeated after a nack or a lost confirm: duplicates are possible.", [
          perSecondOfAll(Metrics.resent, "sent again")
        ])
      ]
    },
    {
      title: "Doors",
      panels: [
        timeseries(
          "In flight",
          "short",
          "Events between the door and their outcome; the door of callers closes at 1,000.",
          [total(Metrics.doorInFlight, "eventbus.door")]
        ),
        timeseries("Size in flight", "bytes", "Their bodies; the door of callers closes at 32 MiB.", [
          total(Metrics.doorSize, "eventbus.door")
        ]),
        timeseries("Waiting", "short", "Events in front of the door.", [total(Metrics.doorWaiting, "eventbus.door")])
      ]
    },
    {
      title: "Connections",
      panels: [
        timeseries("Up", "short", "By what they are for, over all processes.", [
          total(Metrics.connections, "eventbus.connection")
        ]),
        timeseries("Reconnects", "reqps", "Connections that were lost and are up again.", [
          perSecond(Metrics.reconnects, "eventbus.connection")
        ]),
        timeseries("Blocked", "percentunit", "Share of the time in which the broker blocked publishers, by process.", [
          {
            query: query`max ${by("instance")} (rate(${on(Metrics.blockedTime)}[$__rate_interval]))`,
            legend: "{{instance}}"
          }
        ]),
        timeseries("Late acknowledgements", "reqps", "Dropped because their channel was gone: the events come again.", [
          perSecondOfAll(Metrics.lateAcks, "dropped")
        ])
      ]
    }
  ]
}
