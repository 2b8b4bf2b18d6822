/**
 * What ioredis fails with, told as a reason of `CacheError`. Only the code of a reply and the place of
 * the server are taken over: the errors themselves carry command arguments, which are payloads, keys
 * and the password (P14).
 */
import { CacheError, CacheRefused, CacheUnavailable } from "../bus/EventCache.ts"
import { rules } from "./Access.ts"

/** Why Redis did not do it. `Corrupt` is what a reader makes of an answer, never Redis itself. */
export type RedisReason = CacheUnavailable | CacheRefused

export const failure = (reason: RedisReason): CacheError => new CacheError({ reason })

export const unavailable = (detail: string): CacheUnavailable => new CacheUnavailable({ detail })

/** Answers that mean "not now": they end without anybody doing anything. */
const passing: ReadonlyMap<string, string> = new Map([
  ["LOADING", "it is loading its data"],
  ["CLUSTERDOWN", "the cluster is down"],
  ["MASTERDOWN", "its master is down"],
  ["TRYAGAIN", "the slot is being moved"],
  ["BUSY", "a script blocks it"],
  ["NOREPLICAS", "it has too few replicas to accept a write"]
])

/** Answers that somebody has to do something about. */
const remedies: ReadonlyMap<string, string> = new Map([
  ["NOPERM", `grant its user the commands and keys it needs: ACL SETUSER <user> ${rules("<namespace>")}`],
  ["WRONGPASS", "check user name and password in the Redis url"],
  ["NOAUTH", "put a password into the Redis url"],
  ["READONLY", "the url points to a read-only replica: use the address of the master"],
  ["OOM", "its memory is full: raise maxmemory or choose a maxmemory-policy that evicts"],
  ["MISCONF", "it cannot save its data to disk and refuses writes: look into its log and free disk space"],
  ["MOVED", "this is a node of a cluster: begin the Redis url with redis+cluster://"],
  ["CLUSTER", "this Redis is not a cluster: begin the Redis url with redis://"],
  ["SENTINEL", "the hosts of a redis+sentinel:// url are sentinels, by default on port 26379: this is none"],
  ["MASTER", "no sentinel knows a master of the name in the path of the Redis url: SENTINEL MASTERS lists them"],
  ["DB", "the database number in the Redis url does not exist there: use a smaller one"],
  [
    "TLS",
    "check that the url wants TLS (rediss://) where Redis offers it, and that its certificate is trusted (NODE_EXTRA_CA_CERTS) and made for this host name"
  ]
])

/** The reason of anything that was thrown by ioredis; `address` is host and port alone. */
export const reasonOf = (error: unknown, address: string): RedisReason => {
  const { code, message } = partsOf(error)
  if (isReply(error)) return replyReason(message)
  if (error instanceof Error && "lastNodeError" in error && error.lastNodeError instanceof Error)
    return reasonOf(error.lastNodeError, address)
  if (message.startsWith("Too many Cluster redirections")) return unavailable(`${address}: its slots are being moved`)
  if (/CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO/.test(code)) return refused("TLS")
  if (code !== "") return unavailable(`${address}: ${code}`)
  if (message.includes("timeout") || message.includes("timed out")) return unavailable(`${address} is silent`)
  return unavailable(`the connection to ${address} was lost`)
}

/** What a sentinel has to do with it, told by an event of ioredis in words. */
export const sentinelReason = (error: unknown, address: string): RedisReason => {
  const { message } = partsOf(error)
  if (/invalid reply: null$|No such master/.test(message)) return refused("MASTER")
  const why = / because (.*)$/.exec(message)?.[1] ?? ""
  if (/unknown command/i.test(why)) return refused("SENTINEL")
  const code = codeOf(why)
  return code === "ERR" ? unavailable(`${address}: no sentinel answers`) : replyReason(why)
}

/** What ioredis says when it has asked every sentinel. */
export const isEndOfSearch = (error: unknown): boolean =>
  partsOf(error).message.startsWith("All sentinels are unreachable")

/** Whether Redis said it, and not the connection. */
export const isReply = (error: unknown): boolean => error instanceof Error && error.name === "ReplyError"

const replyReason = (message: string): RedisReason => {
  const code = codeOf(message)
  const why = passing.get(code)
  return why === undefined ? refused(code) : unavailable(`${code}: ${why}`)
}

const codeOf = (message: string): string => {
  // What a script may not do is an ERR in Redis 7.0, with the fault in words.
  if (/can't (?:run this command|access at least one of the keys)/.test(message)) return "NOPERM"
  if (message.includes("DB index is out of range")) return "DB"
  if (message.includes("cluster support disabled")) return "CLUSTER"
  if (message.includes("max number of clients")) return "BUSY"
  return /^[A-Z]{2,20}(?= |$)/.exec(message)?.[0] ?? "ERR"
}

const refused = (code: string): CacheRefused =>
  new CacheRefused({
    code,
    remedy: remedies.get(code) ?? "this key or this server is not as we left it: look into the log of Redis"
  })

/** Whether the same command can succeed later; if not, waiting with it only holds back others. */
export const isPassing = (reason: RedisReason): boolean => reason._tag === "Unavailable" || remedies.has(reason.code)

/** Whether a script was not known: the only answer that is handled and never shown. */
export const isMissingScript = (error: Error): boolean => error.message.startsWith("NOSCRIPT")

const partsOf = (error: unknown): { readonly message: string; readonly code: string } => {
  if (!(error instanceof Error)) return { message: "", code: "" }
  const code = "code" in error && typeof error.code === "string" ? error.code : ""
  return { message: error.message, code: /^[A-Z0-9_]{1,60}$/.test(code) ? code : "" }
}
