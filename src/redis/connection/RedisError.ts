/**
 * Errors of ioredis as reasons of `CacheError`. Only the code of a reply and the address of the server are kept: the
 * errors themselves carry command arguments, which are payloads, keys and the password, and no secret leaves (P14).
 */
import * as Predicate from "effect/Predicate"
import { CacheError } from "../../bus/port/CacheError.ts"
import { CacheRefused, CacheUnavailable } from "../../bus/port/CacheReason.ts"
import { rules } from "./AclRules.ts"
import { TlsUnavailable } from "./Tls.ts"

/** Why a command failed. `Corrupt` is never among them: only a reader finds that an answer does not fit. */
export type RedisReason = CacheUnavailable | CacheRefused

export const failure = (reason: RedisReason): CacheError => new CacheError({ reason })

export const unavailable = (detail: string): CacheUnavailable => new CacheUnavailable({ detail })

/** Answers that mean "not now": they end by themselves. */
const passing: ReadonlyMap<string, string> = new Map([
  ["LOADING", "it is loading its data"],
  ["CLUSTERDOWN", "the cluster is down"],
  ["MASTERDOWN", "its master is down"],
  ["TRYAGAIN", "the slot is being moved"],
  ["BUSY", "a script blocks it"],
  ["NOREPLICAS", "it has too few replicas to accept a write"]
])

/** Answers that need somebody to act. */
const remedies: ReadonlyMap<string, string> = new Map([
  ["NOPERM", `grant its user the commands and keys it needs: ACL SETUSER <user> ${rules("<namespace>")}`],
  ["WRONGPASS", "check user name and password in the Redis url"],
  ["NOAUTH", "put a password into the Redis url"],
  ["READONLY", "the url leads to a read-only replica: use the address of the master, which moves with a failover"],
  ["OOM", "its memory is full: raise maxmemory or choose a maxmemory-policy that evicts"],
  ["MISCONF", "it cannot save its data to disk and refuses writes: look into its log and free disk space"],
  ["MOVED", "this is a node of a cluster: begin the Redis url with redis+cluster://"],
  ["CLUSTER", "this Redis is not a cluster: begin the Redis url with redis://"],
  ["SENTINEL", "the hosts of a redis+sentinel:// url are sentinels, by default on port 26379: this is none"],
  ["MASTER", "no sentinel knows a master of the name in the path of the Redis url: SENTINEL MASTERS lists them"],
  ["DB", "the database number in the Redis url does not exist there: use a smaller one"],
  [
    "TLS",
    "check that the url wants TLS (rediss://) where Redis offers it, and that its certificate is trusted (redisTls.ca) and made for this host name (redisTls.servername)"
  ]
])

/** The reason of anything that ioredis throws; `address` is host and port alone. */
export const reasonOf = (error: unknown, address: string): RedisReason => {
  const { code, message } = partsOf(error)
  if (isReply(error)) return replyReason(message)
  if (error instanceof TlsUnavailable) return unavailable(`${address}: ${message}`)
  if (error instanceof Error && "lastNodeError" in error && error.lastNodeError instanceof Error)
    return reasonOf(error.lastNodeError, address)
  if (message.startsWith("Too many Cluster redirections")) return unavailable(`${address}: its slots are being moved`)
  if (/CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO/.test(code)) return refused("TLS")
  if (code !== "") return unavailable(`${address}: ${code}`)
  if (message.includes("timeout") || message.includes("timed out")) return unavailable(`${address} is silent`)
  return unavailable(`the connection to ${address} was lost`)
}

/** The reason of a failed sentinel, which ioredis reports by an event and in words. */
export const sentinelReason = (error: unknown, address: string): RedisReason => {
  const { message } = partsOf(error)
  if (/invalid reply: null$|No such master/.test(message)) return refused("MASTER")
  const why = / because (.*)$/.exec(message)?.[1] ?? ""
  if (/unknown command/i.test(why)) return refused("SENTINEL")
  const code = codeOf(why)
  return code === "ERR" ? unavailable(`${address}: no sentinel answers`) : replyReason(why)
}

/** Whether the error says only that there is no connection: the reason was reported before. */
export const isConsequence = (error: unknown): boolean =>
  /^All sentinels are unreachable|^Connection is closed\.$/.test(partsOf(error).message) ||
  (Predicate.hasProperty(error, "lastNodeError") && isConsequence(error.lastNodeError))

/** Whether the error is an answer of Redis, and not a failure of the connection. */
export const isReply = (error: unknown): boolean => error instanceof Error && error.name === "ReplyError"

/**
 * Whether it is the answer to the SELECT of a new connection: the database does not exist, or the user may not choose it.
 * ioredis reports it and continues in database 0.
 */
export const isOfSelect = (error: unknown): boolean =>
  isReply(error) &&
  Predicate.hasProperty(error, "command") &&
  Predicate.hasProperty(error.command, "name") &&
  error.command.name === "select"

const replyReason = (message: string): RedisReason => {
  const code = codeOf(message)
  const why = passing.get(code)
  return why === undefined ? refused(code) : unavailable(`${code}: ${why}`)
}

const codeOf = (message: string): string => {
  // A command without permission within a script fails with ERR and the reason in words: first Redis 7.0, then 8 and Valkey.
  if (/can't (?:run this command|access at least one of the keys)|^ERR ACL failure in script/.test(message))
    return "NOPERM"
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

/** Whether the same command can succeed later. If not, keeping it only holds back others. */
export const isPassing = (reason: RedisReason): boolean => reason._tag === "Unavailable" || remedies.has(reason.code)

/** Whether the node does not know a script: the one answer that is handled and never reported. */
export const isMissingScript = (error: Error): boolean => error.message.startsWith("NOSCRIPT")

const partsOf = (error: unknown): { readonly message: string; readonly code: string } => {
  if (!(error instanceof Error)) return { message: "", code: "" }
  const code = "code" in error && typeof error.code === "string" ? error.code : ""
  return { message: error.message, code: /^[A-Z0-9_]{1,60}$/.test(code) ? code : "" }
}
