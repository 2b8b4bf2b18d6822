/** Definitions: mistakes are reported where they are made, by the compiler where it can detect them. */
import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { expectTypeOf } from "vitest"
import type * as Envelope from "../../src/event/Envelope.ts"
import * as Event from "../../src/event/Event.ts"
import { EventDefinitionError, InvalidEvent, UnknownVersion } from "../../src/event/EventError.ts"
import { failure, succeed } from "./support.ts"

const V1 = Schema.Struct({ id: Schema.String, grade: Schema.Finite })
const V2 = Schema.Struct({ ...V1.fields, scale: Schema.String })
const V3 = Schema.Struct({ ...V2.fields, at: Schema.Date })
const one = { version: 1, data: V1, up: (old: typeof V1.Type) => ({ ...old, scale: "percent" }) } as const
const epoch = new Date("2026-01-01T00:00:00.000Z")
const two = { version: 2, data: V2, up: (old: typeof V2.Type) => ({ ...old, at: epoch }) } as const

const problem = (define: () => unknown): string => {
  try {
    define()
  } catch (error) {
    assert.instanceOf(error, EventDefinitionError)
    return error instanceof EventDefinitionError ? error.message : ""
  }
  throw new Error("expected an EventDefinitionError")
}

describe("make", () => {
  it("returns plain data with sensible defaults", () => {
    const event = Event.make("a.b", { version: 1, data: V1 })
    expectTypeOf(event.name).toEqualTypeOf<"a.b">()
    expectTypeOf<Event.Data<typeof event>>().toEqualTypeOf<{ readonly id: string; readonly grade: number }>()
    expectTypeOf<Envelope.Of<typeof event>>().toEqualTypeOf<
      Envelope.Envelope<"a.b", { readonly id: string; readonly grade: number }>
    >()
    assert.deepStrictEqual([event.name, event.version, event.cache, event.declaresPublishers], ["a.b", 1, {}, false])
    assert.isUndefined(event.keyOf({ id: "x", grade: 1 }))
    assert.strictEqual(
      Event.make("a.c", { version: 1, data: V1, key: (data) => data.id }).keyOf({ id: "x", grade: 1 }),
      "x"
    )
    assert.strictEqual(Event.make("a.c", { version: 1, data: V1, cache: false }).cache, false)
  })

  it("converts the time to live to milliseconds once, and refuses what is not a duration", () => {
    const cacheOf = (cache: Event.CacheSettings) => Event.make("a.b", { version: 1, data: V1, cache }).cache
    assert.deepStrictEqual(cacheOf({ timeToLive: "2 minutes", history: 3 }), { timeToLiveMillis: 120_000, history: 3 })
    assert.deepStrictEqual(cacheOf({ timeToLive: 500 }), { timeToLiveMillis: 500 })
    assert.deepStrictEqual(cacheOf({ timeToLive: "Infinity" }), {})
    // The type forbids it; code without types may do it.
    const soon = "soon" as `${number} minutes`
    assert.strictEqual(
      problem(() => cacheOf({ timeToLive: soon })),
      'event "a.b": `cache.timeToLive`: "soon" is not accepted. Give a length of time, such as "30 seconds"'
    )
  })

  it("refuses invalid names with the reason and a remedy", () => {
    for (const name of ["", "A.b", "a..b", "a b", "a.*", "a.#", "a\n", "é", "x".repeat(201)]) {
      assert.match(
        problem(() => Event.make(name, { version: 1, data: V1 })),
        /Use words of a-z, 0-9 and - between dots/
      )
    }
  })

  it("keeps bus.* for the runtime, which can define it", () => {
    for (const name of ["bus", "bus.x", "bus.event.dead-lettered"]) {
      assert.include(
        problem(() => Event.make(name, { version: 1, data: V1 })),
        'start with "bus." are reserved for the runtime'
      )
    }
    assert.strictEqual(Event.make("business.x", { version: 1, data: V1 }).name, "business.x")
    assert.strictEqual(Event.define("bus.x", { version: 1, data: V1 }).name, "bus.x")
  })

  it("refuses versions that are not whole numbers from 1 up", () => {
    for (const version of [0, -1, 1.5, Number.NaN, Infinity, 2 ** 53]) {
      assert.include(
        problem(() => Event.make("a.b", { version, data: V1 })),
        `version ${version} is not a whole number from 1 up`
      )
    }
  })

  it("refuses gaps in the history that the compiler did not detect", () => {
    const old = (version: number) => ({
      version,
      data: V1,
      up: (): never => {
        throw new Error("never called")
      }
    })
    const define = (version: number, previous: ReadonlyArray<ReturnType<typeof old>>) => () =>
      Event.define("a.b", { version, data: V1, previous })
    assert.include(problem(define(3, [old(2)])), "previous[0] has version 2 where 1 is expected")
    assert.include(problem(define(3, [old(1)])), "`previous` ends at version 1, which is not the one before 3")
    assert.include(problem(define(3, [old(2), old(1)])), "previous[0] has version 2")
    assert.include(problem(define(2, [old(1), old(1)])), "previous[1] has version 1 where 2 is expected")
    assert.include(problem(define(1, [old(1)])), "`previous` ends at version 1")
  })
})

