/** What app/ takes of this folder. */
export * as RedisCache from "./RedisCache.ts"
export { RedisClient } from "./RedisClient.ts"
export * as RedisMarks from "./RedisMarks.ts"
export * as Stores from "./Stores.ts"
