/** A line of NDJSON: faults are reported by line number, field and reason, without values. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { maxLineBytes, parse } from "../../../src/app/demo/EventLine.ts"

const lineOf = (bytes: Buffer, number = 3) => parse({ number, bytes, length: bytes.length })
const textLine = (text: string, number?: number) => lineOf(Buffer.from(text, "utf8"), number)
const accepted = {
  type: "social.connection.accepted",
  data: { fromId: "u-1", toId: "u-2", acceptedAt: "2026-09-07T08:00:00.000Z" }
}

describe("a good line", () => {
  it.effect("is an event of the catalog with its options", () =>
    Effect.gen(function* () {
      const options = {
        id: "i",
        key: "k",
        correlationId: "c",
        delay: "2 seconds",
        actor: { id: "u-2", role: "student" }
      }
      const parsed = yield* textLine(JSON.stringify({ ...accepted, ...options }))
      assert.strictEqual(parsed?.event.name, "social.connection.accepted")
      assert.deepStrictEqual(parsed?.data, { ...accepted.data, acceptedAt: new Date("2026-09-07T08:00:00.000Z") })
      assert.deepStrictEqual({ ...parsed?.line }, { ...accepted, ...options })
    })
  )

  it.effect("may end with a carriage return, and the first may start with a byte order mark", () =>
    Effect.gen(function* () {
      assert.isDefined(yield* textLine(`${JSON.stringify(accepted)}\r`))
      assert.isDefined(yield* textLine(`\ufeff${JSON.stringify(accepted)}`, 1))
      assert.isUndefined(yield* textLine("  \r"))
    })
  )
})

describe("a bad line", () => {
  const cases: ReadonlyArray<readonly [what: string, text: string, field: string, reason: RegExp]> = [
    ["not JSON", "{nope", "", /not JSON from character 2 on/],
    ["half a line", '{"type":', "", /not JSON/],
    ["not an object", "[1]", "", /Expected object/],
    ["no type", '{"data":{}}', "type", /Missing key/],
    ["a type that is not a string", '{"type":5,"data":{}}', "type", /Expected string/],
    ["no data", '{"type":"social.post.created"}', "data", /Missing key/],
    ["an unknown event", '{"type":"social.post.burned","data":{}}', "type", /unknown event "social.post.burned"/],
    ["an unknown field", JSON.stringify({ ...accepted, kee: 1 }), "kee", /excess/],
    ["half an actor", JSON.stringify({ ...accepted, actor: { id: "u-2" } }), "actor.role", /Missing key/],
    [
      "data that does not match its contract",
      JSON.stringify({ ...accepted, data: { ...accepted.data, acceptedAt: "soon" } }),
      "data.acceptedAt",
      /./
    ],
    ["a missing field of the data", JSON.stringify({ ...accepted, data: {} }), "data.fromId", /Missing key/],
    ["a byte order mark within the file", `\ufeff${JSON.stringify(accepted)}`, "", /not JSON/]
  ]
  it.effect.each(cases)("%s", ([, text, field, reason]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(textLine(text))
      assert.deepStrictEqual([error.line, error.field], [3, field])
      assert.match(error.reason, reason)
      assert.isTrue(error.message.startsWith(`line 3: ${field === "" ? "" : `${field}: `}`))
    })
  )

  it.effect("is not UTF-8", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(lineOf(Buffer.from([0x22, 0xff, 0x22])))
      assert.strictEqual(error.message, "line 3: it is not UTF-8")
    })
  )

  it.effect("is too long and was not kept", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(parse({ number: 3, bytes: undefined, length: maxLineBytes + 1 }))
      assert.strictEqual(error.message, `line 3: it has ${maxLineBytes + 1} bytes, the limit is ${maxLineBytes}`)
    })
  )

  it.effect("is not quoted if it is not JSON, because it may contain secrets", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(textLine('{"password": hunter2}'))
      assert.notInclude(error.message, "hunter2")
    })
  )
})
