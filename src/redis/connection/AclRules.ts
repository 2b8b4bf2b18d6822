/**
 * The permissions of a Redis user that this library needs, and no more: a list of commands, and the keys and channels of
 * the namespace. docs/guides/last-known-events.md has the same line; tests run the suites as that user.
 */

/** Connecting, and finding the way in a cluster. */
const connecting = ["ping", "select", "client|setname", "readonly", "asking", "cluster|slots"]

/** Last known events, histories, claims and done marks. A script may do what its user may. */
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

const allowed = commands.map((command) => `+${command}`).join(" ")

/** What operators need to list processes, to pause and resume, and to look at what is remembered. */
const operating = ["get", "mget", "getrange", "zrevrangebyscore", "zrangebyscore", "hgetall", "hset", "hdel", "time"]

/** The arguments of `ACL SETUSER` after the user's name and password, for a service that shares all keys with others. */
export const rules = (namespace: string): string =>
  `resetkeys ~${namespace}:* resetchannels &${namespace}:* -@all ${allowed}`

/**
 * The same for a service with a namespace of its own for claims and state: it shares what is remembered of events, and
 * nothing else. It says that it is there, and reads what operators have paused, which it may not write. While it moves
 * there, `%R~<namespace>:{*}:claim %R~<namespace>:{*}:mark` let it read the claims that it had before.
 */
export const rulesOfService = (namespace: string, stateNamespace: string): string =>
  [
    `resetkeys ~${namespace}:{*}:last ~${namespace}:{*}:history`,
    `~${namespace}:{@fleet}:processes ~${namespace}:{@fleet}:seen %R~${namespace}:{@fleet}:paused ~${stateNamespace}:*`,
    `resetchannels &${stateNamespace}:* -@all ${allowed}`
  ].join(" ")

/** The same for an operator, who alone may pause a subscriber. */
export const rulesOfOperator = (namespace: string): string =>
  [
    `resetkeys ~${namespace}:{@fleet}:* %R~${namespace}:{*}:last %R~${namespace}:{*}:history resetchannels -@all`,
    ...[...connecting, ...operating].map((command) => `+${command}`)
  ].join(" ")

/** Commands of Redis that make the user of an operator; name and password stand for the real ones. */
export const commandsOfOperator = (namespace: string): ReadonlyArray<string> => [
  `ACL SETUSER <operator> on resetpass ><password> ${rulesOfOperator(namespace)}`
]

/** Commands of Redis that make the user of a service, with a password that stands for the real one. */
export const commandsOfService = (namespace: string, stateNamespace: string, user: string): ReadonlyArray<string> => [
  `ACL SETUSER ${user} on resetpass ><password> ${rulesOfService(namespace, stateNamespace)}`
]
