/**
 * Names of the broker, its destinations and operations in spans and metrics, by OpenTelemetry's conventions for
 * RabbitMQ (https://opentelemetry.io/docs/specs/semconv/messaging/rabbitmq/).
 */

/** The broker as telemetry identifies it. */
export interface BrokerIdentity {
  readonly system: "rabbitmq" | "memory"
  readonly namespace: string
  /** The address of the broker, if it has exactly one. */
  readonly server?: { readonly address: string; readonly port: number } | undefined
}

/** The destination that an event is published to: exchange and routing key. */
export const destination = ({ namespace }: BrokerIdentity, event: string): string => `${namespace}.events:${event}`

/** The queue of a subscriber. */
export const queue = ({ namespace }: BrokerIdentity, subscriber: string): string => `${namespace}.sub.${subscriber}`

/** The source of a delivery: exchange, routing key and queue. */
export const source = (broker: BrokerIdentity, event: string, subscriber: string): string =>
  `${destination(broker, event)}:${queue(broker, subscriber)}`

export const publishOperation = {
  "messaging.operation.name": "publish",
  "messaging.operation.type": "send"
} as const
export const deliverOperation = {
  "messaging.operation.name": "deliver",
  "messaging.operation.type": "receive"
} as const
export const processOperation = {
  "messaging.operation.name": "process",
  "messaging.operation.type": "process"
} as const
