/** The first look: is everything well, and if not, where to go on. */
import * as Metrics from "../../src/observe/Metrics.ts"
import { instance, job, on, percentileBy, perSecond, total, worst } from "./Boards.ts"
import { up } from "./Foreign.ts"
import { type Board, stat, timeseries } from "./Panel.ts"
import { by, query, shows } from "./Query.ts"

export const overview: Board = {
  uid: "eventbus-overview",
  title: "Event bus: overview",
  description: "Everything at a glance. Red leads to the dashboard of that part.",
  variables: [job, instance],
  rows: [
    {
      title: "Now",
      panels: [
        stat("Processes", "short", "Processes that answer the scrape.", query`sum(${on(up)})`, { alarmUpTo: 0 }),
        stat(
          "Failed subscribers",
          "short",
          "Subscribers that were given up in some process: nobody handles their events there.",
          query`sum(${on(Metrics.state, { "eventbus.state": "Failed" })})`,
          { alarmFrom: 1 }
        ),
        stat(
          "Checks down",
          "short",
          "Checks of /health that are down; below is which.",
          query`sum(${on(Metrics.health, { "eventbus.state": "down" })})`,
          { alarmFrom: 1 }
        ),
        stat(
          "Dead letters",
          "short",
          "Events that were given up and wait for somebody to decide.",
          query`sum(max ${by("eventbus.subscriber")} (${on(Metrics.deadLetters)}))`,
          { alarmFrom: 1 }
        ),
        stat(
          "Undeliverable",
          "short",
          "Delayed events that nobody wanted when they were due.",
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
          "Events a second by what became of the publish. Anything but confirmed and unrouted is a failure that the caller was told.",
          [perSecond(Metrics.publishes, "eventbus.outcome")],
          { stacked: true }
        ),
        timeseries(
          "Handled",
          "reqps",
          "Deliveries a second by what became of them. Retried and postponed ones come again.",
          [perSecond(Metrics.outcomes, "eventbus.outcome")],
          { stacked: true }
        ),
        timeseries("Handlers, 95 % within", "s", "Time that handlers ran, by subscriber.", [
          percentileBy(Metrics.processDuration, 0.95, "eventbus.subscriber")
        ])
      ]
    },
    {
      title: "Backlog and trouble",
      panels: [
        timeseries(
          "Waiting by subscriber",
          "short",
          "Ready events in each queue. A line that only rises is a subscriber that is too slow.",
          [worst(Metrics.lag, "eventbus.subscriber")]
        ),
        timeseries("Dead letters added", "reqps", "Events given up a second, by reason.", [
          perSecond(Metrics.deadLettered, "eventbus.reason")
        ]),
        timeseries(
          "Checks that are not up",
          "short",
          "Checks of /health that are degraded or down, by how many processes.",
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
          "How late the event loop was at most in 15 s: a handler that computes holds up everybody.",
          [{ query: query`max ${by("instance")} (${on(Metrics.eventLoopLag)})`, legend: "{{instance}}" }]
        ),
        timeseries("Subscribers by state", "short", "How many subscribers of all processes are in which state.", [
          total(Metrics.state, "eventbus.state")
        ]),
        timeseries("Drains", "s", "How long processes took to stop, on average; 0 while none did.", [
          {
            query: query`sum(${on(Metrics.drainDuration, {}, "_sum")}) / clamp_min(sum(${on(Metrics.drainDuration, {}, "_count")}), 1)`,
            legend: "drain"
          }
        ])
      ]
    }
  ]
}
