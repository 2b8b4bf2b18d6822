/**
 * What spans and metrics call the broker and its parts, by OpenTelemetry's conventions for RabbitMQ
 * (https://opentelemetry.io/docs/specs/semconv/messaging/rabbitmq/).
 */

/** The broker as telemetry knows it. */
export interface Place {
  readonly system: "rabbitmq" | "memory"
  readonly namespace: string
  /** The broker's address, where there is one only. */
  readonly server?: { readonly address: string; readonly port: number } | undefined
}

/** What an event is published to. */
export const destination = ({ namespace }: Place, event: string): string => `${namespace}.events:${event}`

/** Where a subscriber's events wait. */
export const queue = ({ namespace }: Place, subscriber: string): string => `${namespace}.sub.${subscriber}`

/** Where an event came from and where it waited. */
export const source = (place: Place, event: string, subscriber: string): string =>
  `${destination(place, event)}:${queue(place, subscriber)}`

export const publishing = {
  "messaging.operation.name": "publish",
  "messaging.operation.type": "send"
} as const
export const delivering = {
  "messaging.operation.name": "deliver",
  "messaging.operation.type": "receive"
} as const
export const processing = {
  "messaging.operation.name": "process",
  "messaging.operation.type": "process"
} as const
