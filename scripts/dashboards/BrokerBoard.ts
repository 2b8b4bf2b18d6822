/** RabbitMQ and Redis, as they tell of themselves and as the services see them. */
import * as Metrics from "../../src/observe/Metrics.ts"
import { everywhere, instance, job, on, perSecond, perSecondOfAll, total } from "./Boards.ts"
import { rabbitmq, redis } from "./Foreign.ts"
import { type Board, stat, timeseries } from "./Panel.ts"
import { byForeign, by, query, shows } from "./Query.ts"

export const brokerBoard: Board = {
  uid: "eventbus-broker",
  title: "Event bus: broker and Redis",
  description: "RabbitMQ by its Prometheus plugin, Redis by its exporter, and both as the services see them.",
  variables: [job, instance],
  rows: [
    {
      title: "RabbitMQ now",
      panels: [
        stat(
          "Memory alarm",
          "short",
          "1: publishers are blocked until there is memory again.",
          query`max(${everywhere(rabbitmq.memoryAlarm)})`,
          {
            alarmFrom: 1
          }
        ),
        stat(
          "Disk alarm",
          "short",
          "1: publishers are blocked until there is disk again.",
          query`max(${everywhere(rabbitmq.diskAlarm)})`,
          {
            alarmFrom: 1
          }
        ),
        stat(
          "Memory",
          "percentunit",
          "Of what it may use before it blocks publishers, on the fullest node.",
          query`max(${everywhere(rabbitmq.memory)} / ${everywhere(rabbitmq.memoryLimit)})`,
          {
            alarmFrom: 0.8
          }
        ),
        stat("Ready", "short", "Messages in all queues.", query`sum(${everywhere(rabbitmq.ready)})`),
        stat("Connections", "short", "Of all clients.", query`sum(${everywhere(rabbitmq.connections)})`)
      ]
    },
    {
      title: "RabbitMQ",
      panels: [
        timeseries("Memory", "bytes", "Per node, and where it blocks publishers.", [
          { query: query`max ${by("instance")} (${everywhere(rabbitmq.memory)})`, legend: "{{instance}}" },
          { query: query`min(${everywhere(rabbitmq.memoryLimit)})`, legend: "blocks from here" }
        ]),
        timeseries("Disk", "bytes", "Free, per node, and where it blocks publishers.", [
          { query: query`min ${by("instance")} (${everywhere(rabbitmq.disk)})`, legend: "{{instance}}" },
          { query: query`max(${everywhere(rabbitmq.diskLimit)})`, legend: "blocks below" }
        ]),
        timeseries("Messages", "short", "In all queues, dead letters included.", [
          { query: query`sum(${everywhere(rabbitmq.ready)})`, legend: "ready" },
          { query: query`sum(${everywhere(rabbitmq.unacknowledged)})`, legend: "unacknowledged" }
        ])
      ]
    },
    {
      title: "Clients of RabbitMQ",
      panels: [
        timeseries("Objects", "short", "A line that only rises is a leak.", [
          { query: query`sum(${everywhere(rabbitmq.connections)})`, legend: "connections" },
          { query: query`sum(${everywhere(rabbitmq.channels)})`, legend: "channels" },
          { query: query`sum(${everywhere(rabbitmq.consumers)})`, legend: "consumers" },
          { query: query`sum(${everywhere(rabbitmq.queues)})`, legend: "queues" }
        ]),
        timeseries("Connections opened and closed", "reqps", "Many of both: a client connects and loses it again.", [
          { query: query`sum(rate(${everywhere(rabbitmq.opened)}[$__rate_interval]))`, legend: "opened" },
          { query: query`sum(rate(${everywhere(rabbitmq.closed)}[$__rate_interval]))`, legend: "closed" }
        ]),
        timeseries("Connections of the services", "short", "As the services see them, by what they are for.", [
          total(Metrics.connections, "eventbus.connection")
        ]),
        timeseries("Lateness of the delay ladder", "s", "How late the last canary came, as the worst process saw it.", [
          { query: query`max(${on(Metrics.delayLateness)})`, legend: "late" }
        ])
      ]
    },
    {
      title: "Redis now",
      panels: [
        stat("Up", "short", "Whether the exporter reaches Redis.", query`min(${everywhere(redis.up)})`, {
          alarmUpTo: 0
        }),
        stat(
          "Cache is not up",
          "short",
          "Processes for which Redis is degraded or away. Events are not held up by it.",
          query`sum(${on(Metrics.health, { "eventbus.check": "cache", "eventbus.state": { not: "up" } })})`,
          {
            alarmFrom: 1
          }
        ),
        stat(
          "Events not remembered",
          "short",
          "In what is shown: the buffer was full, or Redis refused them.",
          query`sum(increase(${on(Metrics.cacheDropped)}[$__range]))`,
          {
            alarmFrom: 1
          }
        ),
        stat(
          "Waiting to be written",
          "short",
          "Events in the buffers of all processes.",
          query`sum(${on(Metrics.cachePending)})`,
          { alarmFrom: 5000 }
        )
      ]
    },
    {
      title: "Redis",
      panels: [
        timeseries("Memory", "bytes", "Used, and what it may use (0: no limit).", [
          { query: query`max ${by("instance")} (${everywhere(redis.memory)})`, legend: "{{instance}}" },
          { query: query`max(${everywhere(redis.maxMemory)})`, legend: "limit" }
        ]),
        timeseries("Commands", "reqps", "Of all clients.", [
          { query: query`sum(rate(${everywhere(redis.commands)}[$__rate_interval]))`, legend: "commands" }
        ]),
        timeseries("Keys", "short", "By database.", [
          { query: query`sum ${byForeign("db")} (${everywhere(redis.keys)}) > 0`, legend: "{{db}}" }
        ]),
        timeseries(
          "Expired, evicted, rejected",
          "reqps",
          "Evicted: it is full and forgets what is not due. Rejected: too many clients.",
          [
            { query: query`sum(rate(${everywhere(redis.expired)}[$__rate_interval]))`, legend: "keys expired" },
            { query: query`sum(rate(${everywhere(redis.evicted)}[$__rate_interval]))`, legend: "keys evicted" },
            {
              query: query`sum(rate(${everywhere(redis.rejected)}[$__rate_interval]))`,
              legend: "connections rejected"
            },
            { query: query`max(${everywhere(redis.clients)})`, legend: "clients" }
          ]
        )
      ]
    },
    {
      title: "The cache and the exports of the services",
      panels: [
        timeseries("Reads", "reqps", "By their result.", [perSecond(Metrics.cacheReads, "eventbus.result")], {
          stacked: true
        }),
        timeseries("Waiting to be written", "short", "Events in the buffers, by process.", [
          { query: query`sum ${by("instance")} (${on(Metrics.cachePending)})`, legend: "{{instance}}" }
        ]),
        timeseries("Not remembered", "reqps", "Events that the cache does not remember.", [
          perSecondOfAll(Metrics.cacheDropped, "dropped")
        ]),
        timeseries("Exports", "reqps", "Requests to the collector, by signal and outcome.", [
          {
            query: query`sum ${by("eventbus.signal", "eventbus.outcome")} (rate(${on(Metrics.exports)}[$__rate_interval]))`,
            legend: `${shows("eventbus.signal")}: ${shows("eventbus.outcome")}`
          }
        ])
      ]
    }
  ]
}
