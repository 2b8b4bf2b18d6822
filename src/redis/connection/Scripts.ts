/**
 * The Lua scripts, each of which is one step for Redis. Running one again has no further effect, so a batch whose answer
 * was lost is sent again. Encoding.ts describes what they read and write. Each touches keys of one slot.
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
 * does not freeze a key. Ids are compared byte by byte: Lua would compare by the server's locale.
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
 * KEYS history; ARGV cap, then time and member of each event. A repeated event is the same member. The oldest are
 * removed, so a late event never pushes out a newer one.
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

/** The beginning of all scripts of claims: it reads the holder, if there is one. */
const holder = `
local held = redis.call('GET', KEYS[1])
local fence, claimant
if held then fence, claimant = string.match(held, '^(%d+):(.*)$') end
local mark = held and string.match(held, '^done:?(.*)$')
`

/**
 * KEYS claim; ARGV claimant, lease in ms, then orphaned claimants, whose claims are taken over. Returns claimed and the
 * fence, done and the digest, or held and for how many ms.
 */
export const claim = script(`${holder}
if mark then return {'done', mark} end
local own = claimant == ARGV[1]
for n = 3, #ARGV do own = own or claimant == ARGV[n] end
if held and not own then return {'held', redis.call('PTTL', KEYS[1])} end
if not held then
  local clock = redis.call('TIME')
  fence = string.format('%.0f', clock[1] * 1000000 + clock[2])
end
redis.call('SET', KEYS[1], fence .. ':' .. ARGV[1], 'PX', ARGV[2])
return {'claimed', fence}`)

/** KEYS claim; ARGV claimant, its fence, lease in ms. Returns whether the claimant has it, as 1 or 0. */
export const renew = script(`${holder}
if held and claimant ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2] .. ':' .. ARGV[1], 'PX', ARGV[3])
return 1`)

/** KEYS claim; ARGV claimant, time to live in ms, digest or nothing. Returns 0 when another claimant holds it. */
export const done = script(`${holder}
if held and not mark and claimant ~= ARGV[1] then return 0 end
local digest = mark or ARGV[3]
redis.call('SET', KEYS[1], digest == '' and 'done' or 'done:' .. digest, 'PX', ARGV[2])
return 1`)

/** KEYS claim; ARGV the claimants whose claims are released. */
export const release = script(`${holder}
for n = 1, #ARGV do if claimant == ARGV[n] then redis.call('DEL', KEYS[1]) end end
return 1`)

/**
 * KEYS records, ends; ARGV process, record, its time to live in ms. Writes what a process says, and forgets those that have
 * said nothing for too long.
 */
export const appear = script(`
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local gone = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now))
for n = 1, #gone do
  redis.call('HDEL', KEYS[1], gone[n])
  redis.call('ZREM', KEYS[2], gone[n])
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], string.format('%.0f', now + ARGV[3]), ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return 1`)

/** Runs one script, and returns its answer. */
export const ask = async (redis: Commands, { args, keys, script }: Call): Promise<unknown> => {
  try {
    return await redis.evalsha(script.sha, keys.length, ...keys, ...args)
  } catch (error) {
    if (!(error instanceof Error && isMissingScript(error))) throw error
    return redis.eval(script.lua, keys.length, ...keys, ...args)
  }
}

/** Runs all in one round trip; returns the error of each call, or undefined. */
export const run = async (redis: Commands, calls: ReadonlyArray<Call>): Promise<ReadonlyArray<Error | undefined>> =>
  (await askAll(redis, calls)).map((answer) => (answer instanceof Error ? answer : undefined))

/** Runs all in one round trip; returns the answer of each call, or its error. */
export const askAll = async (redis: Commands, calls: ReadonlyArray<Call>): Promise<ReadonlyArray<unknown>> => {
  // A pipeline stays on one node of a cluster and does not follow keys that have moved.
  if (redis.isCluster) return Promise.all(calls.map((call) => ask(redis, call).catch(errorOf)))
  const answers = await pipeline(redis, calls, (call) => ["evalsha", call.script.sha])
  const unknown = calls.filter((_, i) => isNoScript(answers[i]))
  if (unknown.length === 0) return answers
  // A restarted Redis has no scripts; EVAL sends them to the one node that needs them.
  const again = await pipeline(redis, unknown, (call) => ["eval", call.script.lua])
  let next = 0
  return answers.map((answer) => (isNoScript(answer) ? again[next++] : answer))
}

const errorOf = (error: unknown): Error => (error instanceof Error ? error : new Error("unknown"))

const isNoScript = (answer: unknown): boolean => answer instanceof Error && isMissingScript(answer)

const pipeline = async (
  redis: Commands,
  calls: ReadonlyArray<Call>,
  head: (call: Call) => readonly ["eval" | "evalsha", string]
): Promise<ReadonlyArray<unknown>> => {
  const batch = redis.pipeline()
  for (const call of calls) {
    const [command, script] = head(call)
    batch[command](script, call.keys.length, ...call.keys, ...call.args)
  }
  const replies = await batch.exec()
  return calls.map((_, i) => replies?.[i]?.[0] ?? replies?.[i]?.[1])
}

/** The values of these keys in one round trip, on a cluster one for each node; null for a missing value. */
export const getMany = (redis: Commands, keys: ReadonlyArray<string>): Promise<Array<Buffer | null>> =>
  redis.isCluster ? Promise.all(keys.map((key) => redis.getBuffer(key))) : redis.mgetBuffer(...keys)
