/** Standard Schemas are compared by their JSON Schema: each change is classified as one of a schema of Effect. */
import { assert, describe, it } from "@effect/vitest"
import { type } from "arktype"
import { Effect } from "effect"
import * as v from "valibot"
import { z } from "zod"
import * as Check from "../../src/contracts/Check.ts"
import * as Catalogue from "../../src/contracts/documents/Catalogue.ts"
import * as Digest from "../../src/contracts/Digest.ts"
import * as Finding from "../../src/contracts/Finding.ts"
import * as Snapshot from "../../src/contracts/Snapshot.ts"
import type { StandardSchema } from "../../src/event/standard/StandardSchema.ts"
import { Event } from "../../src/index.ts"
import * as Checks from "./mutations/Checks.ts"
import * as Contracts from "./mutations/Contracts.ts"
import * as Fields from "./mutations/Fields.ts"
import * as Harmless from "./mutations/Harmless.ts"
import * as Standard from "./mutations/StandardRows.ts"
import * as Types from "./mutations/Types.ts"

const contractOf = (data: StandardSchema): Event.Any => Event.make("test.changed", { version: 1, data })
const snapshotOf = (data: StandardSchema): Snapshot.Snapshot => Snapshot.of([contractOf(data)])

const found = ({ after, before }: Standard.StandardMutation) =>
  Effect.map(Check.run(snapshotOf(before), [contractOf(after)]), (findings) => findings.map(Finding.summary).toSorted())

it("digests differ by every change of data", () => {
  for (const row of Standard.rows) {
    if (row.expected.length === 0) continue
    const [before, after] = [row.before, row.after].map((data) => Digest.of(contractOf(data)))
    assert.notDeepEqual(before, after, row.title)
  }
})

describe("a change of a Standard Schema", () => {
  for (const row of Standard.rows)
    it.effect(row.title, () =>
      Effect.map(found(row), (summaries) => assert.deepStrictEqual(summaries, row.expected.toSorted()))
    )
})

describe("a harmless edit of a Standard Schema", () => {
  for (const row of Standard.harmless)
    it.effect(row.title, () =>
      Effect.map(found(row), (summaries) => {
        assert.deepStrictEqual(summaries, [])
        const text = Snapshot.print(snapshotOf(row.before))
        assert.strictEqual(Snapshot.parse(text)._tag, "Success")
      })
    )
})

it("of 80 changes, half are on Standard Schemas, and of the edits that harm nobody, too", () => {
  const ofEffect = [Checks.rows, Contracts.rows, Fields.rows, Types.rows].flat()
  assert.isAtLeast(Standard.rows.length, 40)
  assert.isAtLeast(ofEffect.length, 40)
  assert.isAtLeast(Standard.harmless.length, 15)
  assert.isAtLeast(Harmless.rows.length, 15)
  for (const rows of [Standard.rows, Standard.harmless])
    assert.strictEqual(new Set(rows.map(({ title }) => title)).size, rows.length)
})

describe("contracts of several libraries", () => {
  const current = z.object({ orderId: z.string().min(1), email: z.email(), n: z.int().min(0).max(9) })
  const contract = (up: (id: string) => string): Event.Any =>
    Event.make("shop.order.placed", {
      version: 2,
      data: current,
      sensitive: ["email"],
      key: (order) => order.orderId,
      previous: [
        {
          version: 1,
          data: type({ id: "string > 0" }),
          up: (old) => ({ orderId: up(old.id), email: "none@shop.example", n: 1 })
        }
      ]
    })

  it.effect("have upcasters that are proven by values of their JSON Schema", () =>
    Effect.gen(function* () {
      const good = contract((id) => id)
      assert.deepStrictEqual(yield* Check.run(Snapshot.of([good]), [good]), [])
      const bad = contract((id) => id.slice(1))
      const [finding] = yield* Check.run(Snapshot.of([bad]), [bad])
      assert.strictEqual(finding?.rule, "upcaster-fails")
      assert.match(finding?.seen ?? "", /becomes what version 2 refuses: orderId: /)
    })
  )

  it("are described with a readable example and their sensitive fields", () => {
    const described = {
      title: "shop",
      version: "1",
      namespace: "shop",
      subscribers: [],
      publishes: undefined,
      publishers: []
    }
    const [section] = Catalogue.of({ ...described, events: [contract((id) => id)] })
    assert.deepStrictEqual(JSON.parse(section?.example ?? "null"), {
      orderId: "order-1",
      email: "someone@example.org",
      n: 1
    })
    assert.isTrue(section?.fields.some(({ checks, path }) => path === "email" && checks.includes("sensitive")))
  })

  it.effect("say where a library gives nothing to compare", () =>
    Effect.gen(function* () {
      const silent = Event.make("a.b", { version: 1, data: v.object({ a: v.string() }) })
      const other = Event.make("a.b", { version: 1, data: v.object({ a: v.number() }) })
      const found = yield* Check.run(Snapshot.of([silent]), [other])
      assert.deepStrictEqual(found.map(Finding.summary), ["(not-compared -: old new)"])
      assert.match(found[0]?.seen ?? "", /the library valibot gives no JSON Schema/)
      assert.deepStrictEqual(Digest.of(silent), { "1": null })
    })
  )
})
