/** Contracts of Standard Schemas: what is sent, what is read, what is refused, and what the errors say. */
import { assert, describe, it } from "@effect/vitest"
import { toStandardJsonSchema } from "@valibot/to-json-schema"
import { type } from "arktype"
import { Result, Schema } from "effect"
import * as v from "valibot"
import { z } from "zod"
import { Event, EventDefinitionError, EventGroup, InvalidEvent, sensitive } from "../../src/index.ts"
import * as Later from "../../src/event/standard/Later.ts"
import { redactedText } from "../../src/event/sensitive/Secrets.ts"

const name = "academic.grade.posted"
const zod = Event.make(name, {
  version: 1,
  data: z.object({ studentId: z.string().min(1), grade: z.number() }),
  key: (data) => data.studentId
})
const valibot = Event.make(name, {
  version: 1,
  data: v.object({ studentId: v.pipe(v.string(), v.minLength(1)), grade: v.number() }),
  key: (data) => data.studentId
})
const arktype = Event.make(name, {
  version: 1,
  data: type({ studentId: "string > 0", grade: "number" }),
  key: (data) => data.studentId
})

const failureOf = (result: Result.Result<unknown, unknown>): InvalidEvent => {
  assert.isTrue(Result.isFailure(result))
  const failure = Result.isFailure(result) ? result.failure : undefined
  assert.instanceOf(failure, InvalidEvent)
  return failure as InvalidEvent
}
const faultsOf = (result: Result.Result<unknown, unknown>) => failureOf(result).faults

describe("a contract of a Standard Schema", () => {
  for (const [library, event] of Object.entries({ zod, valibot, arktype })) {
    describe(`of ${library}`, () => {
      it("sends what is valid, and reads it", () => {
        const grade = { studentId: "s-1", grade: 93 }
        assert.deepStrictEqual(event.dataCodec.encode(grade), Result.succeed(grade))
        assert.deepStrictEqual(event.dataCodec.decode(1, grade), Result.succeed(grade))
        assert.strictEqual(event.keyOf(grade), "s-1")
      })

      it("names the path of each fault", () => {
        const wrong = { studentId: 5, grade: "A" }
        for (const faults of [faultsOf(event.dataCodec.encode(wrong)), faultsOf(event.dataCodec.decode(1, wrong))])
          assert.sameMembers(
            faults.map(({ path }) => path),
            ["data.studentId", "data.grade"]
          )
      })

      it("shows a subscriber no value, whatever the library quotes", () => {
        const [fault] = faultsOf(event.dataCodec.decode(1, { studentId: "s-1", grade: "confidential-text" }))
        assert.notInclude(fault?.expected, "confidential-text")
        assert.strictEqual(fault?.path, "data.grade")
      })

      it("refuses a version that it does not know, and bytes", () => {
        const newer = event.dataCodec.decode(2, {})
        assert.strictEqual(Result.isFailure(newer) ? newer.failure._tag : "", "UnknownVersion")
        assert.match(failureOf(event.dataCodec.decode(1, new Uint8Array(3))).message, /got bytes/)
      })
    })
  }

  it("sends no field that changes nothing", () => {
    const encoded = zod.dataCodec.encode({ studentId: "s-1", grade: 93, password: "not for the wire" })
    assert.deepStrictEqual(encoded, Result.succeed({ studentId: "s-1", grade: 93 }))
  })

  it("sends the fields that a transform reads", () => {
    const renamed = Event.make("a.b", {
      version: 1,
      data: z.object({ old: z.string() }).transform(({ old }) => ({ renamed: old }))
    })
    assert.deepStrictEqual(renamed.dataCodec.encode({ old: "x" }), Result.succeed({ old: "x" }))
    assert.deepStrictEqual(renamed.dataCodec.decode(1, { old: "x" }), Result.succeed({ renamed: "x" }))
  })

  it("has the input on the wire, and gives the output to handlers", () => {
    const event = Event.make("a.b", {
      version: 1,
      data: z.object({
        at: z.iso.datetime().transform((text) => new Date(text)),
        count: z.int().default(1),
        email: z.string().toLowerCase()
      }),
      key: (data) => `${data.email}/${data.at.getUTCFullYear()}`
    })
    const input: Event.Input<typeof event> = { at: "2026-01-15T09:30:00.000Z", email: "A@B.C" }
    assert.deepStrictEqual(event.dataCodec.encode(input), Result.succeed(input))
    const output: Event.Data<typeof event> = { at: new Date("2026-01-15T09:30:00.000Z"), count: 1, email: "a@b.c" }
    assert.deepStrictEqual(event.dataCodec.decode(1, input), Result.succeed(output))
    assert.strictEqual(event.keyOf(output), "a@b.c/2026")
  })

  it("refuses input that JSON cannot hold, with its path", () => {
    const event = Event.make("a.b", { version: 1, data: z.object({ inner: z.array(z.any()), b: z.any().optional() }) })
    for (const value of [new Date(), 1n, Number.NaN, undefined, () => 1, new Map()]) {
      const [fault] = faultsOf(event.dataCodec.encode({ inner: [1, value] }))
      assert.strictEqual(fault?.path, "data.inner.1")
      assert.match(fault?.expected ?? "", /^expected a JSON value/)
    }
    assert.deepStrictEqual(event.dataCodec.encode({ inner: [], b: undefined }), Result.succeed({ inner: [] }))
    let deep: unknown = 1
    for (let i = 0; i < 70; i++) deep = [deep]
    assert.match(failureOf(event.dataCodec.encode({ inner: [deep] })).message, /nests deeper than 64/)
  })

  it("survives validators that throw, and drops what they threw", async () => {
    const fail = (): string => {
      throw new Error("quotes a secret")
    }
    const atOnce = Event.make("a.b", { version: 1, data: v.pipe(v.string(), v.transform(fail)) })
    // zod begins anew, asynchronously.
    const later = Event.make("a.b", { version: 1, data: z.string().transform(fail) })
    const results: Array<Result.Result<unknown, unknown>> = [
      atOnce.dataCodec.encode("x"),
      atOnce.dataCodec.decode(1, "x")
    ]
    for (const outcome of [later.dataCodec.validate?.("x"), later.dataCodec.decode(1, "x")]) {
      assert.isDefined(outcome)
      const wait = outcome === undefined ? undefined : Later.waiting<unknown>(outcome)
      assert.isDefined(wait)
      if (wait !== undefined) results.push(await wait)
    }
    for (const result of results) {
      assert.match(failureOf(result).message, /the schema of version 1 threw an error/)
      assert.notInclude(failureOf(result).message, "secret")
    }
  })

  it("is refused where it is no schema", () => {
    const wrong: ReadonlyArray<unknown> = [{ "~standard": { version: 1 } }, { parse: () => 1 }, "z.object"]
    for (const data of wrong)
      assert.throws(
        // Callers come from outside of TypeScript too.
        () => Event.make("a.b", { version: 1, data: data as z.ZodType }),
        EventDefinitionError,
        /neither a schema of effect 4 nor a Standard Schema/
      )
  })
})

