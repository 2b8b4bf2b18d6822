/** Every contract of the catalog is sound: round trips, keys, versions, schemas, sensitive fields. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Equal, Result, Schema, SchemaAST } from "effect"
import { academic, catalog, Email, kyc, letterOf, notification, social, user } from "../../src/catalog/index.ts"
import * as WireFormat from "../../src/event/WireFormat.ts"
import { nameFault } from "../../src/event/Name.ts"
import { sensitivePaths } from "../../src/event/sensitive/Sensitive.ts"
import { isEffectSchema } from "../../src/event/standard/StandardSchema.ts"
import type { Event } from "../../src/index.ts"
import { bodyOf, dataOf, failure, parse, succeed } from "../event/support.ts"

const utf8 = (text: string): number => Buffer.byteLength(text)

/** The value at a path; `*` is the first element or key. */
const at = (value: unknown, path: ReadonlyArray<string>): unknown => {
  const [part, ...rest] = path
  if (part === undefined || typeof value !== "object" || value === null) return path.length === 0 ? value : undefined
  return at(Object.entries(value).find(([name]) => part === "*" || name === part)?.[1], rest)
}

const replaced = (value: unknown, path: ReadonlyArray<string>, by: unknown): unknown => {
  const [part, ...rest] = path
  if (part === undefined) return by
  if (typeof value !== "object" || value === null) return value
  if (Array.isArray(value)) return value.map((item) => replaced(item, rest, by))
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, name === part ? replaced(item, rest, by) : item])
  )
}

/** The catalogue has schemas of Effect alone. */
const typeAst = (event: Event.Any | undefined): SchemaAST.AST => {
  const schema: unknown = event?.schema
  assert(isEffectSchema(schema))
  return SchemaAST.toType(schema.ast)
}

describe("the catalog", () => {
  it("has every domain, each event once, under its domain's name", () => {
    const groups = { academic, user, social, notification, kyc }
    for (const [domain, group] of Object.entries(groups)) {
      for (const event of group.events) {
        assert.isTrue(event.name.startsWith(`${domain}.`), event.name)
        assert.strictEqual<unknown>(catalog.get(event.name), event)
      }
    }
    const count = Object.values(groups).reduce((sum, group) => sum + group.events.length, 0)
    assert.strictEqual(catalog.events.length, count)
    assert.isAtLeast(count, 25)
  })

  it("is JSON Schema with patterns that other languages can read", () => {
    const schemas = catalog.jsonSchema()
    assert.sameMembers(
      Object.keys(schemas),
      catalog.events.map((event) => event.name)
    )
    const text = JSON.stringify(schemas)
    assert.include(text, String.raw`"pattern":"^[a-z0-9][a-z0-9-]{0,63}$"`)
    for (const { dialect, schema } of Object.values(schemas)) {
      assert.strictEqual(dialect, "draft-2020-12")
      assert.strictEqual(schema["type"], "object")
    }
  })

  it("marks personal fields as sensitive", () => {
    const hidden = (name: string) => {
      const event = catalog.get(name)
      assert.isDefined(event)
      return sensitivePaths(typeAst(event)).map((path) => path.join("."))
    }
    assert.sameMembers(hidden("user.account.registered"), ["name.given", "name.family", "email", "birthDate"])
    assert.sameMembers(hidden("user.profile.updated"), ["displayName", "email"])
    assert.sameMembers(hidden("kyc.document.submitted"), [
      "number",
      "holder.name.given",
      "holder.name.family",
      "holder.birthDate"
    ])
    assert.sameMembers(hidden("kyc.document.reviewed"), ["note"])
    assert.sameMembers(hidden("notification.dispatch.requested"), [
      "target.address",
      "target.number",
      "target.deviceToken",
      "values"
    ])
    for (const { name } of catalog.events) {
      for (const field of ["email", "birthDate", "given", "family", "number"]) {
        const fields = JSON.stringify(catalog.jsonSchema()[name]).includes(`"${field}":{`)
        if (fields)
          assert.isTrue(
            hidden(name).some((path) => path.split(".").includes(field)),
            `${name}: ${field}`
          )
      }
    }
  })

  it("keeps the most personal events out of the cache", () => {
    for (const name of [
      "user.account.registered",
      "kyc.document.submitted",
      "kyc.document.reviewed",
      "notification.dispatch.requested"
    ]) {
      assert.strictEqual(catalog.get(name)?.cache, false, name)
    }
  })
})

describe.each(catalog.events.map((event) => ({ name: event.name as string, event })))("$name", ({ event }) => {
  it("has a name that the broker can route", () => assert.isUndefined(nameFault(event.name)))

  it.effect.prop("round trips through JSON", [dataOf(event)], ([data]) =>
    Effect.sync(() => {
      const text = JSON.stringify(succeed(event.dataCodec.encode(data)))
      const back = succeed(event.dataCodec.decode(event.version, JSON.parse(text)))
      if (!Equal.equals(back, data)) assert.deepStrictEqual(back, data)
      assert.strictEqual(JSON.stringify(succeed(event.dataCodec.encode(back))), text)
    })
  )

  it.effect.prop("has a key of 1 to 255 bytes", [dataOf(event)], ([data]) =>
    Effect.sync(() => {
      const key = event.keyOf(data)
      assert.isString(key)
      assert.isAtLeast(utf8(key ?? ""), 1)
      assert.isAtMost(utf8(key ?? ""), 255)
    })
  )

  it.effect.prop("is accepted as a complete body, within the limits", [dataOf(event)], ([data]) =>
    Effect.sync(() => {
      const body = bodyOf(event, data)
      const envelope = succeed(WireFormat.decode(succeed(parse(body)), event))
      assert.strictEqual(envelope.key, event.keyOf(data))
      assert.strictEqual(envelope.version, event.version)
      assert.isTrue(Equal.equals(envelope.data, data))
    })
  )

  it.effect("never shows a sensitive value, whatever is wrong with it", () =>
    Effect.gen(function* () {
      const paths = sensitivePaths(typeAst(event))
      const samples = yield* Arbitrary.sampleEffect(dataOf(event), { count: 40, seed: event.name })
      for (const path of paths) {
        const canary = `s3cret canary ${"x".repeat(2000)}`
        const wrongs = [canary, { inner: canary }, [canary, canary]]
        // Every member of a union must have occurred.
        assert.isTrue(
          samples.some((data) => at(data, path) !== undefined),
          path.join(".")
        )
        for (const data of samples.filter((sample) => at(sample, path) !== undefined)) {
          for (const wrong of wrongs) {
            const broken = replaced(data, path, wrong)
            for (const result of [event.dataCodec.encode(broken), event.dataCodec.decode(event.version, broken)]) {
              if (Result.isSuccess(result)) throw new Error(`${path.join(".")} accepts ${JSON.stringify(wrong)}`)
              assert.notInclude(JSON.stringify(result.failure) + result.failure.message, "s3cret")
            }
          }
        }
      }
    })
  )
})

