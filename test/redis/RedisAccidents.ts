/** Accidents of Redis under a running service, and what the service then reports. Run by ServiceOnRedis.test.ts. */
import type { ServiceOnRedis } from "./ServiceOnRedis.ts"

type Scene = ServiceOnRedis["Service"]
const step = (run: (scene: Scene) => Promise<unknown>) => run

interface Accident {
  readonly title: string
  readonly cause: (scene: Scene) => Promise<unknown>
  readonly mend: (scene: Scene) => Promise<unknown>
  /** Why health says that the cache is degraded. */
  readonly why: RegExp
  /** How a read fails; absent when reads go on. */
  readonly reads?: string
  /** Whether Redis comes back empty. */
  readonly forgets?: boolean
}

const accident = (title: string, rest: Omit<Accident, "title">): Accident => ({ title, ...rest })

export const accidents: ReadonlyArray<Accident> = [
  accident("D1, P4: killed", {
    cause: step(({ redis }) => redis.kill()),
    mend: step(({ redis }) => redis.restart()),
    why: /ECONNREFUSED|ECONNRESET|was lost/,
    reads: "Unavailable",
    forgets: true
  }),
  accident("D1, P4: not reachable", {
    cause: step(async ({ proxy }) => {
      await proxy.refuse(true)
      proxy.reset()
    }),
    mend: step(({ proxy }) => proxy.refuse(false)),
    why: /ECONNREFUSED|ECONNRESET|was lost/,
    reads: "Unavailable"
  }),
  accident("D2, P4: frozen", {
    cause: step(({ redis }) => redis.suspend()),
    mend: step(({ redis }) => redis.resume()),
    why: /did not answer within 150 ms|silent/,
    reads: "Unavailable"
  }),
  accident("D2, D4, P4: its answers do not arrive, and then the connection breaks", {
    cause: step(async ({ proxy }) => proxy.stall("down")),
    mend: step(async ({ proxy }) => {
      proxy.reset()
      proxy.resume()
    }),
    why: /did not answer within 150 ms|silent/,
    reads: "Unavailable"
  }),
  accident("D2, D4, P4: half-open: nothing reports that the connection is dead", {
    cause: step(async ({ proxy }) => proxy.swallow()),
    mend: step(async ({ proxy }) => proxy.resume()),
    why: /did not answer within 150 ms|silent|ETIMEDOUT/,
    reads: "Unavailable"
  }),
  accident("D9, P4: slow, not down", {
    cause: step(async ({ proxy }) => proxy.throttle(100)),
    mend: step(async ({ proxy }) => proxy.resume()),
    why: /is slow|did not answer within 150 ms|silent/,
    reads: "Unavailable"
  }),
  accident("D3, P4: READONLY: it became a replica", {
    cause: step(({ redis }) => redis.cli("REPLICAOF", "127.0.0.1", "1")),
    mend: step(({ redis }) => redis.cli("REPLICAOF", "NO", "ONE")),
    why: /\(READONLY\).*use the address of the master/
  }),
  accident("D3, P4: OOM: its memory is full", {
    cause: step(({ redis }) => redis.cli("CONFIG", "SET", "maxmemory", "1")),
    mend: step(({ redis }) => redis.cli("CONFIG", "SET", "maxmemory", "0")),
    why: /\(OOM\).*raise maxmemory/
  }),
  accident("D3, P4: NOPERM: its user has lost all permissions", {
    cause: step(({ redis }) => redis.cli("ACL", "SETUSER", "svc", "-@all", "+ping")),
    mend: step(({ redis }) => redis.cli("ACL", "SETUSER", "svc", "+@all")),
    why: /\(NOPERM\).*grant its user/,
    reads: "NOPERM"
  }),
  accident("D3, P4: WRONGPASS: the password was changed", {
    cause: step(async ({ proxy, redis }) => {
      await redis.cli("ACL", "SETUSER", "svc", "resetpass", ">another")
      proxy.reset()
    }),
    mend: step(({ redis }) => redis.cli("ACL", "SETUSER", "svc", ">pw")),
    why: /\(WRONGPASS\).*check user name and password/,
    reads: "WRONGPASS"
  }),
  accident("D3, P4: LOADING: it reads its data from disk", {
    cause: step(async ({ redis }) => {
      // It answers after each key that it has read, and reads one in 20 ms until it is mended.
      await redis.cli("CONFIG", "SET", "rdbcompression", "no")
      await redis.cli("CONFIG", "SET", "loading-process-events-interval-bytes", "1024")
      await redis.cli("CONFIG", "SET", "key-load-delay", "20000")
      await redis.cli("DEBUG", "POPULATE", "2000", "ballast", "1200")
      void redis.cli("DEBUG", "RELOAD").catch(() => {})
    }),
    mend: step(({ redis }) => redis.cli("CONFIG", "SET", "key-load-delay", "0")),
    why: /LOADING: it is loading its data/,
    reads: "Unavailable"
  }),
  accident("D3, P4: BUSY: a script blocks it", {
    cause: step(async ({ redis }) => {
      await redis.cli("CONFIG", "SET", "busy-reply-threshold", "20")
      void redis.cli("EVAL", "while true do end", "0").catch(() => {})
    }),
    mend: step(({ redis }) => redis.cli("SCRIPT", "KILL")),
    why: /BUSY: a script blocks it/,
    reads: "Unavailable"
  })
]