describe("sensitive paths", () => {
  const event = Event.make("user.account.registered", {
    version: 1,
    data: z.object({
      email: z.email({ error: (issue) => `not an address: ${String(issue.input)}` }),
      cards: z.array(z.object({ number: z.string().max(4, { error: (issue) => `too long: ${String(issue.input)}` }) })),
      note: z.string().refine((text) => text !== "no", { error: (issue) => `never "${String(issue.input)}"` })
    }),
    sensitive: ["email", "cards.*.number"]
  })

  it("hide values in the publisher's errors, and no others", () => {
    const faults = faultsOf(
      event.dataCodec.encode({ email: "alice-at-home", cards: [{ number: "4111111111" }], note: "no" })
    )
    const text = JSON.stringify(faults)
    assert.notInclude(text, "alice")
    assert.notInclude(text, "4111")
    assert.include(text, redactedText)
    assert.sameMembers(
      faults.map(({ path }) => path),
      ["data.email", "data.cards.0.number", "data.note"]
    )
    const [own] = faultsOf(event.dataCodec.encode({ email: "a@b.cd", cards: [], note: "no" }))
    assert.strictEqual(own?.expected, 'never "no"')
  })

  it("hide values in texts of handlers", () => {
    const data = { email: "alice@home.example", cards: [{ number: "4111" }], note: "fine" }
    assert.strictEqual(
      event.dataCodec.redact("failed for alice@home.example with 4111: fine", data),
      `failed for ${redactedText} with ${redactedText}: fine`
    )
  })

  it("are typed, and refused where they cannot hold", () => {
    const data = z.object({ email: z.string() })
    // @ts-expect-error no field has this name
    Event.make("a.b", { version: 1, data, sensitive: ["emial"] })
    assert.throws(
      () =>
        Event.make("a.b", {
          version: 1,
          data: Schema.Struct({ email: Schema.String }),
          // @ts-expect-error a schema of Effect has marks
          sensitive: ["email"]
        }),
      EventDefinitionError,
      /Mark its fields/
    )
  })
})

