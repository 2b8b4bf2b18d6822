/**
 * @eduflow/events: the door. Everything public is exported here or from one of the other doors: the test kit
 * (`@eduflow/events/testing`), EduFlow's own events (`@eduflow/events/catalog`) and the ports for adapters
 * (`@eduflow/events/ports`).
 */

// What an event is
export * as Event from "./event/Event.ts"
export * as EventGroup from "./event/EventGroup.ts"
export type * as Envelope from "./event/Envelope.ts"
export { type Actor, CurrentActor, type Publishers } from "./event/Actor.ts"
export {
  Baggage,
  type BaggageInput,
  type BaggageMember,
  type BaggageProperty,
  CurrentBaggage
} from "./event/flow/Baggage.ts"
export { CurrentTenant } from "./event/flow/Tenant.ts"
export { sensitive } from "./event/sensitive/Sensitive.ts"
export { OptionInvalid } from "./event/options/OptionInvalid.ts"
export { EventDefinitionError, InvalidEvent, UnknownEvent, UnknownVersion } from "./event/EventError.ts"

// What happens to an event
export { EventBus } from "./app/EventBus.ts"
export type { Confirmed } from "./bus/publish/PublishOptions.ts"
export type { PublishOptions } from "./bus/publish/PublishOptions.ts"
export * as Subscriber from "./bus/Subscriber.ts"
export type { BreakerOptions, RateLimitOptions, RestartOptions } from "./bus/subscriber/SubscriberOptions.ts"
export type { RetryPolicy } from "./bus/subscriber/RetryDelay.ts"
export * as Foreign from "./bus/Foreign.ts"
export * as Recurring from "./bus/Recurring.ts"
export * as Around from "./bus/Around.ts"
export * as Batch from "./bus/subscriber/Batch.ts"
export type { Subscription } from "./bus/subscriber/Subscription.ts"
export { Later, Reject } from "./bus/subscriber/HandlerError.ts"
export { PublishAllError, PublishError, isPublishError } from "./bus/send/PublishError.ts"
export * as PublishReason from "./bus/send/PublishReason.ts"
export { RequestError } from "./bus/request/RequestError.ts"
export { SubscribeError } from "./bus/subscriber/SubscribeError.ts"
export { DeadLettersError } from "./bus/deadletter/DeadLettersError.ts"
export { AroundFailure, type AttemptFailure, HandlerDefect, HandlerTimeout } from "./bus/subscriber/HandlerError.ts"
export { type DeadLetter, DeadLetters, ReplayError } from "./bus/deadletter/DeadLetters.ts"
export { EventDeadLettered } from "./bus/delivery/EventDeadLettered.ts"
export type { BusFailure } from "./bus/delivery/FailureFeed.ts"
export { EventCache } from "./bus/read/EventCache.ts"
export { CacheError } from "./bus/port/CacheError.ts"
export * as CacheReason from "./bus/port/CacheReason.ts"
export * as TemporaryState from "./bus/read/TemporaryState.ts"
export { BrokerError } from "./bus/port/BrokerError.ts"
export * as BrokerReason from "./bus/port/BrokerReason.ts"

// What one sees of it
export { Health } from "./observe/Health.ts"

// Where it becomes live
export { EventBusLive } from "./app/Live.ts"
export * as RedisStores from "./app/RedisStores.ts"
export { type EndpointOptions, httpEndpoints } from "./app/endpoints.ts"
export {
  type KnownSubscriber,
  operations,
  type OperationsOptions,
  type Operator,
  type OperatorRequest
} from "./app/operations.ts"
export * as Telemetry from "./app/Telemetry.ts"
export { runMain, type RunMainOptions } from "./app/runMain.ts"
export { createEventBus } from "./app/createEventBus.ts"
export type { PromiseAround } from "./app/promise/PromiseAround.ts"
export type { LoggerOptions, PromiseLogger } from "./app/promise/PromiseLogger.ts"
export type { LogEntry, LogTarget } from "./app/telemetry/LogEntry.ts"
export type { HttpHandlerOptions, OperationsHandlerOptions } from "./app/promise/HandlerOptions.ts"
export type { HttpHandler } from "./app/promise/PromiseHttp.ts"
export type { PromiseMetric } from "./app/promise/PromiseMetrics.ts"
export type { PromiseEventBus } from "./app/promise/PromiseEventBus.ts"
export type { PromiseRecurring, PromiseSubscriberOptions, PromiseSubscription } from "./app/promise/PromiseSubscribe.ts"
export type { PromiseForeignPublishOptions, PromisePublishOptions } from "./app/promise/PromisePublish.ts"
