/**
 * Tries the commands that the library needs, on keys of its own shape that do not exist, with arguments by which none of
 * them writes: a `SET` that only replaces, a `HSET` without a value. Redis looks at rights before it looks at those.
 */
import * as Effect from "effect/Effect"
import { few, type Notes } from "../../bus/support/Notes.ts"
import * as AclRules from "../connection/AclRules.ts"
import * as Keys from "../connection/Keys.ts"
import type { RedisSettings } from "../connection/RedisSettings.ts"
import type { Ask } from "./Ask.ts"

/** No event and no subscriber has this name: names are lower-case. */
const nobody = "Eventbus-Doctor"

type Try = readonly [command: string, key: string, ...args: ReadonlyArray<string>]

const remembered = (key: string): ReadonlyArray<Try> => [
  ["GET", key],
  ["GETRANGE", key, "0", "0"],
  ["MGET", key],
  ["SET", key, "", "XX"],
  ["DEL", key],
  ["PTTL", key]
]

const ranked = (key: string): ReadonlyArray<Try> => [
  ["ZADD", key, "XX", "0", "x"],
  ["ZREMRANGEBYRANK", key, "0", "0"],
  ["ZREVRANGEBYSCORE", key, "1", "0"]
]

const stores = (key: string): ReadonlyArray<Try> => [
  ["HSET", key, "field", "value", "odd"],
  ["HGET", key, "field"],
  ["HMGET", key, "field"],
  ["HGETALL", key],
  ["HDEL", key, "field"],
  ["HINCRBY", key, "field", "none"],
  ["PEXPIRE", key, "1"],
  ["EXISTS", key],
  ["LRANGE", key, "0", "0"],
  ["LINDEX", key, "0"],
  ["LPOP", key],
  ["LTRIM", key, "0", "0"],
  ["ZREM", key, "x"],
  ["ZRANGEBYSCORE", key, "0", "1"],
  ["ZREMRANGEBYSCORE", key, "0", "1"]
]

/** A service may only read what is paused. */
const inFleet = ({ paused, processes, seen }: Keys.Keys["fleet"]): ReadonlyArray<Try> => [
  ["HSET", processes, "field", "value", "odd"],
  ["HDEL", processes, nobody],
  ["ZADD", seen, "XX", "0", nobody],
  ["HGETALL", paused]
]

const scripts = (key: string): ReadonlyArray<readonly [string, ReadonlyArray<string>]> => [
  ["EVAL", ["return 1", "1", key]],
  ["EVALSHA", ["0".repeat(40), "1", key]]
]

export const look = Effect.fnUntraced(function* (notes: Notes, settings: RedisSettings, ask: Ask) {
  const { prefix, statePrefix } = settings
  const shared = Keys.make(prefix)
  const own = Keys.make(statePrefix)
  const claim = `${statePrefix}:{${nobody}/x}:claim`
  const tries = [
    ...remembered(shared.last(nobody, "x")),
    ...ranked(shared.history(nobody)),
    ...remembered(claim),
    ...stores(own.state(nobody, "x")),
    ...inFleet(shared.fleet)
  ]
  const answers = yield* Effect.forEach(
    [
      ...tries.map(([command, ...args]) => ({ command, args, key: args[0] })),
      ...scripts(claim).map(([command, args]) => ({ command, args, key: claim }))
    ],
    (one) => Effect.map(ask(one.command, ...one.args), ({ code }) => ({ ...one, code })),
    { concurrency: "unbounded" }
  )
  const denied = answers.filter(({ code }) => code === "NOPERM")
  if (denied.length > 0) {
    const user = settings.username ?? "default"
    const rules = prefix === statePrefix ? AclRules.rules(prefix) : AclRules.rulesOfService(prefix, statePrefix)
    notes.error(
      "redis.acl",
      `user ${user} may not run ${few(denied.map(({ command, key }) => `${command} on ${key}`))}`,
      `redis-cli ACL SETUSER ${user} ${rules.replaceAll(/(?:%R)?[~&][^ ]+/g, (part) => `'${part}'`)}`
    )
  }
  // What INFO says of its role may be hidden, and a failover may be under way.
  if (
    answers.some(({ code }) => code === "READONLY") &&
    !notes.findings.some(({ check }) => check === "redis.readonly")
  )
    notes.error(
      "redis.readonly",
      `${settings.address} is a replica: it refuses writes (READONLY)`,
      "use the address of the master, which moves with a failover, or redis+sentinel://"
    )
  if (answers.some(({ code }) => code === "OOM"))
    notes.error(
      "redis.memory",
      `${settings.address} is full and refuses writes (OOM)`,
      "redis-cli CONFIG SET maxmemory <more>"
    )
  if (answers.some(({ code }) => code === "MISCONF"))
    notes.error(
      "redis.persistence",
      `${settings.address} cannot save its data and refuses writes (MISCONF)`,
      "free disk space, then: redis-cli BGSAVE"
    )
  if (denied.length === 0)
    notes.fact(`Redis allows the ${answers.length} commands that were tried; RPUSH was not tried`)
})
