/** What the log says of failed attempts: the key, the fields of the error without secrets, and the user's line. */
import { assert, describe, it } from "@effect/vitest"
import { Data, Effect, Layer, Redacted, Schedule, Schema } from "effect"
import { Event, EventBus, Reject, sensitive, Subscriber } from "../../../src/index.ts"
import { TestBus } from "../../../src/testing/index.ts"
import { recordedLog } from "../../support/RecordedLog.ts"

const Ordered = Event.make("shop.order.placed", {
  version: 1,
  data: Schema.Struct({ account: Schema.String, card: sensitive(Schema.String), n: Schema.Int }),
  key: ({ account, card, n }) => (n === 3 ? card : account)
})

/** A name that is sensitive in one contract is hidden everywhere, also if another test file has that contract. */
class Refused extends Data.TaggedError("Refused")<{
  readonly account: string
  readonly amount: bigint
  readonly remark: string
  readonly password: string
  readonly token: Redacted.Redacted<string>
  readonly inner: ReadonlyArray<unknown>
}> {}

const refused = (card: string) =>
  new Refused({
    account: "a-1",
    amount: 5n,
    remark: `card ${card} was declined`,
    password: "hunter2",
    token: Redacted.make("t0ken"),
    inner: [new Error(`card ${card}`), { url: "amqp://user:pw@host" }]
  })

const card = '4111 "1111" 1111'

describe("the log of a failed attempt", () => {
  it.effect("has the key, the fields of a tagged error without secrets, and the line of the user's code", () => {
    const { layer, lines, of } = recordedLog()
    const charge = Effect.fnUntraced(function* charge({ data }: { readonly data: typeof Ordered.Type }) {
      yield* Effect.yieldNow
      if (data.n === 1) return yield* refused(data.card)
      if (data.n === 2) throw new TypeError("the terminal is gone")
      return yield* new Reject({ reason: "no such account" })
    })
    const Payments = Subscriber.layer("shop.payments", {
      events: [Ordered],
      retry: Schedule.recurs(1),
      handler: (event) => charge(event)
    })
    return Effect.gen(function* () {
      const bus = yield* EventBus
      for (const n of [1, 2, 3]) yield* bus.publish(Ordered, { account: "a-1", card, n })
      yield* (yield* TestBus).settle
      const [failed] = of("attempt failed").filter(({ fields }) => fields["error"] === "Refused")
      assert.strictEqual(failed?.fields["key"], "a-1")
      assert.deepStrictEqual(JSON.parse(String(failed?.fields["errorFields"])), {
        account: "a-1",
        amount: "5",
        remark: "card <redacted> was declined",
        password: "<redacted>",
        token: "<redacted>",
        inner: ["Error: card <redacted>", { url: "amqp://<redacted>@host" }]
      })
      assert.match(String(failed?.fields["at"]), /FailureFields\.test\.ts:\d+:\d+/)
      const [defect] = of("attempt failed").filter(({ fields }) => fields["error"] === "TypeError")
      assert.match(String(defect?.fields["at"]), /^charge \(.*FailureFields\.test\.ts:\d+:\d+\)$/)
      assert.isUndefined(defect?.fields["errorFields"])
      const dead = (error: string) => of("dead-lettered").find(({ fields }) => fields["error"] === error)?.fields
      assert.strictEqual(dead("Refused")?.["key"], "a-1")
      assert.include(String(dead("Refused")?.["errorFields"]), "card <redacted>")
      assert.match(String(dead("Reject")?.["at"]), /FailureFields\.test\.ts/)
      // Its key is a sensitive value.
      assert.strictEqual(dead("Reject")?.["key"], "<redacted>")
      for (const secret of ["4111", "hunter2", "t0ken", ":pw@"]) {
        assert.notInclude(JSON.stringify(lines), secret)
      }
    }).pipe(Effect.provide(Payments.pipe(Layer.provideMerge(TestBus.layer), Layer.provideMerge(layer))))
  })

  it.effect("is short, and makes nothing of an error that cannot be read or has no fields", () => {
    const { layer, of } = recordedLog()
    const errors: ReadonlyArray<() => unknown> = [
      () => ({ _tag: "Long", text: "x".repeat(100_000) }),
      () => Object.defineProperty({ _tag: "Trap" }, "field", { enumerable: true, get: () => assert.fail("read") }),
      () => "a text",
      () => ({ _tag: "Bare" }),
      () => {
        const round: Record<string, unknown> = { _tag: "Round" }
        round["self"] = round
        return round
      }
    ]
    const Payments = Subscriber.layer("shop.payments", {
      events: [Ordered],
      retry: Schedule.recurs(0),
      handler: ({ data }) => Effect.suspend(() => Effect.fail(errors[data.n]?.()))
    })
    return Effect.gen(function* () {
      const bus = yield* EventBus
      for (const n of errors.keys()) yield* bus.publish(Ordered, { account: "a-1", card, n })
      yield* (yield* TestBus).settle
      const shown = of("dead-lettered").map(({ fields }) => [fields["error"], fields["errorFields"]] as const)
      assert.strictEqual(shown.length, errors.length)
      for (const [error, fields] of shown) {
        if (error === "Long") assert.isBelow(String(fields).length, 510)
        else if (error === "Round") assert.include(String(fields), "self")
        else assert.isUndefined(fields, String(error))
      }
    }).pipe(Effect.provide(Payments.pipe(Layer.provideMerge(TestBus.layer), Layer.provideMerge(layer))))
  })
})
