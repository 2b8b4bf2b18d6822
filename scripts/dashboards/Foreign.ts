/**
 * Metrics that others tell: Prometheus of its targets, RabbitMQ by its plugin `rabbitmq_prometheus`,
 * Redis by its exporter. As data, like our own, so that a test can look for each of them in a real
 * scrape. Only those that RabbitMQ tells from 3.10 to 4.x.
 */
export interface Foreign {
  readonly exporter: "prometheus" | "rabbitmq" | "redis"
  readonly name: string
  readonly kind: "counter" | "gauge"
  readonly labels: ReadonlyArray<string>
}

const all: Array<Foreign> = []
const told =
  (exporter: Foreign["exporter"], kind: Foreign["kind"]) =>
  (name: string, ...labels: ReadonlyArray<string>): Foreign => {
    const foreign = { exporter, kind, name, labels }
    all.push(foreign)
    return foreign
  }
const rabbitGauge = told("rabbitmq", "gauge")
const rabbitCounter = told("rabbitmq", "counter")
const redisGauge = told("redis", "gauge")
const redisCounter = told("redis", "counter")

/** 1 for each target that could be scraped, 0 for one that could not. */
export const up = told("prometheus", "gauge")("up")

export const rabbitmq = {
  memoryAlarm: rabbitGauge("rabbitmq_alarms_memory_used_watermark"),
  diskAlarm: rabbitGauge("rabbitmq_alarms_free_disk_space_watermark"),
  memory: rabbitGauge("rabbitmq_process_resident_memory_bytes"),
  memoryLimit: rabbitGauge("rabbitmq_resident_memory_limit_bytes"),
  disk: rabbitGauge("rabbitmq_disk_space_available_bytes"),
  diskLimit: rabbitGauge("rabbitmq_disk_space_available_limit_bytes"),
  connections: rabbitGauge("rabbitmq_connections"),
  channels: rabbitGauge("rabbitmq_channels"),
  consumers: rabbitGauge("rabbitmq_consumers"),
  queues: rabbitGauge("rabbitmq_queues"),
  ready: rabbitGauge("rabbitmq_queue_messages_ready"),
  unacknowledged: rabbitGauge("rabbitmq_queue_messages_unacked"),
  opened: rabbitCounter("rabbitmq_connections_opened_total"),
  closed: rabbitCounter("rabbitmq_connections_closed_total")
} as const

export const redis = {
  up: redisGauge("redis_up"),
  memory: redisGauge("redis_memory_used_bytes"),
  maxMemory: redisGauge("redis_memory_max_bytes"),
  clients: redisGauge("redis_connected_clients"),
  commands: redisCounter("redis_commands_processed_total"),
  evicted: redisCounter("redis_evicted_keys_total"),
  expired: redisCounter("redis_expired_keys_total"),
  rejected: redisCounter("redis_rejected_connections_total"),
  keys: redisGauge("redis_db_keys", "db")
} as const

export { all }
