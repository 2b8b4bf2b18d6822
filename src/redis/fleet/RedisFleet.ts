/**
 * `Fleet` in Redis. Two keys have what processes say: a hash with a record for each of them, and a sorted set with the
 * time at which each record ends, by the clock of Redis. Both end when no process is left. A third key, a hash, has the
 * pauses of operators. It never ends by itself, and a right of its own to it keeps services from writing it.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import { Fleet, type OperatorPause, type Pauses, timeToLiveMillis } from "../../bus/port/Fleet.ts"
import type { Commands } from "../connection/Connection.ts"
import * as Keys from "../connection/Keys.ts"
import { RedisClient } from "../connection/RedisClient.ts"
import * as Scripts from "../connection/Scripts.ts"

export const make = (client: RedisClient["Service"], timeToLive = timeToLiveMillis): Fleet["Service"] => {
  const { paused, processes, seen } = Keys.make(client.prefix).fleet
  const readPauses = async (redis: Commands): Promise<Pauses> =>
    new Map(Object.entries(await redis.hgetall(paused)).map(([subscriber, text]) => [subscriber, pauseOf(text)]))
  return {
    appear: (presence) =>
      client.use(async (redis) => {
        const said = Scripts.ask(redis, {
          script: Scripts.appear,
          keys: [processes, seen],
          args: [presence.process, JSON.stringify(presence), String(timeToLive)]
        })
        // Beside the script and not in it: a script wants the right to write each of its keys.
        const [pauses] = await Promise.all([readPauses(redis), said])
        return pauses
      }),
    leave: (process) =>
      Effect.asVoid(client.use((redis) => Promise.all([redis.hdel(processes, process), redis.zrem(seen, process)]))),
    pauses: client.use(readPauses),
    processes: client.use(async (redis) => {
      const [records, ends, [seconds = 0, micros = 0]] = await Promise.all([
        redis.hgetall(processes),
        redis.zrangebyscore(seen, "-inf", "+inf", "WITHSCORES"),
        redis.time()
      ])
      const now = Number(seconds) * 1000 + Math.floor(Number(micros) / 1000)
      return pairsOf(ends).flatMap(([process, end]) => {
        const record = records[process]
        const left = Number(end) - now
        return record === undefined || left <= 0
          ? []
          : [{ record: jsonOf(record), millisAgo: Math.max(0, timeToLive - left) }]
      })
    }),
    pause: (subscriber, { by, reason, since }) =>
      Effect.asVoid(
        client.use((redis) =>
          redis.hset(paused, subscriber, JSON.stringify({ by, since: since.toISOString(), reason }))
        )
      ),
    resume: (subscriber) =>
      Effect.map(
        client.use((redis) => redis.hdel(paused, subscriber)),
        (count) => count > 0
      )
  }
}

export const layer: Layer.Layer<Fleet, never, RedisClient> = Layer.effect(
  Fleet,
  Effect.map(RedisClient, (client) => make(client))
)

const pairsOf = (flat: ReadonlyArray<string>): ReadonlyArray<readonly [string, string]> =>
  flat.flatMap((member, at) => (at % 2 === 0 ? [[member, flat[at + 1] ?? ""] as const] : []))

const jsonOf = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** What somebody wrote by hand pauses, too: running what an operator paused does more harm. */
const pauseOf = (text: string): OperatorPause => {
  const json = jsonOf(text)
  const field = (name: string): string =>
    Predicate.hasProperty(json, name) && Predicate.isString(json[name]) ? json[name] : ""
  const since = Date.parse(field("since"))
  return { by: field("by"), reason: field("reason"), since: new Date(Number.isNaN(since) ? 0 : since) }
}
