/**
 * Metrics of other systems: of Prometheus about its targets, of RabbitMQ from its plugin `rabbitmq_prometheus`
 * (https://www.rabbitmq.com/docs/prometheus), of Redis from its exporter (https://github.com/oliver006/redis_exporter).
 * They are data, like our own metrics, so that a test can look for each of them in a real scrape. RabbitMQ exports all
 * of these from 3.10 to 4.x.
 */
export interface Foreign {
  readonly exporter: "prometheus" | "rabbitmq" | "redis"
  readonly name: string
  readonly kind: "counter" | "gauge"
  readonly labels: ReadonlyArray<string>
}

const all: Array<Foreign> = []
const define =
  (exporter: Foreign["exporter"], kind: Foreign["kind"]) =>
  (name: string, ...labels: ReadonlyArray<string>): Foreign => {
    const foreign = { exporter, kind, name, labels }
    all.push(foreign)
    return foreign
  }
const rabbitGauge = define("rabbitmq", "gauge")
const rabbitCounter = define("rabbitmq", "counter")
const redisGauge = define("redis", "gauge")
const redisCounter = define("redis", "counter")

/** 1 for a target that could be scraped, 0 for one that could not. */
export const up = define("prometheus", "gauge")("up")

export const rabbitmq = {
  memoryAlarm: rabbitGauge("rabbitmq_alarms_memory_used_watermark"),
  diskAlarm: rabbitGauge("rabbitmq_alarms_free_disk_space_watermark"),
  memory: rabbitGauge("rabbitmq_process_resident_memory_bytes"),
  memoryLimit: rabbitGauge("rabbitmq_resident_memory_limit_bytes"),
  disk: rabbitGauge("rabbitmq_disk_space_available_bytes"),
  diskLimit: rabbitGauge("rabbitmq_disk_space_available_limit_bytes"),
  openFiles: rabbitGauge("rabbitmq_process_open_fds"),
  maxFiles: rabbitGauge("rabbitmq_process_max_fds"),
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
