/** Looks at Redis or Valkey as a service meets it: certificate, login, mode, role, memory, rights and clock. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { Examined } from "../../bus/port/Examination.ts"
import * as Certificates from "../../bus/support/Certificates.ts"
import { Notes } from "../../bus/support/Notes.ts"
import * as Monotonic from "../../observe/Monotonic.ts"
import * as Connection from "../connection/Connection.ts"
import * as Demotion from "../connection/Demotion.ts"
import { isConsequence, isOfSelect, reasonOf, type RedisReason, sentinelReason } from "../connection/RedisError.ts"
import * as RedisSettings from "../connection/RedisSettings.ts"
import { FreshTls } from "../connection/Tls.ts"
import * as AclLook from "./AclLook.ts"
import { type Ask, asker } from "./Ask.ts"
import * as InfoLook from "./InfoLook.ts"

/** `patience` is how long one answer may take, in milliseconds. */
export const examine = Effect.fnUntraced(function* (
  options: RedisSettings.RedisOptions,
  patience: number
): Effect.fn.Return<Examined> {
  const notes = new Notes()
  const made = yield* Effect.result(RedisSettings.make(options))
  if (Result.isFailure(made)) {
    notes.error("redis.settings", made.failure.reason.message, "correct EVENTBUS_REDIS_URL")
    return notes
  }
  const settings = made.success
  yield* lookAtTls(notes, settings, patience)
  yield* Effect.scoped(connectAndLook(notes, settings, patience))
  return notes
})

const lookAtTls = Effect.fnUntraced(function* (
  notes: Notes,
  { place, tls }: RedisSettings.RedisSettings,
  patience: number
) {
  if (tls === undefined) return
  const parts = tls instanceof FreshTls ? yield* Effect.option(tls.read) : Option.some(tls)
  // Connecting says why there is nothing.
  if (Option.isNone(parts)) return
  const now = yield* Clock.currentTimeMillis
  const hosts = place._tag === "Single" ? [place.host] : place.hosts
  yield* Effect.forEach(hosts, (host) => Certificates.look(notes, "redis.tls", host, parts.value, now, patience), {
    concurrency: "unbounded",
    discard: true
  })
})

const connectAndLook = Effect.fnUntraced(function* (
  notes: Notes,
  settings: RedisSettings.RedisSettings,
  patience: number
) {
  const { address } = settings
  const demotion = Demotion.make(yield* Monotonic.make)
  let last: RedisReason | undefined
  let unselected: RedisReason | undefined
  const redis = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const opened = Connection.open(settings, "cache", demotion)
      opened.on("error", (error: unknown) => {
        if (last === undefined || !isConsequence(error)) last = reasonOf(error, address)
        if (isOfSelect(error)) unselected = last
      })
      opened.on("node error", (error: unknown) => {
        if (last === undefined || !isConsequence(error)) last = reasonOf(error, address)
      })
      opened.on("sentinelError", (error: unknown) => void (last = sentinelReason(error, address)))
      return opened
    }),
    (opened) => Effect.sync(() => Connection.close(opened))
  )
  const connected = yield* Effect.exit(
    Effect.tryPromise({ try: () => redis.connect(), catch: (error) => last ?? reasonOf(error, address) }).pipe(
      Effect.andThen(
        Effect.tryPromise({ try: () => redis.ping(), catch: (error) => last ?? reasonOf(error, address) })
      ),
      Effect.timeoutOption(patience),
      Effect.map((done) => done._tag === "Some")
    )
  )
  if (Exit.isFailure(connected)) {
    const failure = connected.cause.reasons.flatMap((reason) => (reason._tag === "Fail" ? [reason.error] : []))[0]
    // A server that forbids PING is well.
    if (!(failure?._tag === "Refused" && failure.code === "NOPERM")) return report(notes, address, failure, patience)
  } else if (!connected.value) return report(notes, address, undefined, patience)
  // ioredis is in database 0 now, which is not the one of the service.
  if (unselected !== undefined) return report(notes, address, unselected, patience)
  yield* lookInside(notes, settings, asker(redis, address, patience))
})

const lookInside = Effect.fnUntraced(function* (notes: Notes, settings: RedisSettings.RedisSettings, ask: Ask) {
  yield* Effect.all(
    [lookAtClock(notes, settings, ask), InfoLook.look(notes, settings, ask), AclLook.look(notes, settings, ask)],
    { concurrency: "unbounded" }
  )
})

const report = (notes: Notes, address: string, reason: RedisReason | undefined, patience: number): void => {
  if (reason === undefined)
    return notes.error(
      "redis.reachable",
      `Redis at ${address} does not answer within ${patience} ms`,
      "see whether it hangs or is loading: redis-cli --latency -h <host>"
    )
  if (reason._tag === "Unavailable")
    return notes.error(
      "redis.reachable",
      `Redis is not available: ${reason.message}`,
      "start it (systemctl start redis-server), or correct EVENTBUS_REDIS_URL"
    )
  const check = checks.get(reason.code) ?? "redis.refused"
  if (check === "redis.tls" && notes.findings.some((finding) => finding.check.startsWith("redis.tls"))) return
  notes.error(check, `Redis at ${address} refuses (${reason.code})`, reason.remedy)
}

const checks: ReadonlyMap<string, string> = new Map([
  ["WRONGPASS", "redis.credentials"],
  ["NOAUTH", "redis.credentials"],
  ["TLS", "redis.tls"],
  ["MOVED", "redis.mode"],
  ["CLUSTER", "redis.mode"],
  ["SENTINEL", "redis.mode"],
  ["MASTER", "redis.mode"],
  ["DB", "redis.database"],
  ["NOPERM", "redis.acl"]
])

/** Beyond it the store takes the time of an event for now. */
const skewMillis = 5000

const lookAtClock = Effect.fnUntraced(function* (notes: Notes, { address }: RedisSettings.RedisSettings, ask: Ask) {
  const before = yield* Clock.currentTimeMillis
  const reply = yield* ask("TIME")
  const after = yield* Clock.currentTimeMillis
  if (!Array.isArray(reply.value)) return
  const [seconds, micros] = reply.value.map(Number)
  const skew = (seconds ?? 0) * 1000 + (micros ?? 0) / 1000 - (before + after) / 2
  if (Math.abs(skew) <= skewMillis) return
  notes.warning(
    "redis.clock",
    `the clock of Redis at ${address} is ${Math.round(Math.abs(skew) / 1000)} s ${skew > 0 ? "ahead of" : "behind"} this machine`,
    "timedatectl set-ntp true, on the machine that is wrong"
  )
})
