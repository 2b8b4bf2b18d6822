/** One subscriber from its queue to its handlers: what waits, what runs, what fails. */
import * as Metrics from "../../src/observe/Metrics.ts"
import { instance, job, on, percentileBy, percentiles, perSecond, subscriber, total, worst } from "./Boards.ts"
import { type Board, stat, timeseries } from "./Panel.ts"
import { by, query, shows } from "./Query.ts"

const name = "eventbus.subscriber"

export const subscriberBoard: Board = {
  uid: "eventbus-subscriber",
  title: "Event bus: subscriber",
  description: "What waits for a subscriber, how it is handled, and how it fails.",
  variables: [job, instance, subscriber],
  rows: [
    {
      title: "Now",
      panels: [
        stat(
          "Running",
          "short",
          "Running consumers in all processes.",
          query`sum(${on(Metrics.state, { "eventbus.state": "Running" })})`,
          {
            alarmUpTo: 0
          }
        ),
        stat(
          "Failed",
          "short",
          "Processes in which the subscriber failed: it lost its consumer too often without progress.",
          query`sum(${on(Metrics.state, { "eventbus.state": "Failed" })})`,
          {
            alarmFrom: 1
          }
        ),
        stat("Waiting", "short", "Ready events in the queue.", query`sum(max ${by(name)} (${on(Metrics.lag)}))`),
        stat(
          "Consumers",
          "short",
          "Consumers of the queue, as counted by the broker.",
          query`sum(max ${by(name)} (${on(Metrics.consumers)}))`,
          {
            alarmUpTo: 0
          }
        ),
        stat(
          "Oldest held",
          "s",
          "Age of the oldest event that is delivered but not settled.",
          query`max(${on(Metrics.oldest)})`
        ),
        stat(
          "No progress for",
          "s",
          "Time during which a process has neither settled nor started anything although it holds events or some are ready.",
          query`max(${on(Metrics.idleTime)})`,
          {
            alarmFrom: 300
          }
        ),
        stat(
          "Zombies",
          "short",
          "Handlers that ignored both their deadline and their interruption. Only a restart of the process ends them.",
          query`sum(${on(Metrics.zombies)})`,
          {
            alarmFrom: 1
          }
        )
      ]
    },
    {
      title: "Handling",
      panels: [
        timeseries(
          "Outcomes",
          "reqps",
          "Settled deliveries per second, by outcome.",
          [perSecond(Metrics.outcomes, "eventbus.outcome")],
          {
            stacked: true
          }
        ),
        timeseries(
          "Run time of handlers",
          "s",
          "All attempts, including failed ones.",
          percentiles(Metrics.processDuration)
        ),
        timeseries("Failed attempts", "reqps", "By the tag of the error.", [
          {
            query: query`sum ${by("error.type")} (rate(${on(Metrics.processDuration, { "error.type": { not: "" } }, "_count")}[$__rate_interval]))`,
            legend: shows("error.type")
          }
        ])
      ]
    },
    {
      title: "The queue",
      panels: [
        timeseries("Waiting", "short", "Ready events in the queue, measured every 15 s.", [worst(Metrics.lag, name)]),
        timeseries(
          "Delivered and returned",
          "reqps",
          "Deliveries per second. After 20 returns an event is dead-lettered as CrashLoop.",
          [
            { query: query`sum(rate(${on(Metrics.consumed)}[$__rate_interval]))`, legend: "delivered" },
            { query: query`sum(rate(${on(Metrics.redelivered)}[$__rate_interval]))`, legend: "redelivered" },
            { query: query`sum(rate(${on(Metrics.returns)}[$__rate_interval]))`, legend: "returned" },
            { query: query`sum(rate(${on(Metrics.unsigned)}[$__rate_interval]))`, legend: "unsigned" },
            { query: query`sum(rate(${on(Metrics.droppedHeaders)}[$__rate_interval]))`, legend: "headers dropped" },
            { query: query`sum(rate(${on(Metrics.foreignSubjects)}[$__rate_interval]))`, legend: "foreign subjects" }
          ]
        ),
        timeseries(
          "Oldest held",
          "s",
          "Age of the oldest event that is delivered but not settled. With ordering by key it includes the time that an event blocks its key.",
          [worst(Metrics.oldest, name)]
        )
      ]
    },
    {
      title: "In the process",
      panels: [
        timeseries("Held", "short", "Deliveries held by the process, running or waiting.", [total(Metrics.held, name)]),
        timeseries("Running", "short", "Running handlers.", [total(Metrics.inFlight, name)]),
        timeseries("Lanes", "short", "Keys with at least one held event; 0 without ordering.", [
          total(Metrics.lanes, name)
        ]),
        timeseries(
          "Parked",
          "short",
          "Events that wait in order until their key may continue. At 10,000, further events are dead-lettered.",
          [total(Metrics.parked, name)]
        ),
        timeseries("No progress for", "s", "Time since anything was settled or started while there is work.", [
          worst(Metrics.idleTime, name)
        ])
      ]
    },
    {
      title: "Failures",
      panels: [
        timeseries("Retries", "reqps", "Failed attempts that will be retried.", [perSecond(Metrics.retries, name)]),
        timeseries("Attempts, 95th percentile", "short", "Number of the failed attempt that will be retried.", [
          percentileBy(Metrics.retryDepth, 0.95, name)
        ]),
        timeseries("Dead-lettered", "reqps", "Dead-lettered events by reason.", [
          perSecond(Metrics.deadLettered, "eventbus.reason")
        ]),
        timeseries("Restarts", "short", "Restarts after the consumer was lost, in the selected time range.", [
          { query: query`sum ${by(name)} (increase(${on(Metrics.restarts)}[$__range]))`, legend: shows(name) }
        ])
      ]
    }
  ]
}
