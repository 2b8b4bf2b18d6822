/**
 * `EventBus` as the door exports it: the service of `bus/EventBus.ts` with the layers that make it live.
 *
 * The bus knows no adapter, so its own file cannot name these layers. They are added to the class itself, not to
 * a subclass: there is one service, and `EventBus` in a type, in `yield*` and in `Layer.provide` is the same
 * wherever it was imported from.
 */
import { EventBus as Service } from "../bus/EventBus.ts"
import type * as Event from "../event/Event.ts"
import * as Live from "./Live.ts"
import type * as Settings from "./LiveOptions.ts"

export const EventBus = Object.assign(Service, {
  /**
   * The bus on RabbitMQ, with Redis where `redisUrl` names one. Fails with `BrokerError` when an option cannot
   * work or RabbitMQ cannot be used.
   *
   * @example
   * ```ts
   * import { EventBus } from "@eduflow/events"
   *
   * export const Bus = EventBus.layerAmqp({
   *   url: "amqps://user:secret@rabbit.example/eduflow",
   *   redisUrl: "redis://redis.example",
   *   source: "grades"
   * })
   * ```
   */
  layerAmqp: Live.layerAmqp,
  /**
   * The embedded bus: it needs no broker, keeps every promise of the live bus while the process runs, and ends
   * with the process.
   *
   * @example
   * ```ts
   * import { EventBus } from "@eduflow/events"
   *
   * export const Bus = EventBus.layerMemory({ source: "grades" })
   * ```
   */
  layerMemory: Live.layerMemory
})

export type EventBus = Service

export declare namespace EventBus {
  /** What the bus does, whatever it stands on. */
  export type Options = Service.Options
  /** Options of `EventBus.layerAmqp`. */
  export type LiveOptions = Settings.LiveOptions
  /** Options of `EventBus.layerMemory`. */
  export type MemoryOptions = Settings.MemoryOptions
  /** The services that the layers provide. */
  export type Services = Live.Services
  /** Everything that runs in this process at one moment. */
  export type Tree = Service.Tree
  export type StreamOptions = Service.StreamOptions
  /** An element of `EventBus.stream`. */
  export type StreamItem<E extends Event.Any> = Service.StreamItem<E>
}
