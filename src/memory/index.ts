/** What app/ and testing/ take of this folder. */
export * as CacheFaults from "./CacheFaults.ts"
export * as Faults from "./Faults.ts"
export * as MemoryBroker from "./MemoryBroker.ts"
export * from "./Remembering.ts"
export { MemoryServer } from "./MemoryServer.ts"
