/** Alerts on what becomes of events: subscribers, their backlog, their failures. */
import * as Metrics from "../../src/observe/Metrics.ts"
import { type Group, label } from "./Alert.ts"
import { by, query, selecting } from "./Query.ts"

const of = selecting()
const name = "eventbus.subscriber"
const its = by("job", name)
const who = label(name)

export const subscriberAlerts: Group = {
  name: "eventbus-subscribers",
  alerts: [
    {
      name: "EventBusSubscriberFailed",
      severity: "critical",
      query: () => query`sum ${its} (${of(Metrics.state, { "eventbus.state": "Failed" })}) > 0`,
      lasting: "1 minute",
      summary: `Subscriber ${who} has failed in {{ $value }} process(es)`,
      description:
        "It lost its consumer too often without progress, or something that does not heal by itself keeps it from starting. Its events wait in its queue; nothing is lost."
    },
    {
      name: "EventBusSubscriberNoProgress",
      severity: "critical",
      // Of a queue with several consumers one that waits is well as long as another one works; one that holds
      // events and settles none is not.
      query: ({ seconds }) =>
        query`max ${its} (${of(Metrics.idleTime)} and ${of(Metrics.held)} > 0) > ${seconds("5 minutes")} or min ${its} (${of(Metrics.idleTime)}) > ${seconds("5 minutes")}`,
      lasting: "1 minute",
      summary: `Subscriber ${who} makes no progress since {{ $value | humanizeDuration }}`,
      description:
        "It holds events, or some are ready, and nothing is settled or started: handlers hang, or it is paused."
    },
    {
      name: "EventBusSubscriberLag",
      severity: "warning",
      query: ({ seconds, window }) =>
        query`max ${its} (${of(Metrics.lag)}) > 100 and max ${its} (${of(Metrics.lag)}) / sum ${its} (rate(${of(Metrics.outcomes, { "eventbus.outcome": { not: ["retried", "postponed"] } })}${window("5 minutes")})) > ${seconds("10 minutes")}`,
      lasting: "5 minutes",
      summary: `{{ $value }} events wait for subscriber ${who}`,
      description: "At the rate of the last five minutes it takes more than ten minutes to work them off."
    },
    {
      name: "EventBusSubscriberUnconsumed",
      severity: "critical",
      query: () => query`max ${its} (${of(Metrics.consumers)}) == 0 and max ${its} (${of(Metrics.lag)}) > 0`,
      lasting: "5 minutes",
      summary: `Nobody consumes the queue of subscriber ${who}`,
      description: "Events are ready, the process is there, and the broker knows of no consumer."
    },
    {
      name: "EventBusSubscriberRestarting",
      severity: "warning",
      query: ({ window }) => query`sum ${its} (increase(${of(Metrics.restarts)}${window("15 minutes")})) > 3`,
      lasting: "0 seconds",
      summary: `Subscriber ${who} keeps losing its consumer`,
      description:
        "It started again more than three times in a quarter of an hour. Eleven times without progress in ten minutes and it fails."
    },
    {
      name: "EventBusSubscriberFailing",
      severity: "warning",
      query: ({ window }) =>
        query`sum ${its} (rate(${of(Metrics.outcomes, { "eventbus.outcome": ["retried", "dead-lettered"] })}${window("10 minutes")})) / sum ${its} (rate(${of(Metrics.outcomes)}${window("10 minutes")})) > 0.5`,
      lasting: "5 minutes",
      summary: `{{ $value | humanizePercentage }} of the attempts of subscriber ${who} fail`,
      description: "Most likely something that its handler needs is down."
    },
    {
      name: "EventBusSubscriberReturning",
      severity: "warning",
      query: ({ window }) =>
        query`sum ${its} (increase(${of(Metrics.returns)}${window("15 minutes")})) > 0.2 * sum ${its} (increase(${of(Metrics.consumed)}${window("15 minutes")})) and sum ${its} (increase(${of(Metrics.returns)}${window("15 minutes")})) > 20`,
      lasting: "5 minutes",
      summary: `Subscriber ${who} gives back what it is brought`,
      description: "Each return costs an event one of its 20 lives; then the broker dead-letters it as CrashLoop."
    },
    {
      name: "EventBusZombies",
      severity: "warning",
      query: () => query`sum ${its} (${of(Metrics.zombies)}) > 0`,
      lasting: "5 minutes",
      summary: `{{ $value }} handler(s) of subscriber ${who} cannot be stopped`,
      description: "They ignore their deadline and their interruption and keep their places until the process ends."
    },
    {
      name: "EventBusParkingFull",
      severity: "warning",
      query: () => query`sum ${its} (${of(Metrics.parked)}) > 5000`,
      lasting: "5 minutes",
      summary: `{{ $value }} events of subscriber ${who} are parked`,
      description:
        "That is half of what may be; then what follows is dead-lettered as LaneFull, which gives up its order."
    },
    {
      name: "EventBusDeadLettersGrowing",
      severity: "warning",
      // The broker's own dead letters are only seen by their number.
      query: ({ ago, window }) =>
        query`sum ${its} (increase(${of(Metrics.deadLettered)}${window("15 minutes")})) > 0 or max ${its} (${of(Metrics.deadLetters)}) > max ${its} (${of(Metrics.deadLetters)} ${ago("15 minutes")})`,
      lasting: "1 minute",
      summary: `Subscriber ${who} dead-letters events`,
      description:
        "Events were given up in the last quarter of an hour. They are kept and wait to be replayed or discarded."
    },
    {
      name: "EventBusDeadLettersWaiting",
      severity: "warning",
      query: () => query`max ${its} (${of(Metrics.deadLetters)}) > 0`,
      lasting: "1 day",
      summary: `{{ $value }} dead letter(s) of subscriber ${who} wait for a decision`,
      description: "Nobody replayed or discarded them for a day."
    },
    {
      name: "EventBusUndeliverable",
      severity: "warning",
      query: () => query`max ${by("job")} (${of(Metrics.undeliverable)}) > 0`,
      lasting: "1 minute",
      summary: "{{ $value }} delayed event(s) found nobody who wanted them",
      description:
        "When they were due no subscriber was bound to them. They are kept in the queue of what is undeliverable."
    }
  ]
}