describe("the compiler refuses", () => {
  it("what would fail at run time", () => {
    Event.make("a.b", { version: 3, data: V3, previous: [one, two] })
    Event.make("a.b", { version: 1, data: V3, previous: [] })
    const wrong: ReadonlyArray<() => unknown> = [
      // @ts-expect-error version 2 is missing
      () => Event.make("a.b", { version: 3, data: V3, previous: [one] }),
      // @ts-expect-error version 1 is missing
      () => Event.make("a.b", { version: 3, data: V3, previous: [two] }),
      // @ts-expect-error the wrong order
      () => Event.make("a.b", { version: 3, data: V3, previous: [two, one] }),
      // @ts-expect-error a history that ends before the version
      () => Event.make("a.b", { version: 4, data: V3, previous: [one, two] }),
      // @ts-expect-error no history belongs to version 1
      () => Event.make("a.b", { version: 1, data: V3, previous: [one] }),
      // @ts-expect-error a name is text
      () => Event.make(7, { version: 1, data: V1 })
    ]
    for (const define of wrong) assert.throws(define)
  })

  it("N36: upcasters that do not return the next version", () => {
    const keep1 = { version: 1, data: V1, up: (old: typeof V1.Type) => old } as const
    const keep2 = { version: 2, data: V2, up: (old: typeof V2.Type) => old } as const
    const jump = { version: 1, data: V1, up: (old: typeof V1.Type) => ({ id: old.id, at: epoch }) } as const
    const numeric = { version: 1, data: V1, up: (old: typeof V1.Type) => ({ ...old, scale: 1 }) } as const
    const wrong: ReadonlyArray<() => unknown> = [
      // @ts-expect-error `scale` is missing
      () => Event.make("a.b", { version: 2, data: V2, previous: [keep1] }),
      // @ts-expect-error it returns version 3 where version 2 comes next
      () => Event.make("a.b", { version: 3, data: V3, previous: [jump, two] }),
      // @ts-expect-error the last one has to return the newest
      () => Event.make("a.b", { version: 3, data: V3, previous: [one, keep2] }),
      // @ts-expect-error a field of the wrong type
      () => Event.make("a.b", { version: 2, data: V2, previous: [numeric] }),
      // @ts-expect-error the key is text
      () => Event.make("a.b", { version: 1, data: V1, key: (data) => data.grade }),
      // @ts-expect-error no such field
      () => Event.make("a.b", { version: 1, data: V1, key: (data) => data.nothing }),
      // @ts-expect-error data is a schema
      () => Event.make("a.b", { version: 1, data: { id: "x" } })
    ]
    assert.strictEqual(wrong.length, 7)
  })

  it("N36: the argument of an upcaster has the type of its own version", () => {
    Event.make("a.b", {
      version: 2,
      data: V2,
      previous: [
        {
          version: 1,
          data: V1,
          up: (old) => {
            expectTypeOf(old).toEqualTypeOf<{ readonly id: string; readonly grade: number }>()
            return { ...old, scale: "percent" }
          }
        }
      ]
    })
  })
})

