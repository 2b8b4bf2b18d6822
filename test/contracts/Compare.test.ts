/** The tables of changes: each is classified as the rules of schema compatibility say. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Check from "../../src/contracts/Check.ts"
import * as Finding from "../../src/contracts/Finding.ts"
import * as Snapshot from "../../src/contracts/Snapshot.ts"
import * as Checks from "./mutations/Checks.ts"
import * as Contracts from "./mutations/Contracts.ts"
import * as Fields from "./mutations/Fields.ts"
import * as Harmless from "./mutations/Harmless.ts"
import type { Mutation } from "./mutations/Mutation.ts"
import * as Types from "./mutations/Types.ts"

const found = ({ after, before }: Mutation) =>
  Effect.map(Check.run(Snapshot.of(before), after), (findings) => findings.map(Finding.summary).toSorted())

const tables = { fields: Fields.rows, types: Types.rows, checks: Checks.rows, contracts: Contracts.rows }

for (const [table, rows] of Object.entries(tables))
  describe(`a change of ${table}`, () => {
    for (const row of rows)
      it.effect(row.title, () =>
        Effect.map(found(row), (summaries) => assert.deepStrictEqual(summaries, row.expected.toSorted()))
      )
  })

describe("a harmless edit", () => {
  for (const row of Harmless.rows)
    it.effect(row.title, () =>
      Effect.map(found(row), (summaries) => {
        assert.deepStrictEqual(summaries, [])
        const [before, after] = [row.before, row.after].map((events) =>
          Snapshot.parse(Snapshot.print(Snapshot.of(events)))
        )
        assert.deepStrictEqual([before?._tag, after?._tag], ["Success", "Success"])
      })
    )
})

it("the tables have the rows that they have to have", () => {
  const rows = Object.values(tables).flat()
  assert.isAtLeast(rows.length, 80)
  assert.isAtLeast(Harmless.rows.length, 30)
  assert.strictEqual(
    new Set([...rows, ...Harmless.rows].map(({ title }) => title)).size,
    rows.length + Harmless.rows.length
  )
})
