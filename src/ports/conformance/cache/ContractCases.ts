/** Remembered events as the contracts see them: older versions, and bodies that do not fit. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as WireFormat from "../../../event/WireFormat.ts"
import * as Event from "../../../event/Event.ts"
import { assert } from "../Assert.ts"
import { base } from "./CacheModel.ts"
import { type CacheCase, cacheCase, entry, fresh } from "./CacheCase.ts"

export const contractCases: ReadonlyArray<CacheCase> = [
  cacheCase("decodes by the contract that asks, older versions included", ({ events, write }) =>
    Effect.gen(function* () {
      const name = fresh()
      const V1 = Schema.Struct({ studentId: Schema.String, grade: Schema.Finite })
      const V2 = Schema.Struct({ studentId: Schema.String, grade: Schema.Finite, scale: Schema.String })
      const Old = Event.make(name, { version: 1, data: V1, key: (data) => data.studentId })
      const New = Event.make(name, {
        version: 2,
        data: V2,
        key: (data) => data.studentId,
        previous: [{ version: 1, data: V1, up: (old) => ({ ...old, scale: "percent" }) }]
      })
      const encodeOld = WireFormat.encoder(Old, "test")
      const head = { key: "s-1", correlationId: undefined, causationId: undefined, actor: undefined }
      const text = encodeOld({ ...head, id: "e-1", time: base }, { studentId: "s-1", grade: 93 })
      yield* write(entry(name, 1, { key: "s-1", body: Buffer.from(text) }))
      const found = Option.getOrThrow(yield* events.last(New, "s-1"))
      assert.deepStrictEqual(found.data, { studentId: "s-1", grade: 93, scale: "percent" })
      assert.deepStrictEqual([found.id, found.key, found.version, found.time.getTime()], ["e-1", "s-1", 1, base])
      assert.deepStrictEqual(
        (yield* events.history(New)).map((event) => event.data.scale),
        ["percent"]
      )
      assert.isTrue(Option.isNone(yield* events.last(New, "s-2")))
      const newer = WireFormat.encoder(New, "test")(
        { ...head, id: "e-2", time: base + 1 },
        { studentId: "s-1", grade: 1, scale: "x" }
      )
      yield* write(entry(name, 2, { key: "s-1", body: Buffer.from(newer) }))
      assert.strictEqual((yield* Effect.flip(events.last(Old, "s-1"))).reason._tag, "Corrupt")
    })
  ),
  cacheCase("P14: a body that does not fit is Corrupt, and the error does not quote it", ({ events, write }) =>
    Effect.gen(function* () {
      const Secret = Event.make(fresh(), { version: 1, data: Schema.Struct({ token: Schema.Finite }) })
      const body = WireFormat.encoder(Secret, "test")(
        {
          id: "e-1",
          time: base,
          key: undefined,
          correlationId: undefined,
          causationId: undefined,
          actor: undefined
        },
        { token: "hunter2" }
      )
      for (const [i, text] of ["hunter2 is no JSON", `{"hunter2":1}`, body].entries()) {
        yield* write(entry(Secret.name, i, { body: Buffer.from(text) }))
        const error = yield* Effect.flip(events.last(Secret))
        assert.strictEqual(error.reason._tag, "Corrupt")
        assert.isFalse(error.isRetryable)
        assert.notInclude(error.message, "hunter2")
        assert.include(error.message, Secret.name)
      }
      assert.strictEqual((yield* Effect.flip(events.history(Secret))).reason._tag, "Corrupt")
    })
  )
]
