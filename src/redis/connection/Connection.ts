/**
 * Connections to Redis: to one server, to the master that sentinels name, or to a cluster. None of them queues, repeats
 * or re-sends a command, and none reconnects by itself: RedisClient.ts reconnects, and asks the sentinels or the cluster
 * again then. A server that has become a replica is left (Demotion.ts).
 *
 * On a cluster each command is routed by its keys and follows MOVED and ASK, which mean that it was not run. A command
 * that may have run is not sent again.
 */
import * as Redacted from "effect/Redacted"
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from "ioredis"
import type { TlsOptions } from "../../bus/support/TlsOptions.ts"
import * as Connectors from "./Connectors.ts"
import type { Demotion } from "./Demotion.ts"
import type { Place, RedisSettings } from "./RedisSettings.ts"
import { FreshTls, partsOf, readTimeout } from "./Tls.ts"

/** One server or a cluster: the same commands. */
export type Commands = Redis | Cluster

/** `cache` is shared and answers at once or never; `reserved` may block for as long as its commands say. */
export type Use = "cache" | "reserved"

/** Not connected yet. */
export const open = (settings: RedisSettings, use: Use, demotion: Demotion): Commands => {
  const { place } = settings
  const own = { ...profile(settings, use), ...login(settings) }
  if (place._tag === "Cluster") return openCluster(settings, place, own)
  const toMaster = place._tag === "Single" ? place.host : throughSentinels(settings, place)
  const leaving = { reconnectOnError: demotion.leaves }
  return new Redis({ ...own, ...alone, ...leaving, ...toMaster, enableOfflineQueue: false, db: settings.db })
}

/** For messages of a channel. Every node of a cluster has them all, so each attempt takes the next node. */
export const openListener = (settings: RedisSettings, attempt: number): Redis => {
  const { place } = settings
  const own = { ...profile(settings, "reserved"), ...login(settings), ...alone }
  if (place._tag === "Sentinel") return new Redis({ ...own, ...throughSentinels(settings, place) })
  return new Redis({ ...own, ...(place._tag === "Single" ? place.host : hostOf(place, attempt)) })
}

/** To one of the sentinels themselves, for their messages. */
export const openSentinel = (settings: RedisSettings, place: Sentinel, attempt: number): Redis =>
  new Redis({ ...profile(settings, "reserved"), ...login(place), ...alone, ...hostOf(place, attempt) })

/** At once. `quit` would wait for a server that may be gone, and disconnecting twice would keep the process alive. */
export const close = (redis: Commands): void => {
  if (redis.status !== "end") redis.disconnect()
}

export type Sentinel = Extract<Place, { readonly _tag: "Sentinel" }>

const hostOf = ({ hosts }: Exclude<Place, { readonly _tag: "Single" }>, attempt: number) =>
  hosts[attempt % hosts.length]

const connectTimeout = 1_000

const login = ({ password, username }: Pick<RedisSettings, "password" | "username">) => ({
  ...(username !== undefined && { username }),
  ...(password !== undefined && { password: Redacted.value(password) })
})

/** Options for TLS of a connection to a server. ioredis looks whether there are any, and which event a socket has then. */
const secure = ({ tls }: RedisSettings) =>
  tls instanceof FreshTls ? { tls: {}, Connector: Connectors.toServer(tls) } : tls && { tls: partsOf(tls) }

const profile = (settings: RedisSettings, use: Use) =>
  ({
    ...secure(settings),
    connectionName: `${settings.prefix}-${use}`,
    // RESP3 is not needed, and proxies and old servers do not know its HELLO.
    protocol: 2,
    disableClientInfo: true,
    // The ready check needs INFO, which a restricted user may lack, and waits while data is loaded.
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    connectTimeout,
    disconnectTimeout: 200,
    keepAlive: 10_000,
    // A socket that is silent for this long is closed. Only one with a blocking command may be.
    ...(use === "cache" && { socketTimeout: 2_000 })
  }) satisfies RedisOptions

const alone = { lazyConnect: true, retryStrategy: () => null } satisfies RedisOptions

const sentinelsSecure = (tls: TlsOptions | FreshTls) =>
  tls instanceof FreshTls
    ? { sentinelTLS: {}, Connector: Connectors.throughSentinels(tls) }
    : { sentinelTLS: partsOf(tls) }

const throughSentinels = (settings: RedisSettings, place: Sentinel) => {
  const { password, username } = login(place)
  return {
    sentinels: [...place.hosts],
    name: place.master,
    ...(username !== undefined && { sentinelUsername: username }),
    ...(password !== undefined && { sentinelPassword: password }),
    ...(settings.tls && { enableTLSForSentinelMode: true, ...sentinelsSecure(settings.tls) }),
    sentinelCommandTimeout: connectTimeout,
    sentinelRetryStrategy: () => null
  } satisfies RedisOptions
}

const openCluster = (
  settings: RedisSettings,
  place: Extract<Place, { readonly _tag: "Cluster" }>,
  own: ReturnType<typeof profile> & ReturnType<typeof login>
): Cluster => {
  const openings = new Set<AbortController>()
  const report = (error: unknown): void => void cluster.emit("node error", error)
  const redisOptions = { ...own, Connector: Connectors.toServer(settings.tls, { report, openings }) }
  const cluster: Cluster = new Cluster([...place.hosts], { ...clusterOf(settings), redisOptions })
  cluster.on("disconnecting", () => openings.forEach((opening) => opening.abort()))
  return cluster
}

const clusterOf = ({ tls }: RedisSettings): ClusterOptions => ({
  lazyConnect: true,
  enableReadyCheck: false,
  // A node is connected when it is first needed: commands of that moment wait, at most for the second that
  // connecting may take.
  enableOfflineQueue: true,
  clusterRetryStrategy: () => null,
  retryDelayOnFailover: 0,
  retryDelayOnClusterDown: 0,
  maxRedirections: 5,
  // Asking a node for the slots connects to it, too.
  slotsRefreshTimeout: connectTimeout + (tls instanceof FreshTls ? readTimeout : 0),
  // Names are not resolved here: certificates are made for names.
  dnsLookup: (address, callback) => callback(null, address)
})
