/** Digests of contracts: the same for what is the same on the wire, another for what a snapshot tells apart. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Digest from "../../src/contracts/Digest.ts"
import * as Snapshot from "../../src/contracts/Snapshot.ts"
import { Event } from "../../src/index.ts"
import * as Checks from "./mutations/Checks.ts"
import * as Fields from "./mutations/Fields.ts"
import * as Harmless from "./mutations/Harmless.ts"
import type { Mutation } from "./mutations/Mutation.ts"
import * as Types from "./mutations/Types.ts"

/** Digests of the versions that both have, by event and version. */
const digests = (events: ReadonlyArray<Event.Any>, versions: ReadonlySet<string>) =>
  events.flatMap((event) =>
    Object.entries(Digest.of(event))
      .map(([version, digest]) => [`${event.name} ${version}`, digest] as const)
      .filter(([key]) => versions.has(key))
  )
const keys = (events: ReadonlyArray<Event.Any>): ReadonlySet<string> =>
  new Set(events.flatMap((event) => Object.keys(Digest.of(event)).map((version) => `${event.name} ${version}`)))
const isSame = ({ after, before }: Mutation): boolean => {
  const known = keys(after)
  const shared = new Set([...keys(before)].filter((key) => known.has(key)))
  const [was, is] = [before, after].map((events) => JSON.stringify(digests(events, shared).toSorted()))
  return was === is
}

describe("digests", () => {
  it("differ by every change of data, and by no edit that is none", () => {
    for (const row of [...Checks.rows, ...Fields.rows, ...Types.rows]) assert.isFalse(isSame(row), row.title)
    const changes = Harmless.rows.filter(
      ({ after, before }) => JSON.stringify(Snapshot.of(before)) === JSON.stringify(Snapshot.of(after))
    )
    assert.isAbove(changes.length, 10)
    for (const row of changes) assert.isTrue(isSame(row), row.title)
  })

  it("are null where a schema has no JSON Schema", () => {
    const Odd = Schema.String.check(
      Schema.makeFilter(() => true, {
        toJsonSchema: () => {
          throw new Error("not today")
        }
      })
    )
    assert.deepStrictEqual(Digest.of(Event.make("a.b", { version: 1, data: Odd })), { "1": null })
  })

  it("say what made them", () => assert.match(Digest.by(), /^1\/effect 4\.\d+\.\d+$/))
})
