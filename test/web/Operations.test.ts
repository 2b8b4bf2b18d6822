/** The operations over HTTP, on a real RabbitMQ: who is let in, what is answered, and what a page of another site can do. */
import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { byCommand } from "../../src/operations/Reports.ts"
import { api } from "../../src/web/Api.ts"
import { describeLive } from "../support/live.ts"
import { ask, key, served } from "./Served.ts"

const letters = "/api/dead-letters"

describeLive(
  "operations over HTTP",
  () => {
    it.live("looks, replays and discards for those who may, and says before what it would do", () =>
      Effect.gen(function* () {
        const { address, asked } = yield* served()
        const get = <A, I>(schema: Schema.Codec<A, I>, path: string) =>
          Effect.map(ask(address, path), ({ body, status }) => {
            assert.strictEqual(status, 200, JSON.stringify(body))
            return Schema.decodeUnknownSync(schema)(body)
          })
        const post = <A, I>(schema: Schema.Codec<A, I>, path: string, data: object) =>
          Effect.map(ask(address, path, key, data), ({ body, status }) => {
            assert.strictEqual(status, 200, JSON.stringify(body))
            return Schema.decodeUnknownSync(schema)(body)
          })
        const count = Effect.map(get(byCommand["dead-letters sources"], letters), ({ sources }) => sources[0]?.letters)

        yield* get(byCommand.doctor, "/api/doctor")
        assert.strictEqual(yield* count, 3)
        const page = yield* get(byCommand["dead-letters list"], `${letters}/mailer?limit=2&event=test.*`)
        assert.deepStrictEqual(
          page.letters.map(({ id }) => id),
          ["one", "two"]
        )
        const rest = yield* get(byCommand["dead-letters list"], `${letters}/mailer?after=${page.next}`)
        assert.deepStrictEqual(
          rest.letters.map(({ id }) => id),
          ["three"]
        )
        const one = yield* get(byCommand["dead-letters show"], `${letters}/mailer/one?body=true`)
        assert.deepInclude(one.body?.value, { data: { text: "one", pin: "<redacted>" } })

        const replay = byCommand["dead-letters replay"]
        const tried = yield* post(replay, `${letters}/mailer/replay`, { ids: ["one"] })
        assert.deepInclude(tried, { dryRun: true, replayed: 1 })
        assert.strictEqual(yield* count, 3)
        const replayed = yield* post(replay, `${letters}/mailer/replay?apply=true`, { ids: ["one"] })
        assert.deepInclude(replayed, { dryRun: false, replayed: 1 })
        assert.strictEqual(yield* count, 2)
        const discarded = yield* post(byCommand["dead-letters discard"], `${letters}/mailer/discard?apply=true`, {
          ids: ["two"]
        })
        assert.deepInclude(discarded, { dryRun: false, discarded: 1 })
        assert.strictEqual(yield* count, 1)
        assert.deepStrictEqual(
          asked.filter(({ verb }) => verb !== "look").map(({ path, verb }) => `${verb} ${path}`),
          [`replay ${letters}/mailer/replay`, `discard ${letters}/mailer/discard`]
        )
      })
    )

    it.live("answers nothing that was not let in, and changes nothing where it is read-only", () =>
      Effect.gen(function* () {
        const { address } = yield* served({ readOnly: true })
        const paths = ["/api/doctor", letters, `${letters}/mailer`, `${letters}/mailer/one`, "/api/openapi.json", "/x"]
        for (const path of paths) {
          const { body, status } = yield* ask(address, path, {})
          assert.strictEqual(status, 403, path)
          assert.notInclude(JSON.stringify(body), "pin-")
        }
        const dry = yield* ask(address, `${letters}/mailer/discard`, key, { all: true })
        assert.deepInclude(dry, { status: 200 })
        const wet = yield* ask(address, `${letters}/mailer/discard?apply=true`, key, { all: true })
        assert.strictEqual(wet.status, 403)
        const { body } = yield* ask(address, letters)
        assert.include(JSON.stringify(body), '"letters":3')
      })
    )

    it.live("is of no use to a page of another site", () =>
      Effect.gen(function* () {
        const { address } = yield* served()
        const path = `${letters}/mailer/discard?apply=true`
        const all = { all: true }
        const tries: ReadonlyArray<readonly [number, Record<string, string>]> = [
          [415, { ...key, "content-type": "text/plain" }],
          [415, { ...key, "content-type": "application/x-www-form-urlencoded" }],
          [403, { ...key, origin: "https://evil.example" }],
          [403, { ...key, origin: "null" }],
          [403, { ...key, "sec-fetch-site": "cross-site" }],
          [403, { ...key, "sec-fetch-site": "same-site" }],
          [421, { ...key, host: "evil.example" }]
        ]
        for (const [status, headers] of tries)
          assert.strictEqual((yield* ask(address, path, headers, all)).status, status, JSON.stringify(headers))
        const { body, headers } = yield* ask(address, letters)
        assert.include(JSON.stringify(body), '"letters":3')
        assert.include(headers["content-security-policy"], "default-src 'none'")
        assert.isUndefined(headers["access-control-allow-origin"])
        const own = yield* ask(address, path, { ...key, origin: address, "sec-fetch-site": "same-origin" }, all)
        assert.strictEqual(own.status, 200)
      })
    )

    it.live("says what is wrong with a request", () =>
      Effect.gen(function* () {
        const { address } = yield* served()
        const tries: ReadonlyArray<readonly [number, string, string, unknown?]> = [
          [404, `${letters}/mailer/nobody`, "nobody"],
          [400, `${letters}/mailer?olderThan=soon`, "olderThan"],
          [400, `${letters}/mailer?limit=many`, "limit"],
          [400, `${letters}/mailer/discard?apply=true`, "all", {}],
          [400, `${letters}/mailer/replay`, "rate", { rate: "fast" }],
          [400, `${letters}/mailer/replay`, "Payload", "{ids:"],
          [413, `${letters}/mailer/replay`, "65536", { ids: ["x".repeat(70_000)] }]
        ]
        for (const [status, path, word, data] of tries) {
          const answer = yield* ask(address, path, key, data)
          assert.strictEqual(answer.status, status, `${path}: ${JSON.stringify(answer.body)}`)
          assert.include(JSON.stringify(answer.body), word)
        }
        assert.deepInclude(yield* ask(address, letters, key, undefined, "DELETE"), { status: 405 })
        const document = yield* ask(address, "/api/openapi.json")
        assert.include(JSON.stringify(document.body), "/api/dead-letters/{source}/{id}")
        assert.strictEqual(api.identifier, "eventbus")
      })
    )
  },
  ["rabbit"]
)
