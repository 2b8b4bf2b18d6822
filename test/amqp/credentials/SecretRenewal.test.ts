/** When the secret of a connection is renewed, and what becomes of an update that is never answered. */
import { assert, describe, it } from "@effect/vitest"
import type { ChannelModel } from "amqplib"
import { Deferred, Effect, Exit, Redacted, Result } from "effect"
import { TestClock } from "effect/testing"
import { settle } from "../../../src/amqp/AmqpOptions.ts"
import * as SecretRenewal from "../../../src/amqp/connection/SecretRenewal.ts"
import * as Token from "../../../src/amqp/connection/Token.ts"
import type { FreshCredentials } from "../../../src/amqp/Servers.ts"
import { BrokerError } from "../../../src/bus/port/BrokerError.ts"
import { ConnectionFailed } from "../../../src/bus/port/BrokerReason.ts"

const credentialsOf = (password: string, expiresAt?: number, username = "svc"): FreshCredentials => ({
  username,
  password: Redacted.make(password),
  ...(expiresAt !== undefined && { expiresAt: new Date(expiresAt) })
})

/** A connection that logged in with the first of these, and whose updates end as `answer` says. */
const stage = Effect.fnUntraced(function* (
  given: ReadonlyArray<FreshCredentials>,
  answer: () => Promise<void> = async () => {}
) {
  const [first, ...next] = given
  if (first === undefined) return assert.fail("no credentials")
  let asked = 0
  const taken: Array<string> = []
  const outcomes: Array<boolean> = []
  const updateSecret = (secret: Buffer): Promise<void> => {
    taken.push(secret.toString())
    return answer()
  }
  const ended = yield* Deferred.make<never, BrokerError>()
  const secret = yield* SecretRenewal.make(
    {
      // Nothing else of it is used.
      model: { updateSecret } as unknown as ChannelModel,
      address: "here:5672",
      username: first.username,
      credentials: { ...first, token: undefined },
      maxFrameBytes: 131_072
    },
    Result.getOrThrow(
      settle({
        servers: "amqp://localhost",
        namespace: "n",
        source: "s",
        credentials: Effect.sync(() => next[asked++] ?? next.at(-1) ?? first)
      })
    ),
    ended,
    (renewed) => void outcomes.push(renewed)
  )
  yield* Effect.forkScoped(secret.keep, { startImmediately: true })
  return { secret, ended, taken, outcomes, asked: () => asked }
})

describe("the secret of a connection", () => {
  it.effect("P11: is renewed when two thirds of its time are over, and not asked for before", () =>
    Effect.gen(function* () {
      const { asked, outcomes, taken } = yield* stage([
        credentialsOf("one", 60_000),
        credentialsOf("two", 100_000),
        credentialsOf("three")
      ])
      yield* TestClock.adjust(39_999)
      assert.strictEqual(asked(), 0)
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(taken, ["two"])
      yield* TestClock.adjust(40_000)
      assert.deepStrictEqual(taken, ["two", "three"])
      // The last one has no end.
      yield* TestClock.adjust("30 days")
      assert.strictEqual(asked(), 2)
      assert.deepStrictEqual(outcomes, [true, true])
    })
  )

  it.effect("P11: the same one again is not sent, and is asked for once a second at most", () =>
    Effect.gen(function* () {
      const { asked, taken } = yield* stage([credentialsOf("one", 60_000), credentialsOf("one", 60_000)])
      yield* TestClock.adjust("60 seconds")
      assert.isBelow(asked(), 12)
      yield* TestClock.adjust("60 seconds")
      assert.isAtMost(asked(), 72)
      assert.deepStrictEqual(taken, [])
    })
  )

  it.effect("P11: an update that is never answered ends after the call timeout, and is tried again", () =>
    Effect.gen(function* () {
      const { outcomes, secret, taken } = yield* stage(
        [credentialsOf("one", 60_000), credentialsOf("two")],
        () => new Promise<void>(() => {})
      )
      yield* TestClock.adjust(49_999)
      assert.deepStrictEqual([secret.fault(), outcomes], [undefined, []])
      yield* TestClock.adjust(1)
      assert.include(secret.fault(), "was not answered")
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(taken, ["two", "two"])
    })
  )

  it.effect("P11: an update that RabbitMQ refuses, which closes the connection, ends at once", () =>
    Effect.gen(function* () {
      const { ended, secret } = yield* stage(
        [credentialsOf("one", 60_000), credentialsOf("two")],
        () => new Promise<void>(() => {})
      )
      yield* TestClock.adjust(40_000)
      const closed = new BrokerError({ reason: new ConnectionFailed({ address: "here:5672", detail: "closed" }) })
      yield* Deferred.fail(ended, closed)
      yield* TestClock.adjust(0)
      assert.include(secret.fault(), 'refused user "svc"')
    })
  )

  it.effect("P11: credentials of another user need a new connection", () =>
    Effect.gen(function* () {
      const { ended, taken } = yield* stage([credentialsOf("one", 60_000), credentialsOf("two", 90_000, "svc-2")])
      yield* TestClock.adjust(40_000)
      assert.isTrue(yield* Deferred.isDone(ended))
      assert.isTrue(Exit.isFailure(yield* Effect.exit(Deferred.await(ended))))
      assert.deepStrictEqual(taken, [])
    })
  )

  it.effect("P11: refusals that come together ask once, and a new one within ten seconds does not ask", () =>
    Effect.gen(function* () {
      const { asked, secret } = yield* stage([credentialsOf("one"), credentialsOf("two"), credentialsOf("three")])
      yield* TestClock.adjust("1 minute")
      const renewed = yield* Effect.all([secret.renew(0), secret.renew(0)], { concurrency: "unbounded" })
      assert.deepStrictEqual([renewed, asked()], [[true, true], 1])
      assert.deepStrictEqual([yield* secret.renew(1), asked()], [false, 1])
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual([yield* secret.renew(1), asked()], [true, 2])
    })
  )
})

describe("what a token says of itself", () => {
  const jwt = (claims: unknown): string =>
    ["e30", Buffer.from(JSON.stringify(claims)).toString("base64url"), "c2lnbmF0dXJl"].join(".")

  it("P14: claims that help are named, and nothing of the token; other passwords are none", () => {
    const token = Token.read(
      jwt({ sub: "s", aud: ["a", "b"], scope: "x".repeat(1000), exp: 1, email: "e@f", jti: "id" })
    )
    assert.deepStrictEqual(token, {
      expiresAt: 1000,
      claims: `sub "s", aud "a b", scope "${"x".repeat(300)}", until 1970-01-01T00:00:01.000Z`
    })
    assert.deepStrictEqual(Token.read(jwt({})), { expiresAt: undefined, claims: "without an end" })
    assert.deepStrictEqual(Token.read(jwt({ exp: 1e300, sub: 7 }))?.claims, "without an end")
    for (const other of ["guest", "a.b.c", "a.b", jwt("text"), `${jwt({})}.more`, ""])
      assert.isUndefined(Token.read(other), other)
  })
})
