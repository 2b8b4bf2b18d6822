/** The first dashboard to look at: whether everything is fine, and if not, which dashboard has the details. */
import * as Metrics from "../../src/observe/Metrics.ts"
import { instance, job, on, percentileBy, perSecond, total, worst } from "./Boards.ts"
import { up } from "./Foreign.ts"
import { type Board, stat, timeseries } from "./Panel.ts"
import { by, query, shows } from "./Query.ts"

export const overview: Board = {
  uid: "eventbus-overview",
  title: "Event bus: overview",
  description: "Everything at a glance. For anything red, continue with the dashboard of that component.",
  variables: [job, instance],
  rows: [
    {
      title: "Now",
      panels: [
        stat("Processes", "short", "Processes that Prometheus can scrape.", query`sum(${on(up)})`, { alarmUpTo: 0 }),
        stat(
          "Failed subscribers",
          "short",
          "Subscribers that failed in some process, which no longer handles their events.",
          query`sum(${on(Metrics.state, { "eventbus.state": "Failed" })})`,
          { alarmFrom: 1 }
        ),
        stat(
          "Checks down",
          "short",
          "Checks of /health that are down. The panel below shows which.",
          query`sum(${on(Metrics.health, { "eventbus.state": "down" })})`,
          { alarmFrom: 1 }
        ),
        stat(
          "Dead letters",
          "short",
          "Dead letters waiting to be replayed or discarded.",
          query`sum(max ${by("eventbus.subscriber")} (${on(Metrics.deadLetters)}))`,
          { alarmFrom: 1 }
        ),
        stat(
          "Undeliverable",
          "short",
          "Delayed events that matched no subscriber when they were due.",
          query`max(${on(Metrics.undeliverable)})`,
          { alarmFrom: 1 }
        ),
        stat(
          "Waiting in queues",
          "short",
          "Ready events in the queues of all subscribers.",
          query`sum(max ${by("eventbus.subscriber")} (${on(Metrics.lag)}))`,
          { alarmFrom: 10_000 }
        )
      ]
    },
    {
      title: "Flow",
      panels: [
        timeseries(
          "Published",
          "reqps",
          "Publishes per second by outcome. Anything but confirmed and unrouted is a failure that the caller received.",
          [perSecond(Metrics.publishes, "eventbus.outcome")],
          { stacked: true }
        ),
        timeseries(
          "Handled",
          "reqps",
          "Settled deliveries per second by outcome. Retried and postponed events are delivered again.",
          [perSecond(Metrics.outcomes, "eventbus.outcome")],
          { stacked: true }
        ),
        timeseries("Handlers, 95th percentile", "s", "Run time of handlers, by subscriber.", [
          percentileBy(Metrics.processDuration, 0.95, "eventbus.subscriber")
        ])
      ]
    },
    {
      title: "Backlog and failures",
      panels: [
        timeseries(
          "Waiting by subscriber",
          "short",
          "Ready events in each queue. A line that only rises means that the subscriber is too slow.",
          [worst(Metrics.lag, "eventbus.subscriber")]
        ),
        timeseries("Dead letters added", "reqps", "Dead-lettered events per second, by reason.", [
          perSecond(Metrics.deadLettered, "eventbus.reason")
        ]),
        timeseries(
          "Checks not up",
          "short",
          "Checks of /health that are degraded or down, with the number of processes.",
          [
            {
              query: query`sum ${by("eventbus.check", "eventbus.state")} (${on(Metrics.health, { "eventbus.state": { not: "up" } })}) > 0`,
              legend: `${shows("eventbus.check")}: ${shows("eventbus.state")}`,
              quiet: true
            }
          ]
        )
      ]
    },
    {
      title: "Processes",
      panels: [
        timeseries(
          "Event loop",
          "s",
          "Longest delay of the event loop in 15 s. A handler that computes delays everything else in its process.",
          [{ query: query`max ${by("instance")} (${on(Metrics.eventLoopLag)})`, legend: "{{instance}}" }]
        ),
        timeseries("Subscribers by state", "short", "Number of subscribers in each state, over all processes.", [
          total(Metrics.state, "eventbus.state")
        ]),
        timeseries("Drains", "s", "Average duration of a drain; 0 if no process has drained.", [
          {
            query: query`sum(${on(Metrics.drainDuration, {}, "_sum")}) / clamp_min(sum(${on(Metrics.drainDuration, {}, "_count")}), 1)`,
            legend: "drain"
          }
        ])
      ]
    }
  ]
}
