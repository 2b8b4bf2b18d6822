/**
 * What a Redis user needs for everything that this library does, and no more: a list of commands, the
 * keys and channels of the namespace. The README says the same line; a test runs the suites as that user.
 */

/** Connecting, and finding the way in a cluster. */
const connecting = ["ping", "select", "client|setname", "readonly", "asking", "cluster|slots"]

/** Last known events, histories and marks; scripts may do no more than their user. */
const remembering = [
  "get",
  "set",
  "del",
  "getrange",
  "mget",
  "zadd",
  "zremrangebyrank",
  "zrevrangebyscore",
  "pttl",
  "time",
  "eval",
  "evalsha"
]

/** Effect's stores: circuit breakers, rate limits, persisted queues. */
const stores = [
  ["hset", "hget", "hmget", "hgetall", "hdel", "hincrby", "pexpire", "exists"],
  ["rpush", "lrange", "lindex", "lpop", "ltrim", "zrem", "zrangebyscore", "zremrangebyscore"]
].flat()

export const commands: ReadonlyArray<string> = [...connecting, ...remembering, ...stores]

/** The arguments of `ACL SETUSER` after the user's name and password. */
export const rules = (namespace: string): string =>
  `resetkeys ~${namespace}:* resetchannels &${namespace}:* -@all ${commands.map((command) => `+${command}`).join(" ")}`
