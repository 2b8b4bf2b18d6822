/** Alerts on the targets of Prometheus, on RabbitMQ and on Redis, by what they tell of themselves. */
import { type Group, label } from "./Alert.ts"
import { rabbitmq, redis, up } from "./Foreign.ts"
import { by, query, selecting } from "./Query.ts"

const of = selecting()
const ofNode = by("job", "instance")

export const serverAlerts: Group = {
  name: "eventbus-servers",
  alerts: [
    {
      name: "EventBusTargetDown",
      severity: "critical",
      query: () => query`${of(up)} == 0`,
      lasting: "1 minute",
      summary: `${label("job")} at ${label("instance")} does not answer`,
      description: "The process is gone, hangs, or cannot be reached: nothing is known of it."
    },
    {
      name: "EventBusBrokerAlarm",
      severity: "critical",
      query: () =>
        query`max ${ofNode} (${of(rabbitmq.memoryAlarm)}) > 0 or max ${ofNode} (${of(rabbitmq.diskAlarm)}) > 0`,
      lasting: "1 minute",
      summary: `RabbitMQ at ${label("instance")} has an alarm`,
      description: "It is out of memory or disk, and every publisher of the cluster is blocked."
    },
    {
      name: "EventBusBrokerMemory",
      severity: "warning",
      query: () => query`${of(rabbitmq.memory)} > 0.8 * ${of(rabbitmq.memoryLimit)}`,
      lasting: "10 minutes",
      summary: `RabbitMQ at ${label("instance")} comes near its memory limit`,
      description: "At the limit it blocks every publisher of the cluster."
    },
    {
      name: "EventBusBrokerDisk",
      severity: "warning",
      query: () => query`${of(rabbitmq.disk)} < 2 * ${of(rabbitmq.diskLimit)}`,
      lasting: "10 minutes",
      summary: `RabbitMQ at ${label("instance")} comes near its disk limit`,
      description: "At the limit it blocks every publisher of the cluster."
    },
    {
      name: "EventBusRedisDown",
      severity: "warning",
      query: () => query`${of(redis.up)} == 0`,
      lasting: "1 minute",
      summary: "Redis does not answer its exporter",
      description: "The services work on with what they remember by themselves."
    },
    {
      name: "EventBusRedisMemory",
      severity: "warning",
      // Without a limit it is 0.
      query: () => query`${of(redis.memory)} > 0.9 * ${of(redis.maxMemory)} and ${of(redis.maxMemory)} > 0`,
      lasting: "10 minutes",
      summary: `Redis at ${label("instance")} is full`,
      description: "At its limit it refuses writes or evicts keys: last known events and marks of duplicates get lost."
    }
  ]
}
