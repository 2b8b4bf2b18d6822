/**
 * @eduflow/events/nest: the bus as a module of NestJS. Handlers are methods of providers, controllers publish, and the
 * app starts, ends and is tested with its bus.
 */
export { EventBus, eventBusToken, InjectEventBus } from "./EventBus.ts"
export { EventBusHealth, type EventBusHealthResult } from "./EventBusHealth.ts"
export {
  EventsModule,
  type EventsModuleAsyncOptions,
  type EventsModuleOfEnvironment,
  type EventsModuleOptions,
  type EventsModulePlacement
} from "./EventsModule.ts"
export { EventsModuleError } from "./EventsModuleError.ts"
export {
  EventsTestingModule,
  type EventsTestingOptions,
  type HasProviders,
  type ReplacesProviders,
  testEvents
} from "./EventsTestingModule.ts"
export {
  type DurableSubscriber,
  type EphemeralSubscriber,
  type HandlerDecorator,
  OnEvent,
  type OnEventBatchOptions,
  type OnEventOptions
} from "./OnEvent.ts"
export type { DeliveryInfo, Received } from "./Received.ts"
