/** The parts of this folder that app/ and testing/ use. */
export * as CacheFaults from "./CacheFaults.ts"
export * as Faults from "./Faults.ts"
export * as MemoryBroker from "./MemoryBroker.ts"
export * from "./Remembering.ts"
export { MemoryServer } from "./MemoryServer.ts"
