/** What a process remembers by itself, where there is RabbitMQ and no Redis: the embedded broker stays unloaded. */
export * as MemoryCache from "./MemoryCache.ts"
export * as MemoryMarks from "./MemoryMarks.ts"
export * as MemoryStores from "./MemoryStores.ts"
