/**
 * @eduflow/events/testing: what a service tests its handlers with.
 */
export { NotSettled, TestBus } from "./TestBus.ts"