describe("versions", () => {
  const V1 = z.object({ a: z.string().transform(Number) })
  const event = Event.make("a.b", {
    version: 3,
    data: z.object({ a: z.number().max(9), b: z.string().toUpperCase(), c: z.boolean().default(true) }),
    previous: [
      { version: 1, data: V1, up: (old) => ({ a: old.a, b: "one" }) },
      { version: 2, data: Schema.Struct({ a: Schema.Finite, b: Schema.String }), up: (old) => ({ ...old }) }
    ]
  })

  it("of both kinds go up, each from its output to the input of the next", () => {
    assert.deepStrictEqual(event.dataCodec.decode(1, { a: "7" }), Result.succeed({ a: 7, b: "ONE", c: true }))
    assert.deepStrictEqual(event.dataCodec.decode(2, { a: 7, b: "x" }), Result.succeed({ a: 7, b: "X", c: true }))
    assert.deepStrictEqual(event.dataCodec.toInput(1, { a: "7" }), Result.succeed({ a: 7, b: "one" }))
  })

  it("say where an upcaster gave what the next version refuses", () => {
    const [fault] = faultsOf(event.dataCodec.decode(1, { a: "70" }))
    assert.strictEqual(fault?.path, "data.a")
    assert.match(fault?.expected ?? "", /^upcasting version 1 gave data that version 3 does not accept: /)
  })

  it("become a schema of Effect", () => {
    const moved = Event.make("a.b", {
      version: 2,
      data: Schema.Struct({ email: sensitive(Schema.String), at: Schema.Date }),
      previous: [{ version: 1, data: v.object({ email: v.string() }), up: (old) => ({ ...old, at: new Date(0) }) }]
    })
    assert.deepStrictEqual(moved.dataCodec.decode(1, { email: "x" }), Result.succeed({ email: "x", at: new Date(0) }))
    assert.deepStrictEqual(
      moved.dataCodec.encode({ email: "x", at: new Date(0) }),
      Result.succeed({ email: "x", at: "1970-01-01T00:00:00.000Z" })
    )
    assert.strictEqual(moved.dataCodec.redact("of secret-mail", { email: "secret-mail" }), `of ${redactedText}`)
  })

  it("have upcasters that the compiler checks", () => {
    Event.make("a.b", {
      version: 2,
      data: z.object({ a: z.string(), b: z.string() }),
      previous: [
        {
          version: 1,
          data: z.object({ a: z.string() }),
          // @ts-expect-error `b` is missing
          up: (old) => old
        }
      ]
    })
  })
})

describe("JSON Schema", () => {
  const dated = v.object({ at: v.pipe(v.string(), v.isoTimestamp()) })

  it("is that of the input, where the library gives it", () => {
    const documents = EventGroup.make(
      zod,
      Event.make("a.arktype", { version: 1, data: type({ n: "number" }) }),
      Event.make("a.valibot", { version: 1, data: toStandardJsonSchema(dated) })
    ).jsonSchema()
    for (const event of [name, "a.arktype", "a.valibot"])
      assert.strictEqual(documents[event]?.schema["type"], "object", event)
  })

  it("says which library gives none, and what to do", () => {
    const group = EventGroup.make(Event.make("a.b", { version: 1, data: dated }))
    assert.throws(() => group.jsonSchema(), /library valibot gives no JSON Schema: .*toStandardJsonSchema/)
  })

  it("of a recursive schema refers to itself", () => {
    interface Node {
      readonly name: string
      readonly below: ReadonlyArray<Node>
    }
    const node: z.ZodType<Node, Node> = z.object({
      name: z.string(),
      get below() {
        return z.array(node).readonly()
      }
    })
    const { definitions, schema } = EventGroup.make(Event.make("a.b", { version: 1, data: node })).jsonSchema()["a.b"]!
    const target = String(schema["$ref"]).replace("#/$defs/", "")
    assert.include(JSON.stringify(definitions[target]), String(schema["$ref"]))
  })
})

describe("types", () => {
  it("refuse data that JSON cannot hold", () => {
    const event = Event.make("a.b", { version: 1, data: z.object({ at: z.date() }) })
    // @ts-expect-error a Date is not JSON
    const data: Event.Input<typeof event> = { at: new Date() }
    assert.strictEqual(faultsOf(event.dataCodec.encode(data))[0]?.path, "data.at")
  })
})
