/** One subscriber from its queue to its handlers: what waits, what runs, what fails. */
import * as Metrics from "../../src/observe/Metrics.ts"
import { instance, job, on, percentileBy, percentiles, perSecond, subscriber, total, worst } from "./Boards.ts"
import { type Board, stat, timeseries } from "./Panel.ts"
import { by, query, shows } from "./Query.ts"

const name = "eventbus.subscriber"

export const subscriberBoard: Board = {
  uid: "eventbus-subscriber",
  title: "Event bus: subscriber",
  description: "What waits for a subscriber, how it handles it, and what it fails with.",
  variables: [job, instance, subscriber],
  rows: [
    {
      title: "Now",
      panels: [
        stat(
          "Running",
          "short",
          "Consumers that are running, of all processes.",
          query`sum(${on(Metrics.state, { "eventbus.state": "Running" })})`,
          {
            alarmUpTo: 0
          }
        ),
        stat(
          "Failed",
          "short",
          "Given up: it has lost its consumer too often without progress.",
          query`sum(${on(Metrics.state, { "eventbus.state": "Failed" })})`,
          {
            alarmFrom: 1
          }
        ),
        stat("Waiting", "short", "Ready events in the queue.", query`sum(max ${by(name)} (${on(Metrics.lag)}))`),
        stat(
          "Consumers",
          "short",
          "Of the queue, as the broker counts them.",
          query`sum(max ${by(name)} (${on(Metrics.consumers)}))`,
          {
            alarmUpTo: 0
          }
        ),
        stat(
          "Oldest held",
          "s",
          "Age of the oldest event that is delivered and not settled.",
          query`max(${on(Metrics.oldest)})`
        ),
        stat(
          "No progress for",
          "s",
          "How long a process has settled and started nothing although it holds events or some are ready.",
          query`max(${on(Metrics.idleTime)})`,
          {
            alarmFrom: 300
          }
        ),
        stat(
          "Zombies",
          "short",
          "Handlers that ignore their deadline and their interruption. Only a restart ends them.",
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
          "What became of deliveries, a second.",
          [perSecond(Metrics.outcomes, "eventbus.outcome")],
          {
            stacked: true
          }
        ),
        timeseries("Time of a handler", "s", "Of all attempts, failed ones too.", percentiles(Metrics.processDuration)),
        timeseries("Failed attempts", "reqps", "By the tag of the error that the handler failed with.", [
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
        timeseries("Waiting", "short", "Ready events in the queue, looked at every 15 s.", [worst(Metrics.lag, name)]),
        timeseries(
          "Delivered and returned",
          "reqps",
          "Deliveries a second. What comes back unsettled costs an event one of its 20 lives.",
          [
            { query: query`sum(rate(${on(Metrics.consumed)}[$__rate_interval]))`, legend: "delivered" },
            { query: query`sum(rate(${on(Metrics.redelivered)}[$__rate_interval]))`, legend: "delivered again" },
            { query: query`sum(rate(${on(Metrics.returns)}[$__rate_interval]))`, legend: "given back" }
          ]
        ),
        timeseries(
          "Oldest held",
          "s",
          "Age of the oldest event that is delivered and not settled. By key it grows with what holds the key.",
          [worst(Metrics.oldest, name)]
        )
      ]
    },
    {
      title: "In the process",
      panels: [
        timeseries("Held", "short", "Deliveries held, running or waiting.", [total(Metrics.held, name)]),
        timeseries("Running", "short", "Handlers at work.", [total(Metrics.inFlight, name)]),
        timeseries("Lanes", "short", "Keys of which an event is held; 0 without order.", [total(Metrics.lanes, name)]),
        timeseries(
          "Parked",
          "short",
          "Events that wait, in order, until their key may go on; at 10,000 what follows is dead-lettered.",
          [total(Metrics.parked, name)]
        ),
        timeseries("No progress for", "s", "How long nothing was settled or started although there is work.", [
          worst(Metrics.idleTime, name)
        ])
      ]
    },
    {
      title: "Failure",
      panels: [
        timeseries("Retries", "reqps", "Failed attempts that will be tried again.", [perSecond(Metrics.retries, name)]),
        timeseries("Attempts, 95 % within", "short", "Which attempt it was that failed and will be tried again.", [
          percentileBy(Metrics.retryDepth, 0.95, name)
        ]),
        timeseries("Dead-lettered", "reqps", "Events given up, by reason.", [
          perSecond(Metrics.deadLettered, "eventbus.reason")
        ]),
        timeseries("Restarts", "short", "Times that it lost its consumer and started again, in what is shown.", [
          { query: query`sum ${by(name)} (increase(${on(Metrics.restarts)}[$__range]))`, legend: shows(name) }
        ])
      ]
    }
  ]
}
