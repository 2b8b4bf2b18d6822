/** Dead letters, the retries that lead to them, and failures that no reader of the failure stream saw. */
import * as Metrics from "../../src/observe/Metrics.ts"
import { instance, job, on, percentileBy, perSecond, perSecondOfAll, subscriber, worst } from "./Boards.ts"
import { type Board, stat, timeseries } from "./Panel.ts"
import { by, query, shows } from "./Query.ts"

const name = "eventbus.subscriber"
const final = { "eventbus.outcome": { not: ["retried", "postponed"] } } as const

export const deadLetterBoard: Board = {
  uid: "eventbus-dead-letters",
  title: "Event bus: dead letters",
  description: "Dead-lettered events by subscriber and reason, and the retries that lead to them.",
  variables: [job, instance, subscriber],
  rows: [
    {
      title: "Now",
      panels: [
        stat(
          "Dead letters",
          "short",
          "Dead letters waiting to be replayed or discarded.",
          query`sum(max ${by(name)} (${on(Metrics.deadLetters)}))`,
          {
            alarmFrom: 1
          }
        ),
        stat(
          "Added",
          "short",
          "Dead letters added in the selected time range.",
          query`sum(increase(${on(Metrics.deadLettered)}[$__range]))`,
          {
            alarmFrom: 1
          }
        ),
        stat(
          "Share of all events",
          "percentunit",
          "Share of dead letters among all events settled for good in the selected time range.",
          query`sum(increase(${on(Metrics.deadLettered)}[$__range])) / clamp_min(sum(increase(${on(Metrics.outcomes, final)}[$__range])), 1)`,
          { alarmFrom: 0.01 }
        ),
        stat(
          "Undeliverable",
          "short",
          "Delayed events that matched no subscriber when they were due.",
          query`max(${on(Metrics.undeliverable)})`,
          {
            alarmFrom: 1
          }
        )
      ]
    },
    {
      title: "Dead letters",
      panels: [
        timeseries("In the queues", "short", "Dead letters of each subscriber, measured every 15 s.", [
          worst(Metrics.deadLetters, name)
        ]),
        timeseries(
          "Added, by reason",
          "reqps",
          "Exhausted: all retries failed. Rejected: the handler rejected the event. Invalid: the event could not be decoded. CrashLoop: the event keeps crashing processes.",
          [perSecond(Metrics.deadLettered, "eventbus.reason")]
        ),
        timeseries("Added, by subscriber and reason", "short", "Dead letters added in the selected time range.", [
          {
            query: query`sum ${by(name, "eventbus.reason")} (increase(${on(Metrics.deadLettered)}[$__range])) > 0`,
            legend: `${shows(name)}: ${shows("eventbus.reason")}`,
            quiet: true
          }
        ])
      ]
    },
    {
      title: "Retries and delays",
      panels: [
        timeseries("Retries", "reqps", "Failed attempts that will be retried.", [perSecond(Metrics.retries, name)]),
        timeseries("Attempts, 95th percentile", "short", "Number of the failed attempt that will be retried.", [
          percentileBy(Metrics.retryDepth, 0.95, name)
        ]),
        timeseries(
          "Lateness of the delay ladder",
          "s",
          "Delay of the last canary message. Retries and delayed events are equally late.",
          [{ query: query`max ${by("instance")} (${on(Metrics.delayLateness)})`, legend: "{{instance}}" }]
        ),
        timeseries("Missed failures", "reqps", "Entries of the failure stream that a slow reader missed.", [
          perSecondOfAll(Metrics.failuresDropped, "missed")
        ])
      ]
    }
  ]
}
