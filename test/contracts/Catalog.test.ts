/** EduFlow's catalogue against its own snapshot, and what the gate says of an example that breaks. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { Event } from "../../src/index.ts"
import { catalog, GradePosted } from "../../src/catalog/index.ts"
import * as Check from "../../src/contracts/Check.ts"
import * as JsonSchemas from "../../src/contracts/documents/JsonSchemas.ts"
import * as Snapshot from "../../src/contracts/Snapshot.ts"
import * as Upcasters from "../../src/contracts/Upcasters.ts"
import * as Example from "../../examples/operate/contracts.ts"
import { read } from "../house/Sources.ts"

const committed = Result.getOrThrow(Snapshot.parse(read("src/catalog/contracts.snapshot.json")))

describe("EduFlow's catalogue", () => {
  it.effect("is as its snapshot says, and its upcasters are proven", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(Result.getOrThrow(Snapshot.parse(Snapshot.print(Snapshot.of(catalog.events)))), committed)
      assert.deepStrictEqual(yield* Check.run(committed, catalog.events), [])
      assert.isAbove(catalog.events.filter(({ previous }) => previous.length > 0).length, 2)
    })
  )

  it.effect("an upcaster of it that forgets something is shown by a small example", () =>
    Effect.gen(function* () {
      const [first, second] = GradePosted.previous
      assert.isDefined(first)
      assert.isDefined(second)
      const broken: Event.Any = {
        ...GradePosted,
        // Forgets that there are grades below 60.
        previous: [{ ...first, up: (old) => ({ ...Object(old), letter: Object(old).grade >= 60 ? "D" : "E" }) }, second]
      }
      const [found, ...more] = yield* Upcasters.prove(broken)
      assert.deepStrictEqual(more, [])
      assert.deepStrictEqual([found?.rule, found?.version], ["upcaster-fails", 1])
      assert.match(
        found?.seen ?? "",
        /^\{"studentId":".","courseId":".","grade":0\} becomes what version 2 refuses: letter: /
      )
    })
  )

  it("has a JSON Schema for each event and version", () => {
    const schemas = JsonSchemas.of(catalog.events)
    assert.includeMembers(Object.keys(schemas), ["academic.grade.posted.v1", "academic.grade.posted.v3"])
  })
})

describe("an example that breaks", () => {
  it.effect("is answered with the sentence that one needs", () =>
    Effect.gen(function* () {
      const subscribers = [{ name: "notification.grade-mailer", events: ["academic.grade.posted"] }]
      const changed = Event.make("academic.grade.posted", {
        version: 1,
        data: Schema.Struct({ studentId: Schema.String, grade: Schema.String }),
        key: (grade) => grade.studentId
      })
      assert.deepStrictEqual(yield* Check.run(Snapshot.of([Example.GradePosted]), [changed], subscribers), [
        {
          rule: "type-changed",
          level: "breaking",
          event: "academic.grade.posted",
          version: 1,
          field: "grade",
          affected: ["old", "new", "publishers"],
          subscribers: ["notification.grade-mailer"],
          seen: "was number and is string",
          way: "Give academic.grade.posted the version 2, and put version 1 with an upcaster into `previous`"
        }
      ])
    })
  )
})
