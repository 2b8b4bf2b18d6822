/** Who may publish: every condition of a policy can refuse, an absent one allows, and the reason is returned. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { type Actor, CurrentActor, denial, serviceRole } from "../../src/event/Actor.ts"
import * as Event from "../../src/event/Event.ts"

const teacher: Actor = { id: "u-1", role: "teacher", status: "active" }

describe("denial", () => {
  it("allows everyone without conditions", () => {
    for (const actor of [undefined, teacher, { id: "", role: "" }]) assert.isUndefined(denial({}, actor, null))
  })

  it("requires a role", () => {
    const policy = { roles: ["teacher", "service"] }
    assert.isUndefined(denial(policy, teacher, null))
    assert.isUndefined(denial(policy, undefined, null))
    assert.strictEqual(
      denial(policy, { id: "u", role: "student" }, null),
      'role "student" may not publish it, only "teacher", "service"'
    )
    assert.include(denial({ roles: ["teacher"] }, undefined, null) ?? "", `role "${serviceRole}"`)
    assert.include(denial({ roles: [] }, teacher, null) ?? "", "only nobody")
    for (const role of ["Teacher", "teacher ", "", "__proto__"])
      assert.isString(denial(policy, { id: "u", role }, null))
  })

  it("requires a status, of people only", () => {
    const policy = { statuses: ["active"] }
    assert.isUndefined(denial(policy, teacher, null))
    assert.isUndefined(denial(policy, undefined, null))
    assert.include(denial(policy, { ...teacher, status: "suspended" }, null) ?? "", 'status "suspended"')
    assert.include(denial(policy, { id: "u", role: "teacher" }, null) ?? "", 'status "none"')
    assert.isString(denial({ statuses: [] }, teacher, null))
  })

  it("runs the check last, with the service as actor if there is none, and shows no data", () => {
    const seen: Array<string> = []
    const check = (actor: Actor, data: string) => (seen.push(`${actor.id}/${actor.role}`), data === "ok")
    assert.isUndefined(denial({ check }, teacher, "ok"))
    assert.isUndefined(denial({ check }, undefined, "ok"))
    const refused = denial({ check }, teacher, "s3cret")
    assert.include(refused ?? "", "check refused")
    assert.notInclude(refused ?? "", "s3cret")
    assert.deepStrictEqual(seen, ["u-1/teacher", "service/service", "u-1/teacher"])
    denial({ roles: [], check }, teacher, "ok")
    assert.strictEqual(seen.length, 3)
  })

  it("is part of a contract", () => {
    const open = Event.make("a.open", { version: 1, data: Schema.String })
    const closed = Event.make("a.closed", {
      version: 1,
      data: Schema.String,
      publishers: { roles: ["teacher"], check: (actor, data) => actor.id === data }
    })
    assert.isFalse(open.declaresPublishers)
    assert.isTrue(closed.declaresPublishers)
    assert.isUndefined(open.denial(undefined, "x"))
    assert.isUndefined(closed.denial(teacher, "u-1"))
    assert.isString(closed.denial(teacher, "u-2"))
  })

  it.effect("there is no current actor until one is provided", () =>
    Effect.gen(function* () {
      assert.isUndefined(yield* CurrentActor)
      assert.deepStrictEqual(yield* Effect.provideService(CurrentActor, CurrentActor, teacher), teacher)
    })
  )
})
