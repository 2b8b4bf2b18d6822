/** What app/ takes of this folder. */
export * as RedisCache from "./RedisCache.ts"
