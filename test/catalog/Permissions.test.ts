/** The contracts enforce the table of permissions, for every role in every status. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Result, Schema } from "effect"
import {
  catalog,
  kycStatuses,
  type Permission,
  permissions,
  Role,
  roles,
  UserStatus,
  userStatuses
} from "../../src/catalog/index.ts"
import { dataOf } from "../event/support.ts"

const table: Readonly<Record<string, Permission>> = permissions

describe("permissions", () => {
  it("has one row for each event and no other", () => {
    assert.sameMembers(
      Object.keys(table),
      catalog.events.map((event) => event.name)
    )
    for (const event of catalog.events) assert.isTrue(event.declaresPublishers, event.name)
  })

  it("names only roles and statuses that exist, each once", () => {
    const isRole = Schema.is(Role)
    const isStatus = Schema.is(UserStatus)
    for (const [name, { selfOnly, roles: allowed, statuses }] of Object.entries(table)) {
      assert.isTrue(allowed.length > 0 && allowed.every(isRole), name)
      assert.isTrue(statuses.length > 0 && statuses.every(isStatus), name)
      assert.isTrue(
        selfOnly.every((role) => allowed.includes(role)),
        `${name}: selfOnly is part of roles`
      )
      for (const list of [allowed, statuses, selfOnly])
        assert.strictEqual(new Set<string>(list).size, list.length, name)
    }
  })

  it("lets every role publish something, and suspended or closed accounts nothing", () => {
    for (const role of roles)
      assert.isTrue(
        Object.values(table).some((row) => row.roles.includes(role)),
        role
      )
    for (const [name, { statuses }] of Object.entries(table)) {
      assert.notInclude(statuses, "suspended", name)
      assert.notInclude(statuses, "closed", name)
    }
    assert.strictEqual(
      new Set([...roles, ...userStatuses, ...kycStatuses]).size,
      roles.length + userStatuses.length + kycStatuses.length
    )
  })
})

describe.each(catalog.events.map((event) => ({ name: event.name as string, event })))("$name", ({ event, name }) => {
  const row = table[name]!

  it.effect("is denied to exactly those who are not in the table", () =>
    Effect.gen(function* () {
      const [data] = yield* Arbitrary.sampleEffect(dataOf(event), { count: 1, seed: 7 })
      for (const role of [...roles, "intruder"]) {
        for (const status of [...userStatuses, undefined]) {
          const actor = { id: "nobody of this event", role, ...(status !== undefined && { status }) }
          const expected =
            row.roles.some((allowed) => allowed === role) &&
            row.statuses.some((allowed) => allowed === status) &&
            !row.selfOnly.some((only) => only === role)
          assert.strictEqual(event.denial(actor, data) === undefined, expected, `${role} ${status}`)
        }
      }
      assert.strictEqual(
        event.denial(undefined, data) === undefined,
        row.roles.includes("service"),
        "the service itself"
      )
    })
  )

  it.effect("lets people publish about themselves", () =>
    Effect.gen(function* () {
      const samples = yield* Arbitrary.sampleEffect(dataOf(event), { count: 5, seed: 11 })
      for (const data of samples) {
        // One field of the event is the owner; being that person is enough.
        const ids = Object.values(
          Result.getOrThrow(Schema.decodeUnknownResult(Schema.Record(Schema.String, Schema.Unknown))(data))
        )
        for (const role of row.selfOnly) {
          assert.isTrue(
            ids.some(
              (id) => typeof id === "string" && event.denial({ id, role, status: row.statuses[0]! }, data) === undefined
            ),
            role
          )
        }
      }
    })
  )
})
