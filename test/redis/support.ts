/** Redis nodes of a test, entries, and the state of a store. */
import { assert } from "@effect/vitest"
import { Cause, Effect, Exit, Option, Redacted } from "effect"
import { inspect } from "node:util"
import type { CacheEntry, CacheStore, Remembered } from "../../src/bus/port/CacheStore.ts"
import * as RedisCache from "../../src/redis/cache/RedisCache.ts"
import { type RedisNode, type RedisOptions, startRedis } from "../support/RedisNode.ts"

export const secret = "hunter2-secret"

export const node = (options?: RedisOptions) =>
  Effect.acquireRelease(
    Effect.promise(() => startRedis(options)),
    (node) => Effect.promise(() => node.stop())
  )
export const cli = (node: RedisNode, ...command: ReadonlyArray<string>) => Effect.promise(() => node.cli(...command))
/**
 * The same for what may be asked twice: a sentinel that changes a server's role cuts its clients off, whoever asks
 * in that moment included.
 */
export const ask = (node: RedisNode, ...command: ReadonlyArray<string>) =>
  Effect.tryPromise(() => node.cli(...command)).pipe(
    Effect.retry({
      while: ({ cause }) => /closed the connection|reset by peer|Broken pipe/.test(String(cause)),
      times: 20
    }),
    Effect.orDie
  )
export const open = (url: string, more: Partial<RedisCache.RedisCacheOptions> = {}) =>
  RedisCache.make({ url: Redacted.make(url), ...more })

export const entry = (number: number, more: Partial<CacheEntry> = {}): CacheEntry => ({
  event: "a.b",
  key: "k",
  id: `id-${String(number).padStart(6, "0")}`,
  time: Date.UTC(2026, 0, 1) + number,
  body: Buffer.from(`body ${number} ${secret}`),
  settings: {},
  ...more
})
export const text = (one: Option.Option<Remembered>) => Option.getOrUndefined(Option.map(one, textOf))
export const textOf = ({ body }: Remembered) => body.toString("utf8").split(" ").slice(0, 2).join(" ")
export const until = <E>(what: string, condition: Effect.Effect<boolean, E>) =>
  Effect.repeat(Effect.andThen(Effect.sleep(5), condition), { until: (met) => met }).pipe(
    Effect.timeoutOrElse({ duration: "2 minutes", orElse: () => Effect.die(new Error(`never: ${what}`)) })
  )
export const written = (store: RedisCache.RedisCacheStore) =>
  until(
    "everything is written",
    Effect.sync(() => store.stats().buffered === 0)
  )
export const isUp = (store: CacheStore["Service"]) =>
  until(
    "Redis is up",
    Effect.map(store.probe, ({ status }) => status === "up")
  )
/** The reason with which a read of an unknown key fails; it has no secret. */
export const reasonOf = Effect.fnUntraced(function* (store: CacheStore["Service"]) {
  const exit = yield* Effect.exit(store.last("never.written", "k"))
  assert.isTrue(Exit.isFailure(exit))
  const shown = `${inspect(exit, { depth: 20, showHidden: true })}${JSON.stringify(exit)}${Exit.isFailure(exit) ? Cause.pretty(exit.cause) : ""}`
  assert.notInclude(shown, secret)
  const { reason } = yield* Effect.flip(store.last("never.written", "k"))
  assert.notInclude((yield* store.probe).detail, secret)
  return reason._tag === "Refused" ? reason.code : reason._tag
})
/** Writes until the probe reports that writes are refused. */
export const refusalOf = Effect.fnUntraced(function* (store: RedisCache.RedisCacheStore, code: string) {
  store.write(entry(1))
  yield* until(
    `writes are refused with ${code}`,
    Effect.map(store.probe, (probe) => {
      assert.notInclude(probe.detail, secret)
      return probe.status === "degraded" && probe.detail.includes(`(${code})`)
    })
  )
})