describe("older versions", () => {
  const decode = (name: string, version: number, json: unknown) => {
    const body = JSON.stringify({
      specversion: "1.0",
      id: "1",
      source: "old",
      type: name,
      dataschema: `urn:event:${name}:${version}`,
      data: json
    })
    const envelope = succeed(WireFormat.decode(succeed(parse(body)), catalog.get(name)))
    // The result of an upcaster must be valid in the newest version.
    succeed(catalog.get(name)!.dataCodec.encode(envelope.data))
    assert.strictEqual(envelope.version, version)
    return envelope.data
  }

  it("a grade of version 1 and 2 becomes one with a score", () => {
    const v1 = { studentId: "u-1", courseId: "c-7", grade: 93 }
    const newest = { studentId: "u-1", courseId: "c-7", score: { points: 93, outOf: 100 }, letter: "A" }
    assert.deepStrictEqual(decode("academic.grade.posted", 1, v1), newest)
    assert.deepStrictEqual(decode("academic.grade.posted", 2, { ...v1, letter: "A" }), newest)
    assert.deepStrictEqual(decode("academic.grade.posted", 3, newest), newest)
  })

  it("a profile of version 1 stays within the school", () => {
    assert.deepStrictEqual(
      decode("user.profile.updated", 1, { userId: "u-1", name: "Ada L.", email: "ada@example.edu" }),
      {
        userId: "u-1",
        displayName: "Ada L.",
        email: "ada@example.edu",
        locale: "en",
        links: [],
        visibility: "school"
      }
    )
  })

  it("a post of version 1 is for everyone", () => {
    assert.deepStrictEqual(decode("social.post.created", 1, { postId: "p-1", authorId: "u-1", text: "hi" }), {
      postId: "p-1",
      authorId: "u-1",
      text: "hi",
      audience: { _tag: "Everyone" },
      tags: [],
      attachments: []
    })
  })

  it("at least three events have a history of versions", () => {
    assert.sameMembers(
      catalog.events.filter((event) => event.version > 1).map((event) => `${event.name}@${event.version}`),
      ["academic.grade.posted@3", "user.profile.updated@2", "social.post.created@2"]
    )
  })

  it("invalid data of an old version is reported with its path, without its value", () => {
    const fault = failure(
      catalog.get("academic.grade.posted")!.dataCodec.decode(1, { studentId: "u-1", courseId: "c-7", grade: 12345 })
    )
    assert.include(fault.message, "data.grade")
    assert.notInclude(fault.message, "12345")
  })
})

describe("fields", () => {
  const valid = (schema: Schema.Codec<string, string>, value: string) =>
    Result.isSuccess(Schema.decodeResult(schema)(value))

  it("e-mail addresses", () => {
    for (const good of ["a@b.de", "first.last+tag@mail.example.co.uk"]) assert.isTrue(valid(Email, good), good)
    for (const bad of ["", "a", "a@b", "a@@b.de", "a b@c.de", "a@b.de\n", `${"a".repeat(65)}@b.de`])
      assert.isFalse(valid(Email, bad), bad)
  })

  it("days exist in the calendar", () => {
    const course = (startsOn: string) => ({
      courseId: "c-1",
      title: "T",
      teacherId: "u-1",
      term: { name: "A", startsOn, endsOn: "2026-12-31" },
      credits: 5,
      topics: []
    })
    const contract = catalog.get("academic.course.published")!.dataCodec
    for (const good of ["2026-09-01", "2024-02-29", "2000-02-29"]) succeed(contract.encode(course(good)))
    for (const bad of [
      "2026-02-29",
      "1900-02-29",
      "2026-04-31",
      "2026-13-01",
      "2026-9-1",
      "2026-09-01T00:00:00Z",
      "2026-09-01\n"
    ]) {
      assert.include(failure(contract.encode(course(bad))).message, "term.startsOn", bad)
    }
  })

  it("refuses more points than the maximum", () => {
    const contract = catalog.get("academic.grade.posted")!.dataCodec
    const grade = { studentId: "u-1", courseId: "c-7", letter: "A", score: { points: 101, outOf: 100 } }
    assert.include(
      failure(contract.encode(grade)).message,
      "data.score: Expected at most as many points as the maximum"
    )
  })

  it("letters follow the percentage", () => {
    assert.deepStrictEqual([100, 90, 89.9, 80, 70, 60, 59.9, 0].map(letterOf), ["A", "A", "B", "B", "C", "D", "F", "F"])
  })
})
