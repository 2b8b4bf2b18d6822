/**
 * How a connection to Redis is made: to one server, to the master that sentinels name, or to a cluster. None
 * queues, repeats or re-sends a command, none reconnects by itself: who holds one does (RedisClient.ts),
 * and asks the sentinels or the cluster anew then.
 *
 * On a cluster each command is routed by its keys and follows MOVED and ASK, which say that it was not
 * run. What may have been run is not sent again.
 */
import { Redacted } from "effect"
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from "ioredis"
import type { Place, RedisSettings } from "./RedisSettings.ts"

/** One server or a cluster: the same commands. */
export type Commands = Redis | Cluster

/** `cache` is shared and answers at once or never; `reserved` may block for as long as its commands say. */
export type Use = "cache" | "reserved"

/** Not connected yet. */
export const open = (settings: RedisSettings, use: Use): Commands => {
  const { place } = settings
  const own = { ...profile(settings, use), ...login(settings) }
  if (place._tag === "Cluster") return new Cluster([...place.hosts], { ...cluster, redisOptions: own })
  const toMaster = place._tag === "Single" ? place.host : throughSentinels(settings, place)
  return new Redis({ ...own, ...alone, ...toMaster, enableOfflineQueue: false, db: settings.db })
}

/** For messages of a channel. Each node of a cluster has them all, so an attempt takes another one than that before. */
export const openListener = (settings: RedisSettings, attempt: number): Redis => {
  const { place } = settings
  const own = { ...profile(settings, "reserved"), ...login(settings), ...alone }
  if (place._tag === "Sentinel") return new Redis({ ...own, ...throughSentinels(settings, place) })
  return new Redis({ ...own, ...(place._tag === "Single" ? place.host : hostOf(place, attempt)) })
}

/** To one of the sentinels themselves, for what they say. */
export const openSentinel = (settings: RedisSettings, place: Sentinel, attempt: number): Redis =>
  new Redis({ ...profile(settings, "reserved"), ...login(place), ...alone, ...hostOf(place, attempt) })

/** At once, not `quit`, which waits for a server that may be gone. Disconnecting twice would hold the process. */
export const close = (redis: Commands): void => {
  if (redis.status !== "end") redis.disconnect()
}

type Sentinel = Extract<Place, { readonly _tag: "Sentinel" }>

const hostOf = ({ hosts }: Exclude<Place, { readonly _tag: "Single" }>, attempt: number) =>
  hosts[attempt % hosts.length]

const connectTimeout = 1_000

const login = ({ password, username }: Pick<RedisSettings, "password" | "username">) => ({
  ...(username !== undefined && { username }),
  ...(password !== undefined && { password: Redacted.value(password) })
})

const profile = (settings: RedisSettings, use: Use) =>
  ({
    ...(settings.tls && { tls: {} }),
    connectionName: `${settings.prefix}-${use}`,
    // Nothing of RESP3 is needed, and proxies and old servers do not know its HELLO.
    protocol: 2,
    disableClientInfo: true,
    // The ready check wants INFO, which a restricted user may not have, and waits while data is loaded.
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    connectTimeout,
    disconnectTimeout: 200,
    keepAlive: 10_000,
    // A socket that is silent for so long is given up; one that waits for a blocking command may be.
    ...(use === "cache" && { socketTimeout: 2_000 })
  }) satisfies RedisOptions

const alone = { lazyConnect: true, retryStrategy: () => null } satisfies RedisOptions

const throughSentinels = (settings: RedisSettings, place: Sentinel) => {
  const { password, username } = login(place)
  return {
    sentinels: [...place.hosts],
    name: place.master,
    ...(username !== undefined && { sentinelUsername: username }),
    ...(password !== undefined && { sentinelPassword: password }),
    ...(settings.tls && { enableTLSForSentinelMode: true, sentinelTLS: {} }),
    sentinelCommandTimeout: connectTimeout,
    sentinelRetryStrategy: () => null,
    // Who was the master until now is a replica: the sentinels know who is it.
    reconnectOnError: ({ message }: Error) => message.startsWith("READONLY")
  } satisfies RedisOptions
}

const cluster: ClusterOptions = {
  lazyConnect: true,
  enableReadyCheck: false,
  // Nodes are connected to when they are first needed: what comes in that moment waits for the second that
  // connecting may take at most.
  enableOfflineQueue: true,
  clusterRetryStrategy: () => null,
  retryDelayOnFailover: 0,
  retryDelayOnClusterDown: 0,
  maxRedirections: 5,
  slotsRefreshTimeout: connectTimeout,
  // Names stay names: certificates are made for them.
  dnsLookup: (address, callback) => callback(null, address)
}
