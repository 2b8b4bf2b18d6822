/** Processes and pauses over HTTP, on a real Redis: what is answered, who is named, and what a read-only server refuses. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { operations, type OperationsOptions, type OperatorRequest } from "../../src/index.ts"
import { byCommand } from "../../src/operations/Reports.ts"
import { verbOf } from "../../src/web/Guard.ts"
import { describeLive, freshNamespace, redisUrl } from "../support/live.ts"

const served = Effect.fnUntraced(function* (options: Partial<OperationsOptions> = {}) {
  const asked: Array<OperatorRequest> = []
  let address = ""
  yield* Layer.build(
    operations(
      {
        port: 0,
        authorize: (request) =>
          Effect.sync(() => {
            asked.push(request)
            return { name: "on call, Zoë" }
          }),
        onListen: (url) => (address = url),
        ...options
      },
      { url: "memory://", redisUrl: redisUrl(), namespace: freshNamespace() }
    )
  )
  const ask = <A, I>(schema: Schema.Codec<A, I>, path: string, data?: object) =>
    Effect.promise(async (): Promise<unknown> => {
      const response = await fetch(`${address}/api/${path}`, {
        ...(data !== undefined && { method: "POST", body: JSON.stringify(data) }),
        // A name that the caller makes up has no effect.
        headers: { "content-type": "application/json", "bus-operator": "mallory" }
      })
      assert.strictEqual(response.status, 200, await response.clone().text())
      return response.json()
    }).pipe(Effect.flatMap(Schema.decodeUnknownEffect(schema)))
  return { address, asked, ask }
})

describe("the verb of a request", () => {
  const verb = (path: string): string =>
    verbOf({ method: "POST", url: new URL(`http://here/api/${path}?apply=true`), headers: {} })

  it("is that of its last word, however it is written", () => {
    for (const word of ["pause", "resume", "release"]) assert.strictEqual(verb(`subscribers/mailer/${word}`), word)
    assert.strictEqual(verb("subscribers/mailer/%70ause"), "pause")
    assert.strictEqual(verb("dead-letters/pause/replay"), "replay")
    assert.strictEqual(verb("dead-letters/mailer/discard"), "discard")
    assert.strictEqual(verb("dead-letters/mailer/%E0"), "replay")
  })
})

describeLive(
  "subscribers over HTTP",
  () => {
    it.live("are listed, paused in the name of whom the service let in, and resumed", () =>
      Effect.gen(function* () {
        const { ask, asked } = yield* served()
        const { pause, ps, resume } = byCommand
        const reason = "the mail server is down"
        const tried = yield* ask(pause, "subscribers/mailer/pause", { reason })
        assert.deepInclude(tried, { dryRun: true, changed: true })
        assert.deepStrictEqual((yield* ask(ps, "ps")).paused, [])
        yield* ask(pause, "subscribers/mailer/pause?apply=true", { reason })
        const [paused] = (yield* ask(ps, "ps")).paused
        assert.deepInclude(paused, { subscriber: "mailer", by: "on call, Zoë", reason })
        assert.deepInclude(yield* ask(resume, "subscribers/mailer/resume?apply=true", {}), { changed: true })
        assert.deepStrictEqual((yield* ask(ps, "ps")).paused, [])
        assert.deepStrictEqual(
          asked.flatMap(({ path, verb }) => (verb === "look" ? [] : [`${verb} ${path}`])),
          ["pause /api/subscribers/mailer/pause", "resume /api/subscribers/mailer/resume"]
        )
      })
    )

    it.live("are not paused by a server that is read-only, nor by a wrong name", () =>
      Effect.gen(function* () {
        const post = (address: string, path: string) =>
          Effect.promise(async () => {
            const headers = { "content-type": "application/json" }
            const response = await fetch(`${address}/api/${path}`, { method: "POST", body: "{}", headers })
            return [response.status, await response.text()] as const
          })
        const readOnly = yield* served({ readOnly: true })
        for (const verb of ["pause", "resume", "release"]) {
          const [status, text] = yield* post(readOnly.address, `subscribers/mailer/${verb}?apply=true`)
          assert.strictEqual(status, 403, text)
        }
        const { address, ask } = yield* served()
        assert.strictEqual((yield* post(address, "subscribers/Mailer/pause?apply=true"))[0], 400)
        assert.deepStrictEqual((yield* ask(byCommand.ps, "ps")).paused, [])
      })
    )
  },
  ["redis"]
)
