/** The stores of a process on RabbitMQ without Redis: the embedded broker is not loaded for them. */
export * as MemoryCache from "./MemoryCache.ts"
export * as MemoryClaims from "./MemoryClaims.ts"
export * as MemoryStores from "./MemoryStores.ts"
