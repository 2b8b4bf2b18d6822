/**
 * @eduflow/events: the door. Every public name is here and nothing else is public, but the test kit
 * (`@eduflow/events/testing`) and EduFlow's own events (`@eduflow/events/catalog`).
 */

// What an event is
export * as Event from "./event/Event.ts"
/** `Event` under a name that the DOM's global does not have. */
export * as EventContract from "./event/Event.ts"
export * as EventGroup from "./event/EventGroup.ts"
export type * as Envelope from "./event/Envelope.ts"
export { type Actor, CurrentActor, type Publishers } from "./event/Actor.ts"
export { sensitive } from "./event/Sensitive.ts"
export { EventDefinitionError, InvalidEvent, UnknownEvent, UnknownVersion } from "./event/EventError.ts"

// What happens to an event
export { type BusOptions, EventBus } from "./bus/EventBus.ts"
export type { StreamOptions, Tail } from "./bus/Tail.ts"
export type { Confirmed } from "./bus/PublishOptions.ts"
export type { PublishOptions } from "./bus/PublishOptions.ts"
export * as Subscriber from "./bus/Subscriber.ts"
export * as Batch from "./bus/Batch.ts"
export type { Subscription } from "./bus/Subscription.ts"
export type { BusTree, Lane, SubscriberTree } from "./bus/Tree.ts"
export { Later, PublishAllError, PublishError, isPublishError, Reject, SubscribeError } from "./bus/BusError.ts"
export { DeadLettersError, HandlerDefect, HandlerTimeout } from "./bus/BusError.ts"
export { type DeadLetter, DeadLetters, type Selection, undeliverable } from "./bus/DeadLetters.ts"
export type { DiscardOptions, DiscardReport, ListOptions } from "./bus/DeadLetters.ts"
export { ReplayError, type ReplayOptions, type ReplayReport } from "./bus/DeadLetters.ts"
export { type BusFailure, EventDeadLettered } from "./bus/Failures.ts"
export { CacheError, EventCache, type HistoryOptions } from "./bus/EventCache.ts"
export { type Claim, Marks, type MarkStore } from "./bus/Marks.ts"
export * as TemporaryState from "./bus/TemporaryState.ts"
export { BrokerError } from "./bus/BrokerError.ts"

// What one sees of it
export { type Check, Health, type Probe, type ProbeResult, type Report } from "./observe/Health.ts"

// Where it becomes live
export { EventBusLive, eventBusLive, EventBusMemory, eventBusMemory, type LiveOptions } from "./app/Live.ts"
export { RedisLive, redisLive, type RedisLiveOptions } from "./app/RedisLive.ts"
export { type EndpointOptions, httpEndpoints } from "./app/endpoints.ts"
export * as Telemetry from "./app/Telemetry.ts"
export { runMain, type RunMainOptions } from "./app/runMain.ts"
export { createEventBus, type PromiseEventBus } from "./app/createEventBus.ts"