describe("the contract", () => {
  const event = Event.make("a.b", { version: 3, data: V3, previous: [one, two] })
  const newest = { id: "x", grade: 1, scale: "percent", at: epoch }

  it("decodes any known version to the newest", () => {
    assert.deepStrictEqual(succeed(event.dataCodec.decode(1, { id: "x", grade: 1 })), newest)
    assert.deepStrictEqual(succeed(event.dataCodec.decode(2, { id: "x", grade: 1, scale: "percent" })), newest)
    assert.deepStrictEqual(succeed(event.dataCodec.decode(3, { ...newest, at: epoch.toISOString() })), newest)
  })

  it("distinguishes a newer version from one that never existed", () => {
    const newer = failure(event.dataCodec.decode(4, {}))
    assert.instanceOf(newer, UnknownVersion)
    assert.include(
      newer.message,
      "has version 4, but this service knows versions up to 3: deploy the newer contract, then replay"
    )
    for (const version of [0, -1, 1.5, Number.NaN])
      assert.instanceOf(failure(event.dataCodec.decode(version, {})), InvalidEvent)
  })

  it("validates each version by its own schema", () => {
    assert.include(failure(event.dataCodec.decode(1, { id: "x" })).message, "data.grade: Missing key")
    assert.include(failure(event.dataCodec.decode(2, { id: "x", grade: 1 })).message, "data.scale: Missing key")
    succeed(event.dataCodec.decode(1, { id: "x", grade: 1, scale: 7 }))
  })

  it("an upcaster that throws is a fault of this event, without the thrown error", () => {
    const broken = Event.make("a.b", {
      version: 2,
      data: V2,
      previous: [
        {
          version: 1,
          data: V1,
          up: (old) => {
            throw new Error(`s3cret ${old.id}`)
          }
        }
      ]
    })
    const fault = failure(broken.dataCodec.decode(1, { id: "s3cret", grade: 1 }))
    assert.include(fault.message, "the upcaster of version 1 failed")
    assert.notInclude(fault.message, "s3cret")
  })

  it("drops keys that the schema does not have, in both directions", () => {
    assert.deepStrictEqual(succeed(event.dataCodec.decode(1, { id: "x", grade: 1, extra: true })), newest)
    assert.notProperty(succeed(event.dataCodec.encode({ ...newest, extra: true })), "extra")
  })

  it("never throws, whatever the input", () => {
    const cyclic: Record<string, unknown> = {}
    cyclic["self"] = cyclic
    for (const value of [
      undefined,
      null,
      1,
      "x",
      [],
      () => 1,
      Symbol("x"),
      1n,
      new Date(Number.NaN),
      cyclic,
      new Map(),
      Object.create(null)
    ]) {
      assert.isTrue(Result.isFailure(event.dataCodec.encode(value)))
      assert.isTrue(Result.isFailure(event.dataCodec.decode(3, value)))
    }
  })

  it("a schema that throws is a fault of this event, without the thrown error", () => {
    const boom = (text: string): boolean => {
      throw new Error(`s3cret ${text}`)
    }
    const throwing = Event.make("a.throwing", {
      version: 1,
      data: Schema.Struct({ id: Schema.String.check(Schema.makeFilter(boom)) })
    })
    for (const result of [
      throwing.dataCodec.encode({ id: "s3cret" }),
      throwing.dataCodec.decode(1, { id: "s3cret" })
    ]) {
      const fault = failure(result)
      assert.instanceOf(fault, InvalidEvent)
      assert.include(fault.message, "the schema of version 1 threw an error")
      assert.notInclude(fault.message, "s3cret")
    }
    const hostile = {
      get id(): string {
        throw new Error("s3cret")
      }
    }
    assert.notInclude(failure(event.dataCodec.encode(hostile)).message, "s3cret")
  })

  it("reports at most eight faults, each of bounded length", () => {
    const many = Event.make("a.many", { version: 1, data: Schema.Array(Schema.Finite) })
    const fault = failure(many.dataCodec.encode(Array.from({ length: 100 }, () => "y".repeat(10_000))))
    assert.strictEqual(fault.faults.length, 8)
    assert.isBelow(fault.message.length, 8 * 400)
  })

  it("bounds the path of a fault, however long a key is", () => {
    const keyed = Event.make("a.keyed", { version: 1, data: Schema.Record(Schema.String, Schema.Finite) })
    for (const run of [keyed.dataCodec.encode, (json: unknown) => keyed.dataCodec.decode(1, json)]) {
      assert.isBelow(failure(run({ ["k".repeat(100_000)]: "x" })).message.length, 1000)
    }
  })

  it("refuses an option that does not exist: publishers that nothing reads would allow everybody", () => {
    const options = { version: 1, data: Schema.Struct({ id: Schema.String }) } as const
    // The compiler accepts these.
    const misspelled = { publisher: { roles: ["teacher"] }, key: ({ id }: { readonly id: string }) => id }
    const publishers = { role: ["teacher"], statuses: ["active"] }
    const cache = { ttl: "1 minute", history: 1 } as const
    for (const [define, name] of [
      [() => Event.make("a.b", { ...misspelled, ...options }), "`publisher`: there is no such option"],
      [() => Event.make("a.b", { ...options, publishers }), "`publishers.role`: there is no such option"],
      [() => Event.make("a.b", { ...options, cache }), "`cache.ttl`: there is no such option"]
    ] as const) {
      assert.throws(define, EventDefinitionError, name)
    }
  })

  it("accepts schemas of any JSON form, also a single version with a higher number", () => {
    const alone = Event.make("a.alone", { version: 4, data: Schema.Literal("x") })
    assert.strictEqual(succeed(alone.dataCodec.decode(4, "x")), "x")
    assert.include(failure(alone.dataCodec.decode(3, "x")).message, "version 3 is unknown, known are 4")
  })
})
