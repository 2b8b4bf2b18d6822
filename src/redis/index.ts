/** The parts of this folder that app/ uses. */
export * as RedisCache from "./cache/RedisCache.ts"
export * as RedisFleet from "./fleet/RedisFleet.ts"
export { RedisClient } from "./connection/RedisClient.ts"
export * as RedisClaims from "./claims/RedisClaims.ts"
export * as Stores from "./stores/Stores.ts"
