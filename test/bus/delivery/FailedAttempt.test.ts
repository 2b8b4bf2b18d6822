/** How the end of an attempt is classified for the failure policy. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Exit } from "effect"
import * as FailedAttempt from "../../../src/bus/delivery/FailedAttempt.ts"
import { HandlerDefect, Later, Reject } from "../../../src/bus/subscriber/HandlerError.ts"

const exitOf = (...errors: ReadonlyArray<unknown>) =>
  Exit.failCause(Cause.fromReasons(errors.map((error) => Cause.makeFailReason(error))))

describe("FailedAttempt", () => {
  const reject = new Reject({ reason: "no" })
  const later = Later.in("1 second")

  it("in one Cause, Reject takes precedence over Later, and Later over every other error", () => {
    assert.deepStrictEqual(FailedAttempt.of(exitOf("boom", later, reject)), { _tag: "Rejected", error: reject })
    assert.deepStrictEqual(FailedAttempt.of(exitOf("boom", later)), { _tag: "Later", error: later })
    assert.deepStrictEqual(FailedAttempt.of(exitOf("first", "second")), { _tag: "Failed", error: "first" })
  })

  it("a defect and an interruption by the handler itself are failures", () => {
    const cause = new Error("bug")
    const failed = FailedAttempt.of(Exit.die(cause))
    assert.strictEqual(failed._tag, "Failed")
    assert.instanceOf(failed.error, HandlerDefect)
    assert.strictEqual(failed.error.cause, cause)
    assert.instanceOf(FailedAttempt.of(Exit.interrupt(1)).error, HandlerDefect)
  })

  it("an error whose prototype cannot be read is a failure like any other", () => {
    const hostile = new Proxy(
      {},
      {
        getPrototypeOf: () => {
          throw new Error("trap")
        }
      }
    )
    const failed = FailedAttempt.of(exitOf(hostile))
    assert.strictEqual(failed._tag, "Failed")
    assert.strictEqual(failed.error, hostile)
  })
})
