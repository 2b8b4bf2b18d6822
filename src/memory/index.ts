/** What app/ and testing/ take of this folder. */
export * as CacheFaults from "./CacheFaults.ts"
export * as Faults from "./Faults.ts"
export * as MemoryBroker from "./MemoryBroker.ts"
export * as MemoryCache from "./MemoryCache.ts"
export * as MemoryMarks from "./MemoryMarks.ts"
export * as MemoryStores from "./MemoryStores.ts"
export { MemoryServer } from "./MemoryServer.ts"
