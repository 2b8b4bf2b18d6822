/** RabbitMQ and Redis: their own metrics, and how the services see them. */
import * as Metrics from "../../src/observe/Metrics.ts"
import { everywhere, instance, job, on, perSecond, perSecondOfAll, total } from "./Boards.ts"
import { rabbitmq, redis } from "./Foreign.ts"
import { type Board, stat, timeseries } from "./Panel.ts"
import { byForeign, by, query, shows } from "./Query.ts"

export const brokerBoard: Board = {
  uid: "eventbus-broker",
  title: "Event bus: broker and Redis",
  description: "RabbitMQ (from its Prometheus plugin), Redis (from its exporter), and how the services see both.",
  variables: [job, instance],
  rows: [
    {
      title: "RabbitMQ now",
      panels: [
        stat(
          "Memory alarm",
          "short",
          "1: publishers are blocked until memory is freed.",
          query`max(${everywhere(rabbitmq.memoryAlarm)})`,
          {
            alarmFrom: 1
          }
        ),
        stat(
          "Disk alarm",
          "short",
          "1: publishers are blocked until disk space is freed.",
          query`max(${everywhere(rabbitmq.diskAlarm)})`,
          {
            alarmFrom: 1
          }
        ),
        stat(
          "Memory",
          "percentunit",
          "Share of the memory limit in use, on the node with the highest usage. At the limit, publishers are blocked.",
          query`max(${everywhere(rabbitmq.memory)} / ${everywhere(rabbitmq.memoryLimit)})`,
          {
            alarmFrom: 0.8
          }
        ),
        stat("Ready", "short", "Ready messages in all queues.", query`sum(${everywhere(rabbitmq.ready)})`),
        stat("Connections", "short", "Connections of all clients.", query`sum(${everywhere(rabbitmq.connections)})`)
      ]
    },
    {
      title: "RabbitMQ",
      panels: [
        timeseries("Memory", "bytes", "Memory used by each node, and the limit at which publishers are blocked.", [
          { query: query`max ${by("instance")} (${everywhere(rabbitmq.memory)})`, legend: "{{instance}}" },
          { query: query`min(${everywhere(rabbitmq.memoryLimit)})`, legend: "limit" }
        ]),
        timeseries("Disk", "bytes", "Free disk space of each node, and the limit below which publishers are blocked.", [
          { query: query`min ${by("instance")} (${everywhere(rabbitmq.disk)})`, legend: "{{instance}}" },
          { query: query`max(${everywhere(rabbitmq.diskLimit)})`, legend: "limit" }
        ]),
        timeseries("Messages", "short", "Messages in all queues, including dead letters.", [
          { query: query`sum(${everywhere(rabbitmq.ready)})`, legend: "ready" },
          { query: query`sum(${everywhere(rabbitmq.unacknowledged)})`, legend: "unacknowledged" }
        ])
      ]
    },
    {
      title: "Clients of RabbitMQ",
      panels: [
        timeseries("Objects", "short", "A line that only rises indicates a leak.", [
          { query: query`sum(${everywhere(rabbitmq.connections)})`, legend: "connections" },
          { query: query`sum(${everywhere(rabbitmq.channels)})`, legend: "channels" },
          { query: query`sum(${everywhere(rabbitmq.consumers)})`, legend: "consumers" },
          { query: query`sum(${everywhere(rabbitmq.queues)})`, legend: "queues" }
        ]),
        timeseries(
          "Connections opened and closed",
          "reqps",
          "Many of both: a client keeps connecting and losing its connection.",
          [
            { query: query`sum(rate(${everywhere(rabbitmq.opened)}[$__rate_interval]))`, legend: "opened" },
            { query: query`sum(rate(${everywhere(rabbitmq.closed)}[$__rate_interval]))`, legend: "closed" }
          ]
        ),
        timeseries(
          "Connections of the services",
          "short",
          "Open connections as reported by the services, by purpose.",
          [total(Metrics.connections, "eventbus.connection")]
        ),
        timeseries(
          "Lateness of the delay ladder",
          "s",
          "Delay of the last canary message, in the process that saw the longest one.",
          [{ query: query`max(${on(Metrics.delayLateness)})`, legend: "lateness" }]
        )
      ]
    },
    {
      title: "Redis now",
      panels: [
        stat("Up", "short", "Whether the exporter reaches Redis.", query`min(${everywhere(redis.up)})`, {
          alarmUpTo: 0
        }),
        stat(
          "Cache not up",
          "short",
          "Processes for which Redis is degraded or down. Events are not delayed by this.",
          query`sum(${on(Metrics.health, { "eventbus.check": "cache", "eventbus.state": { not: "up" } })})`,
          {
            alarmFrom: 1
          }
        ),
        stat(
          "Events not cached",
          "short",
          "Events in the selected time range that were not cached because the buffer was full or Redis refused them.",
          query`sum(increase(${on(Metrics.cacheDropped)}[$__range]))`,
          {
            alarmFrom: 1
          }
        ),
        stat(
          "Waiting to be written",
          "short",
          "Events in the write buffers of all processes.",
          query`sum(${on(Metrics.cachePending)})`,
          { alarmFrom: 5000 }
        )
      ]
    },
    {
      title: "Redis",
      panels: [
        timeseries("Memory", "bytes", "Memory used, and the limit (0: no limit).", [
          { query: query`max ${by("instance")} (${everywhere(redis.memory)})`, legend: "{{instance}}" },
          { query: query`max(${everywhere(redis.maxMemory)})`, legend: "limit" }
        ]),
        timeseries("Commands", "reqps", "Commands of all clients.", [
          { query: query`sum(rate(${everywhere(redis.commands)}[$__rate_interval]))`, legend: "commands" }
        ]),
        timeseries("Keys", "short", "Keys by database.", [
          { query: query`sum ${byForeign("db")} (${everywhere(redis.keys)}) > 0`, legend: "{{db}}" }
        ]),
        timeseries(
          "Expired, evicted, rejected",
          "reqps",
          "Evicted: Redis is full and removes keys that have not expired. Rejected: too many clients.",
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
      title: "Cache and telemetry of the services",
      panels: [
        timeseries("Reads", "reqps", "Cache reads by result.", [perSecond(Metrics.cacheReads, "eventbus.result")], {
          stacked: true
        }),
        timeseries("Waiting to be written", "short", "Events in the write buffers, by process.", [
          { query: query`sum ${by("instance")} (${on(Metrics.cachePending)})`, legend: "{{instance}}" }
        ]),
        timeseries("Not cached", "reqps", "Events that were not cached.", [
          perSecondOfAll(Metrics.cacheDropped, "dropped")
        ]),
        timeseries("Exports", "reqps", "Export requests to the collector, by signal and outcome.", [
          {
            query: query`sum ${by("eventbus.signal", "eventbus.outcome")} (rate(${on(Metrics.exports)}[$__rate_interval]))`,
            legend: `${shows("eventbus.signal")}: ${shows("eventbus.outcome")}`
          }
        ])
      ]
    }
  ]
}
