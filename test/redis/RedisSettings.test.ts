/** What a Redis url may look like, and that a wrong one is told without telling it (P14). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import * as Keys from "../../src/redis/Keys.ts"
import * as RedisSettings from "../../src/redis/RedisSettings.ts"

const of = (url: string, more: Partial<RedisSettings.RedisOptions> = {}) =>
  RedisSettings.make({ url: Redacted.make(url), ...more })

describe("RedisSettings", () => {
  it.effect("takes the parts of a url apart", () =>
    Effect.gen(function* () {
      assert.deepInclude(yield* of("redis://localhost"), {
        place: { _tag: "Single", host: { host: "localhost", port: 6379 } },
        username: undefined,
        password: undefined,
        db: 0,
        tls: false,
        address: "localhost:6379",
        commandTimeout: 150,
        prefix: "eduflow"
      })
      const full = yield* of("rediss://us%40er:p%2Fw%3A@[::1]:7000/3", { commandTimeout: "1 second", prefix: "other" })
      assert.deepInclude(full, {
        place: { _tag: "Single", host: { host: "::1", port: 7000 } },
        address: "[::1]:7000",
        username: "us@er",
        db: 3,
        tls: true,
        commandTimeout: 1000,
        prefix: "other"
      })
      assert.strictEqual(Redacted.value(full.password ?? Redacted.make("")), "p/w:")
    })
  )

  it.effect("takes the hosts of a cluster and of sentinels apart", () =>
    Effect.gen(function* () {
      assert.deepInclude(yield* of("redis+cluster://us,er:p,w@a:7000,b,[::1]:7002/0"), {
        place: {
          _tag: "Cluster",
          hosts: [
            { host: "a", port: 7000 },
            { host: "b", port: 6379 },
            { host: "::1", port: 7002 }
          ]
        },
        username: "us,er",
        password: Redacted.make("p,w"),
        address: "a:7000,b:6379,[::1]:7002",
        tls: false
      })
      const watched = yield* of(
        "rediss+sentinel://us:pw@a,b:5/my%20master/3?sentinelUsername=watch&sentinelPassword=p%26w+%2B"
      )
      assert.deepInclude(watched, {
        place: {
          _tag: "Sentinel",
          hosts: [
            { host: "a", port: 26379 },
            { host: "b", port: 5 }
          ],
          master: "my master",
          username: "watch",
          password: Redacted.make("p&w++")
        },
        username: "us",
        password: Redacted.make("pw"),
        db: 3,
        tls: true
      })
      assert.notInclude(JSON.stringify(watched), "p&w")
    })
  )

  it.effect.each([
    "",
    "redis://:hunter2@a,b",
    "redis+cluster://:hunter2@a,,b",
    "redis+cluster://:hunter2@a,b:99999",
    "redis+cluster://:hunter2@a/1",
    "redis+cluster://:hunter2@a?x=1",
    "redis+sentinel://:hunter2@a,b",
    "redis+sentinel://:hunter2@a,b/",
    "redis+sentinel://:hunter2@a,b/m/x",
    "redis+sentinel://:hunter2@a,b/m/1/2",
    "redis+sentinel://:hunter2@a,b/m#x",
    "redis+sentinel://a,b/m?sentinelUsername=hunter2",
    "redis+sentinel://a,b/m?sentinelPassword=hunter2%",
    "redis+other://:hunter2@a",
    "nonsense",
    "http://h",
    "redis://",
    "redis://:hunter2@h/x",
    "redis://:hunter2@h?db=1",
    "redis://user@h",
    "redis://:hunter2%@h",
    "redis://:hunter2@h/1/2",
    "redis://:hunter2@h:99999",
    "redis://:hunter2#x@h"
  ])("refuses %j", (url) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(of(url))
      assert.strictEqual(error.reason._tag, "Settings")
      assert.notInclude(JSON.stringify(error) + error.message, "hunter2")
    })
  )

  it.effect("refuses a prefix or a deadline that cannot work", () =>
    Effect.gen(function* () {
      for (const prefix of ["", "{a}", "a:b", "x".repeat(33)]) {
        assert.include((yield* Effect.flip(of("redis://h", { prefix }))).message, "prefix")
      }
      for (const commandTimeout of [0, -1, Number.NaN, "2 minutes"] as const) {
        assert.include((yield* Effect.flip(of("redis://h", { commandTimeout }))).message, "commandTimeout")
      }
    })
  )
})

describe("Keys", () => {
  it("name and key cannot leave their place", () => {
    const keys = Keys.make("eduflow")
    assert.strictEqual(keys.last("a.b", "s-1"), "eduflow:{a.b/s-1}:last")
    const odd = ["", "/", "a", "a/", "}", "{", ":", "%", "%7D", "\ud800", "\ud801", "%uD800", "🎓", "\r\n", "}:last"]
    const names = odd.flatMap((event) => odd.flatMap((key) => [keys.last(event, key), keys.keyHistory(event, key)]))
    assert.strictEqual(new Set([...names, ...odd.map(keys.history)]).size, odd.length * (2 * odd.length + 1))
    for (const name of names) assert.match(name, /^eduflow:\{[^{}:\s]*\/[^{}:\s/]*\}:(last|history)$/)
  })
})
