/** Alerts on the targets of Prometheus, and on RabbitMQ and Redis by their own metrics. */
import { type Group, label } from "./Alert.ts"
import { rabbitmq, redis, up } from "./Foreign.ts"
import { by, query, selecting } from "./Query.ts"

const on = selecting()
const byNode = by("job", "instance")

export const serverAlerts: Group = {
  name: "eventbus-servers",
  alerts: [
    {
      name: "EventBusTargetDown",
      severity: "critical",
      query: () => query`${on(up)} == 0`,
      lasting: "1 minute",
      summary: `${label("job")} at ${label("instance")} does not answer`,
      description: "The process has ended, hangs or is unreachable. Its state is unknown."
    },
    {
      name: "EventBusBrokerAlarm",
      severity: "critical",
      query: () =>
        query`max ${byNode} (${on(rabbitmq.memoryAlarm)}) > 0 or max ${byNode} (${on(rabbitmq.diskAlarm)}) > 0`,
      lasting: "1 minute",
      summary: `RabbitMQ at ${label("instance")} has an alarm`,
      description: "RabbitMQ is out of memory or disk, and every publisher of the cluster is blocked."
    },
    {
      name: "EventBusBrokerMemory",
      severity: "warning",
      query: () => query`${on(rabbitmq.memory)} > 0.8 * ${on(rabbitmq.memoryLimit)}`,
      lasting: "10 minutes",
      summary: `RabbitMQ at ${label("instance")} is close to its memory limit`,
      description: "At the limit RabbitMQ blocks every publisher of the cluster."
    },
    {
      name: "EventBusBrokerDisk",
      severity: "warning",
      query: () => query`${on(rabbitmq.disk)} < 2 * ${on(rabbitmq.diskLimit)}`,
      lasting: "10 minutes",
      summary: `RabbitMQ at ${label("instance")} is close to its disk limit`,
      description: "At the limit RabbitMQ blocks every publisher of the cluster."
    },
    {
      name: "EventBusBrokerFiles",
      severity: "warning",
      // Before 4.0 RabbitMQ reserves three handles for each quorum queue, and counts none of them as open.
      query: () =>
        query`${on(rabbitmq.openFiles)} > 0.8 * ${on(rabbitmq.maxFiles)} or 3 * ${on(rabbitmq.queues)} > 0.5 * ${on(rabbitmq.maxFiles)}`,
      lasting: "5 minutes",
      summary: `RabbitMQ at ${label("instance")} is close to its limit of open files`,
      description:
        "Its queues and connections need more file handles than the node may have before long. RabbitMQ 3.10 then accepts connections, never answers them and logs nothing."
    },
    {
      name: "EventBusRedisDown",
      severity: "warning",
      query: () => query`${on(redis.up)} == 0`,
      lasting: "1 minute",
      summary: "Redis does not answer its exporter",
      description: "The services continue with what each process remembers itself."
    },
    {
      name: "EventBusRedisMemory",
      severity: "warning",
      // The limit is 0 if there is none.
      query: () => query`${on(redis.memory)} > 0.9 * ${on(redis.maxMemory)} and ${on(redis.maxMemory)} > 0`,
      lasting: "10 minutes",
      summary: `Redis at ${label("instance")} is full`,
      description:
        "At its limit Redis refuses writes or evicts keys: last known events and the records that detect duplicates are lost."
    }
  ]
}
