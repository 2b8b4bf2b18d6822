/** What Redis says of itself: version, mode, role, eviction and memory. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type { Notes } from "../../bus/support/Notes.ts"
import type { RedisSettings } from "../connection/RedisSettings.ts"
import type { Ask } from "./Ask.ts"

type Info = ReadonlyMap<string, string>

export const look = Effect.fnUntraced(function* (notes: Notes, settings: RedisSettings, ask: Ask) {
  const reply = yield* ask("INFO")
  if (!Predicate.isString(reply.value)) {
    notes.hidden(`version, mode, eviction policy and memory of Redis: its user may not run INFO`)
    return
  }
  const info = read(reply.value)
  const server = info.get("valkey_version") === undefined ? "Redis" : "Valkey"
  const version = info.get("valkey_version") ?? info.get("redis_version") ?? "unknown"
  notes.fact(`${server} ${version} at ${settings.address}`)
  lookAtMode(notes, settings, info)
  lookAtRole(notes, settings, info)
  lookAtMemory(notes, settings, info)
  if (info.get("loading") === "1")
    notes.error("redis.loading", "Redis is loading its data and refuses commands", "wait: redis-cli INFO persistence")
  if (info.get("rdb_last_bgsave_status") === "err" || info.get("aof_last_write_status") === "err")
    notes.error(
      "redis.persistence",
      "Redis could not save its data and refuses writes",
      "free disk space, then: redis-cli BGSAVE"
    )
})

const read = (text: string): Info =>
  new Map(
    text.split(/\r?\n/).flatMap((line) => {
      const at = line.indexOf(":")
      return at > 0 && !line.startsWith("#") ? [[line.slice(0, at), line.slice(at + 1)] as const] : []
    })
  )

const lookAtMode = (notes: Notes, { address, place }: RedisSettings, info: Info): void => {
  // Redis 8 and Valkey 9 both say it by this name.
  const mode = info.get("redis_mode") ?? info.get("server_mode")
  if (mode === "cluster" && place._tag !== "Cluster")
    notes.error(
      "redis.mode",
      `${address} is a node of a cluster, and the address is one of a single server: most keys are refused (MOVED)`,
      "begin EVENTBUS_REDIS_URL with redis+cluster:// (rediss+cluster:// with TLS)"
    )
  if (mode === "sentinel" && place._tag !== "Sentinel")
    notes.error(
      "redis.mode",
      `${address} is a sentinel, which keeps no data`,
      "write EVENTBUS_REDIS_URL as redis+sentinel://host:26379/<master>"
    )
}

const lookAtRole = (notes: Notes, { address }: RedisSettings, info: Info): void => {
  if (info.get("role") === "slave")
    notes.error(
      "redis.readonly",
      `${address} is a replica: it refuses writes (READONLY), its master is ${info.get("master_host") ?? "unknown"}:${info.get("master_port") ?? ""}`,
      "use the address of the master, which moves with a failover, or redis+sentinel://"
    )
}

/** Above it the alert EventBusRedisMemory is raised, too. */
const fullShare = 0.9

const lookAtMemory = (notes: Notes, { address }: RedisSettings, info: Info): void => {
  const policy = info.get("maxmemory_policy") ?? "noeviction"
  const [most, used] = ["maxmemory", "used_memory"].map((name) => Number(info.get(name) ?? 0))
  if (most === undefined || used === undefined || most === 0) return
  if (policy !== "noeviction")
    notes.warning(
      "redis.eviction",
      `${address} evicts keys when it is full (${policy}): a done mark that is evicted is a duplicate`,
      "redis-cli CONFIG SET maxmemory-policy noeviction; and in redis.conf"
    )
  if (used > most * fullShare)
    notes.add(
      policy === "noeviction" ? "error" : "warning",
      "redis.memory",
      `${address} uses ${Math.round((used / most) * 100)} % of its maxmemory (${most} bytes)`,
      `redis-cli CONFIG SET maxmemory ${most * 2}; or shorten the history of events`
    )
}
