/**
 * What Redis does for us in one step. Both scripts can be repeated with no further effect, so a batch
 * whose answer was lost is simply sent again.
 *
 * What they read and write is laid out in Layout.ts. Each touches keys of one slot.
 */
import { createHash } from "node:crypto"
import type { Commands } from "./Connection.ts"
import { isMissingScript } from "./RedisError.ts"

export interface Script {
  readonly lua: string
  readonly sha: string
}

export interface Call {
  readonly script: Script
  readonly keys: ReadonlyArray<string>
  readonly args: ReadonlyArray<string | number | Buffer>
}

const script = (lua: string): Script => ({ lua, sha: createHash("sha1").update(lua).digest("hex") })

/**
 * KEYS last; ARGV time, id, body, ttl in ms or 0. Writes unless what is there is newer by (time, id) or
 * the same. A time more than 5 s ahead of Redis' clock counts as now, so that one clock that runs ahead
 * does not freeze a key. Ids are compared as bytes: Lua would ask the server's locale.
 */
export const last = script(`
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local time = tonumber(ARGV[1])
if time > now + 5000 then time = now end
local head, heldTime, idBytes = string.match(redis.call('GETRANGE', KEYS[1], 0, 63), '^(1:(%-?%d+):(%d+):)')
if head then
  heldTime = tonumber(heldTime)
  if heldTime > time then return 0 end
  if heldTime == time then
    local held = idBytes == '0' and '' or redis.call('GETRANGE', KEYS[1], #head, #head + idBytes - 1)
    local n = 1
    while n <= #held and n <= #ARGV[2] and held:byte(n) == ARGV[2]:byte(n) do n = n + 1 end
    if n > #ARGV[2] or (n <= #held and held:byte(n) > ARGV[2]:byte(n)) then return 0 end
  end
end
local value = string.format('1:%.0f:%d:', time, #ARGV[2]) .. ARGV[2] .. ARGV[3]
if ARGV[4] == '0' then redis.call('SET', KEYS[1], value) else redis.call('SET', KEYS[1], value, 'PX', ARGV[4]) end
return 1`)

/**
 * KEYS history; ARGV cap, then time and member of each event. What comes again is the same member. The
 * oldest go, so an event that comes late never pushes out a newer one.
 */
export const append = script(`
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
for n = 2, #ARGV, 2 do
  local time = ARGV[n]
  if tonumber(time) > now + 5000 then time = string.format('%.0f', now) end
  redis.call('ZADD', KEYS[1], time, ARGV[n + 1])
end
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - ARGV[1])
return 1`)

/** What all scripts of marks begin with: the holder of the claim, if there is one. */
const holder = `
local held = redis.call('GET', KEYS[1])
local fence, claimant
if held then fence, claimant = string.match(held, '^(%d+):(.*)$') end
`

/**
 * KEYS mark; ARGV claimant, lease in ms, then claimants who gave up: what they hold is taken over. Answers
 * claimed and the fence, done, or held and for how many ms.
 */
export const claim = script(`${holder}
if held == 'done' then return {'done', 0} end
local own = claimant == ARGV[1]
for n = 3, #ARGV do own = own or claimant == ARGV[n] end
if held and not own then return {'held', redis.call('PTTL', KEYS[1])} end
if not held then
  local clock = redis.call('TIME')
  fence = string.format('%.0f', clock[1] * 1000000 + clock[2])
end
redis.call('SET', KEYS[1], fence .. ':' .. ARGV[1], 'PX', ARGV[2])
return {'claimed', fence}`)

/** KEYS mark; ARGV claimant, time to live in ms. 0 when somebody else has claimed it. */
export const done = script(`${holder}
if held and held ~= 'done' and claimant ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], 'done', 'PX', ARGV[2])
return 1`)

/** KEYS mark; ARGV claimants who give up. */
export const release = script(`${holder}
for n = 1, #ARGV do if claimant == ARGV[n] then redis.call('DEL', KEYS[1]) end end
return 1`)

/** Runs one, and answers what it returned. */
export const ask = async (redis: Commands, { args, keys, script }: Call): Promise<unknown> => {
  try {
    return await redis.evalsha(script.sha, keys.length, ...keys, ...args)
  } catch (error) {
    if (!(error instanceof Error && isMissingScript(error))) throw error
    return redis.eval(script.lua, keys.length, ...keys, ...args)
  }
}

/** Runs all in one round trip; for each call undefined, or the error it got. */
export const run = async (redis: Commands, calls: ReadonlyArray<Call>): Promise<ReadonlyArray<Error | undefined>> => {
  // A pipeline stays on one node of a cluster and is not sent where its keys have moved to.
  if (redis.isCluster) return Promise.all(calls.map((call) => ask(redis, call).then(() => undefined, errorOf)))
  const errors = await pipeline(redis, calls, (call) => ["evalsha", call.script.sha])
  const unknown = calls.filter((_, i) => isNoScript(errors[i]))
  if (unknown.length === 0) return errors
  // A restarted Redis forgot the scripts; EVAL teaches the one node that needs them.
  const again = await pipeline(redis, unknown, (call) => ["eval", call.script.lua])
  let next = 0
  return errors.map((error) => (isNoScript(error) ? again[next++] : error))
}

const errorOf = (error: unknown): Error => (error instanceof Error ? error : new Error("unknown"))

const isNoScript = (error: Error | undefined): boolean => error !== undefined && isMissingScript(error)

const pipeline = async (
  redis: Commands,
  calls: ReadonlyArray<Call>,
  head: (call: Call) => readonly ["eval" | "evalsha", string]
): Promise<ReadonlyArray<Error | undefined>> => {
  const batch = redis.pipeline()
  for (const call of calls) {
    const [command, script] = head(call)
    batch[command](script, call.keys.length, ...call.keys, ...call.args)
  }
  const replies = await batch.exec()
  return calls.map((_, i) => replies?.[i]?.[0] ?? undefined)
}

/** The values of these keys in one round trip, on a cluster one to each node; null where there is none. */
export const getMany = (redis: Commands, keys: ReadonlyArray<string>): Promise<Array<Buffer | null>> =>
  redis.isCluster ? Promise.all(keys.map((key) => redis.getBuffer(key))) : redis.mgetBuffer(...keys)
