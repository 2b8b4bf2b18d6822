/** A dead letter is corrected over HTTP, on a real RabbitMQ; and what a server says of itself, of RabbitMQ and of its work. */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Schedule, Schema } from "effect"
import { byCommand } from "../../src/operations/Reports.ts"
import { Session, Work } from "../../src/web/WebReports.ts"
import { Posted } from "../mcp/contracts.ts"
import { describeLive } from "../support/live.ts"
import { ask, key, served } from "./Served.ts"

const letters = "/api/dead-letters"

describeLive(
  "one letter and the server over HTTP",
  () => {
    it.live("a letter is corrected by a patch, as its contract allows, after a dry run", () =>
      Effect.gen(function* () {
        const { address, asked } = yield* served()
        const edit = (query: string, body: object) => ask(address, `${letters}/mailer/one/edit${query}`, key, body)
        const decode = Schema.decodeUnknownSync(byCommand["dead-letters edit"])
        const tried = decode((yield* edit("", { patch: { text: "better" } })).body)
        assert.deepInclude(tried, { dryRun: true, id: "one", event: "test.posted", changed: ["data.text"] })
        const wrong = yield* edit("?apply=true", { patch: { text: 7 } })
        assert.strictEqual(wrong.status, 400)
        assert.include(JSON.stringify(wrong.body), "data.text")
        for (const path of ["one/edit", "replay"]) {
          const soon = yield* ask(address, `${letters}/mailer/${path}`, key, {
            ...(path === "replay" ? {} : { patch: { text: "better" } }),
            expiresAfter: "soon"
          })
          assert.strictEqual(soon.status, 400, path)
          assert.match(JSON.stringify(soon.body), /expiresAfter: .+1 millisecond to 3650 days/)
        }
        for (const body of [{}, { patch: {}, data: {} }]) {
          const both = yield* edit("", body)
          assert.strictEqual(both.status, 400)
          assert.include(JSON.stringify(both.body), "`data` or `patch`")
        }
        assert.deepInclude(decode((yield* edit("?apply=true", { patch: { text: "better" } })).body), { dryRun: false })
        const gone = yield* ask(address, `${letters}/mailer/one`)
        assert.strictEqual(gone.status, 404)
        assert.deepStrictEqual(
          [...new Set(asked.flatMap(({ path, verb }) => (verb === "look" ? [] : [`${verb} ${path}`])))],
          [`edit ${letters}/mailer/one/edit`]
        )
        assert.isTrue(asked.every(({ address }) => address === "127.0.0.1"))
      })
    )

    it.live("nothing is corrected where the server is read-only, and it says that it is", () =>
      Effect.gen(function* () {
        const { address } = yield* served({ readOnly: true })
        const refused = yield* ask(address, `${letters}/mailer/one/edit?apply=true`, key, { patch: { text: "better" } })
        assert.strictEqual(refused.status, 403)
        const { body } = yield* ask(address, "/api/session")
        assert.deepInclude(Schema.decodeUnknownSync(Session)(body), {
          operator: "on call",
          readOnly: true,
          events: ["test.posted"],
          subscribers: ["mailer"]
        })
      })
    )

    it.live("the topology is compared with what the known subscribers declare", () =>
      Effect.gen(function* () {
        const { address } = yield* served({
          subscribers: [
            { name: "mailer", events: [Posted] },
            { name: "archive", events: [Posted] }
          ]
        })
        const { body } = yield* ask(address, "/api/topology")
        const { differences } = Schema.decodeUnknownSync(byCommand["topology plan"])(body)
        const missing = differences.flatMap(({ entity, kind }) => (kind === "missing" ? [entity] : []))
        assert.isTrue(missing.length > 0 && missing.every((entity) => entity.includes("archive")), missing.join())
      })
    )

    it.live("a replay says how far it is, to whom it was named and to others", () =>
      Effect.gen(function* () {
        const { address } = yield* served()
        const replay = yield* Effect.forkChild(
          ask(address, `${letters}/mailer/replay?apply=true&work=mine`, key, { rate: 2 }),
          { startImmediately: true }
        )
        const running = Effect.map(
          ask(address, "/api/work"),
          ({ body }) => Schema.decodeUnknownSync(Work)(body).running
        )
        const [one] = yield* Effect.repeat(running, {
          until: ([one]) => (one?.done ?? 0) > 0,
          schedule: Schedule.upTo(Schedule.spaced("20 millis"), { times: 1000 })
        })
        assert.deepInclude(one, {
          work: "mine",
          verb: "replay",
          source: "mailer",
          by: "on call",
          dryRun: false,
          found: 3
        })
        assert.strictEqual((yield* Fiber.join(replay)).status, 200)
        assert.deepStrictEqual(yield* running, [])
      })
    )
  },
  ["rabbit"]
)
