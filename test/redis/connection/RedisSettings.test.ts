/** The forms of a Redis url; the error of a wrong one does not contain it: no secret leaves (P14). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import * as Keys from "../../../src/redis/connection/Keys.ts"
import * as RedisSettings from "../../../src/redis/connection/RedisSettings.ts"

const of = (url: string, more: Partial<RedisSettings.RedisOptions> = {}) =>
  RedisSettings.make({ url: Redacted.make(url), allowPlaintext: true, ...more })

describe("RedisSettings", () => {
  it.effect("takes the parts of a url apart", () =>
    Effect.gen(function* () {
      assert.deepInclude(yield* of("redis://localhost"), {
        place: { _tag: "Single", host: { host: "localhost", port: 6379 } },
        username: undefined,
        password: undefined,
        db: 0,
        tls: undefined,
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
        tls: {},
        commandTimeout: 1000,
        prefix: "other"
      })
      assert.strictEqual(Redacted.value(full.password ?? Redacted.make("")), "p/w:")
    })
  )

  it.effect("reads a url as other tools write it, and refuses what is no host or port", () =>
    Effect.gen(function* () {
      for (const [url, address] of [
        ["redis://cache.example:6379/0\n", "cache.example:6379"],
        [" REDIS://c%61che.example ", "cache.example:6379"],
        ["redis://b\u00fccher.example", "xn--bcher-kva.example:6379"],
        ["redis+cluster://a,b%2Dc:7000", "a:6379,b-c:7000"]
      ] as const)
        assert.strictEqual((yield* of(url)).address, address)
      for (const url of ["redis://a:0", "redis://a%2Fb", "redis://%zz", "redis+cluster://a,b:0"])
        assert.strictEqual((yield* Effect.flip(of(url))).reason._tag, "Settings")
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
        tls: undefined
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
        tls: {}
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

  it.effect("P14: refuses to send passwords and events in the clear to another host, unless it is allowed", () =>
    Effect.gen(function* () {
      for (const url of [
        "redis://:hunter2@cache",
        "redis+cluster://:hunter2@localhost,cache",
        "redis+sentinel://10.0.0.1/m"
      ]) {
        const { message } = yield* Effect.flip(of(url, { allowPlaintext: false }))
        assert.include(message, "in the clear")
        assert.include(message, "allowPlaintext (EVENTBUS_ALLOW_PLAINTEXT=true)")
        assert.notInclude(message, "hunter2")
        yield* of(url)
      }
      for (const url of [
        "redis://localhost",
        "redis://127.1.2.3",
        "redis://[::1]",
        "rediss://cache",
        "rediss+cluster://a,b"
      ])
        yield* of(url, { allowPlaintext: false })
    })
  )

  it.effect("refuses parts for TLS that cannot work, or that a url without TLS would not use", () =>
    Effect.gen(function* () {
      for (const [url, tls] of [
        ["rediss://h", { cert: "hunter2", key: "hunter2" }],
        ["redis://h", { servername: "h" }],
        ["redis://h", Effect.succeed({ servername: "h" })]
      ] as const) {
        const { message } = yield* Effect.flip(of(url, { tls }))
        assert.include(message, "redisTls")
        assert.notInclude(message, "hunter2")
      }
    })
  )

  it.effect("refuses a prefix or a deadline that cannot work", () =>
    Effect.gen(function* () {
      for (const prefix of ["", "{a}", "a:b", "x".repeat(33)]) {
        assert.include((yield* Effect.flip(of("redis://h", { prefix }))).message, "prefix")
        assert.include((yield* Effect.flip(of("redis://h", { statePrefix: prefix }))).message, "stateNamespace")
      }
      for (const commandTimeout of [0, -1, Number.NaN, "2 minutes"] as const) {
        assert.include((yield* Effect.flip(of("redis://h", { commandTimeout }))).message, "commandTimeout")
      }
    })
  )
})

describe("Keys", () => {
  it("names and keys cannot leave their part of a key", () => {
    const keys = Keys.make("eduflow")
    assert.strictEqual(keys.last("a.b", "s-1"), "eduflow:{a.b/s-1}:last")
    const odd = ["", "/", "a", "a/", "}", "{", ":", "%", "%7D", "\ud800", "\ud801", "%uD800", "🎓", "\r\n", "}:last"]
    const names = odd.flatMap((event) => odd.flatMap((key) => [keys.last(event, key), keys.keyHistory(event, key)]))
    assert.strictEqual(new Set([...names, ...odd.map(keys.history)]).size, odd.length * (2 * odd.length + 1))
    for (const name of names) assert.match(name, /^eduflow:\{[^{}:\s]*\/[^{}:\s/]*\}:(last|history)$/)
  })

  it("P15: the key of a claim has one length, and no two identities share one", () => {
    const keys = Keys.make("eduflow")
    const odd = [
      "",
      "a",
      "b",
      "a,b",
      '"',
      '","',
      "\\",
      "\ud800",
      "\ud801",
      "\ufffd",
      "🎓",
      "}:claim",
      "x".repeat(10_000)
    ]
    const names = odd.flatMap((source) =>
      odd.flatMap((type) => odd.map((id) => keys.claim("grades", { source, type, id })))
    )
    assert.strictEqual(new Set(names).size, odd.length ** 3)
    for (const name of names) assert.match(name, /^eduflow:\{grades\/[\w-]{43}\}:claim$/)
    assert.notInclude(names, keys.formerClaim("grades", "a"))
  })
})
