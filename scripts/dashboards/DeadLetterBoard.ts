/** What was given up, what is on its way to it, and whether anybody looks. */
import * as Metrics from "../../src/observe/Metrics.ts"
import { instance, job, on, percentileBy, perSecond, perSecondOfAll, subscriber, worst } from "./Boards.ts"
import { type Board, stat, timeseries } from "./Panel.ts"
import { by, query, shows } from "./Query.ts"

const name = "eventbus.subscriber"
const final = { "eventbus.outcome": { not: ["retried", "postponed"] } } as const

export const deadLetterBoard: Board = {
  uid: "eventbus-dead-letters",
  title: "Event bus: dead letters",
  description: "Events that were given up, by subscriber and reason, and the retries that lead there.",
  variables: [job, instance, subscriber],
  rows: [
    {
      title: "Now",
      panels: [
        stat(
          "Dead letters",
          "short",
          "They wait for somebody to replay or discard them.",
          query`sum(max ${by(name)} (${on(Metrics.deadLetters)}))`,
          {
            alarmFrom: 1
          }
        ),
        stat("Added", "short", "In what is shown.", query`sum(increase(${on(Metrics.deadLettered)}[$__range]))`, {
          alarmFrom: 1
        }),
        stat(
          "Share of all events",
          "percentunit",
          "Of what was settled for good in what is shown.",
          query`sum(increase(${on(Metrics.deadLettered)}[$__range])) / clamp_min(sum(increase(${on(Metrics.outcomes, final)}[$__range])), 1)`,
          { alarmFrom: 0.01 }
        ),
        stat(
          "Undeliverable",
          "short",
          "Delayed events that nobody wanted when they were due.",
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
        timeseries("In the queues", "short", "Dead letters of each subscriber, looked at every 15 s.", [
          worst(Metrics.deadLetters, name)
        ]),
        timeseries(
          "Added, by reason",
          "reqps",
          "Exhausted: the retries ended. Rejected: the handler said so. Invalid: it could not be read. CrashLoop: processes die of it.",
          [perSecond(Metrics.deadLettered, "eventbus.reason")]
        ),
        timeseries("Added, by subscriber and reason", "short", "How many in what is shown.", [
          {
            query: query`sum ${by(name, "eventbus.reason")} (increase(${on(Metrics.deadLettered)}[$__range])) > 0`,
            legend: `${shows(name)}: ${shows("eventbus.reason")}`,
            quiet: true
          }
        ])
      ]
    },
    {
      title: "On the way",
      panels: [
        timeseries("Retries", "reqps", "Failed attempts that will be tried again.", [perSecond(Metrics.retries, name)]),
        timeseries("Attempts, 95 % within", "short", "Which attempt it was that failed and will be tried again.", [
          percentileBy(Metrics.retryDepth, 0.95, name)
        ]),
        timeseries(
          "Lateness of the delay ladder",
          "s",
          "How late the last canary came: retries and delayed events are as late.",
          [{ query: query`max ${by("instance")} (${on(Metrics.delayLateness)})`, legend: "{{instance}}" }]
        ),
        timeseries("Failures that nobody saw", "reqps", "Entries of the failure stream that a slow reader missed.", [
          perSecondOfAll(Metrics.failuresDropped, "missed")
        ])
      ]
    }
  ]
}
