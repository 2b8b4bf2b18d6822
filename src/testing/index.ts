/**
 * @eduflow/events/testing: what a service tests its handlers with.
 */
export {
  createTestBus,
  type PromiseTestBus,
  type PromiseTestBusOptions,
  type PromiseTestFaults,
  type TestControls
} from "./createTestBus.ts"
export { type DeliverError, type DeliverOptions, NoSuchSubscriber, type Settlement } from "./Deliver.ts"
export { OptionInvalid } from "../event/options/OptionInvalid.ts"
export { NotSettled } from "./Quiescence.ts"
export { TestBus, type TestBusOptions } from "./TestBus.ts"
export type { FaultOptions, FaultRates, InjectedFault, TestFaults } from "./TestFaults.ts"
