/** Alerts on subscribers, their backlog and their failures. */
import * as Metrics from "../../src/observe/Metrics.ts"
import { type Group, label } from "./Alert.ts"
import { by, query, selecting } from "./Query.ts"

const on = selecting()
const name = "eventbus.subscriber"
const bySubscriber = by("job", name)
const subscriber = label(name)

export const subscriberAlerts: Group = {
  name: "eventbus-subscribers",
  alerts: [
    {
      name: "EventBusSubscriberFailed",
      severity: "critical",
      query: () => query`sum ${bySubscriber} (${on(Metrics.state, { "eventbus.state": "Failed" })}) > 0`,
      lasting: "1 minute",
      summary: `Subscriber ${subscriber} has failed in {{ $value }} process(es)`,
      description:
        "It lost its consumer too often without progress, or an error that does not resolve itself keeps it from starting. Its events wait in its queue. Nothing is lost."
    },
    {
      name: "EventBusSubscriberNoProgress",
      severity: "critical",
      // Of several consumers, one that only waits is fine while another one works; one that holds events and settles
      // none is not.
      query: ({ seconds }) =>
        query`max ${bySubscriber} (${on(Metrics.idleTime)} and ${on(Metrics.held)} > 0) > ${seconds("5 minutes")} or min ${bySubscriber} (${on(Metrics.idleTime)}) > ${seconds("5 minutes")}`,
      lasting: "1 minute",
      summary: `Subscriber ${subscriber} has made no progress for {{ $value | humanizeDuration }}`,
      description:
        "It holds events, or some are ready, but nothing is settled or started: its handlers hang, or it is paused."
    },
    {
      name: "EventBusSubscriberLag",
      severity: "warning",
      query: ({ seconds, window }) =>
        query`max ${bySubscriber} (${on(Metrics.lag)}) > 100 and max ${bySubscriber} (${on(Metrics.lag)}) / sum ${bySubscriber} (rate(${on(Metrics.outcomes, { "eventbus.outcome": { not: ["retried", "postponed"] } })}${window("5 minutes")})) > ${seconds("10 minutes")}`,
      lasting: "5 minutes",
      summary: `{{ $value }} events wait for subscriber ${subscriber}`,
      description: "At the rate of the last five minutes it takes more than ten minutes to handle them."
    },
    {
      name: "EventBusSubscriberUnconsumed",
      severity: "critical",
      query: () =>
        query`max ${bySubscriber} (${on(Metrics.consumers)}) == 0 and max ${bySubscriber} (${on(Metrics.lag)}) > 0`,
      lasting: "5 minutes",
      summary: `No process consumes the queue of subscriber ${subscriber}`,
      description: "Events are ready and the process runs, but the broker has no consumer."
    },
    {
      name: "EventBusSubscriberGone",
      severity: "warning",
      query: ({ window }) =>
        query`count ${bySubscriber} (max_over_time(${on(Metrics.state)}${window("6 hours")})) unless count ${bySubscriber} (${on(Metrics.state)})`,
      lasting: "10 minutes",
      summary: `No process runs subscriber ${subscriber} any more`,
      description:
        "It ran within the last six hours. Its queue is still bound, so events wait there until a process runs it again or it is retired."
    },
    {
      name: "EventBusSubscriberRestarting",
      severity: "warning",
      query: ({ window }) => query`sum ${bySubscriber} (increase(${on(Metrics.restarts)}${window("15 minutes")})) > 3`,
      lasting: "0 seconds",
      summary: `Subscriber ${subscriber} keeps losing its consumer`,
      description:
        "It restarted more than three times within 15 minutes. After eleven restarts without progress within ten minutes it fails."
    },
    {
      name: "EventBusSubscriberFailing",
      severity: "warning",
      query: ({ window }) =>
        query`sum ${bySubscriber} (rate(${on(Metrics.outcomes, { "eventbus.outcome": ["retried", "dead-lettered"] })}${window("10 minutes")})) / sum ${bySubscriber} (rate(${on(Metrics.outcomes)}${window("10 minutes")})) > 0.5`,
      lasting: "5 minutes",
      summary: `{{ $value | humanizePercentage }} of the attempts of subscriber ${subscriber} fail`,
      description: "Most likely a dependency of its handler is down."
    },
    {
      name: "EventBusSubscriberReturning",
      severity: "warning",
      query: ({ window }) =>
        query`sum ${bySubscriber} (increase(${on(Metrics.returns)}${window("15 minutes")})) > 0.2 * sum ${bySubscriber} (increase(${on(Metrics.consumed)}${window("15 minutes")})) and sum ${bySubscriber} (increase(${on(Metrics.returns)}${window("15 minutes")})) > 20`,
      lasting: "5 minutes",
      summary: `Subscriber ${subscriber} returns its deliveries`,
      description: "After 20 returns the broker dead-letters an event as CrashLoop."
    },
    {
      name: "EventBusZombies",
      severity: "warning",
      query: () => query`sum ${bySubscriber} (${on(Metrics.zombies)}) > 0`,
      lasting: "5 minutes",
      summary: `{{ $value }} handler(s) of subscriber ${subscriber} cannot be stopped`,
      description:
        "They ignored both their deadline and their interruption, and occupy their slots until the process ends."
    },
    {
      name: "EventBusParkingFull",
      severity: "warning",
      query: () => query`sum ${bySubscriber} (${on(Metrics.parked)}) > 5000`,
      lasting: "5 minutes",
      summary: `{{ $value }} events of subscriber ${subscriber} are parked`,
      description:
        "That is half of the limit. At the limit, keys hold up others, and events may be dead-lettered as LaneFull."
    },
    {
      name: "EventBusDeadLettersGrowing",
      severity: "warning",
      // Events that the broker itself dead-letters are visible only in the length of the queue.
      query: ({ ago, window }) =>
        query`sum ${bySubscriber} (increase(${on(Metrics.deadLettered)}${window("15 minutes")})) > 0 or max ${bySubscriber} (${on(Metrics.deadLetters)}) > max ${bySubscriber} (${on(Metrics.deadLetters)} ${ago("15 minutes")})`,
      lasting: "1 minute",
      summary: `Subscriber ${subscriber} dead-letters events`,
      description:
        "Events were dead-lettered within the last 15 minutes. They are kept until they are replayed or discarded."
    },
    {
      name: "EventBusDeadLettersWaiting",
      severity: "warning",
      query: () => query`max ${bySubscriber} (${on(Metrics.deadLetters)}) > 0`,
      lasting: "1 day",
      summary: `{{ $value }} dead letter(s) of subscriber ${subscriber} are waiting`,
      description: "They have not been replayed or discarded for a day."
    },
    {
      name: "EventBusUndeliverable",
      severity: "warning",
      query: () => query`max ${by("job")} (${on(Metrics.undeliverable)}) > 0`,
      lasting: "1 minute",
      summary: "{{ $value }} delayed event(s) could not be delivered",
      description:
        "When they were due, no subscriber was bound to them. They are kept in the queue of undeliverable events."
    }
  ]
}
