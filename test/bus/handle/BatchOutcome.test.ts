/** Which events of a batch a `BatchFailure` names. */
import { assert, it } from "@effect/vitest"
import { Exit } from "effect"
import * as BatchOutcome from "../../../src/bus/handle/BatchOutcome.ts"
import { BatchFailure } from "../../../src/bus/subscriber/Batch.ts"
import type * as Envelope from "../../../src/event/Envelope.ts"

const event = (source: string, type: string): Envelope.Envelope => ({
  id: "17",
  type,
  version: 1,
  source,
  time: new Date(0),
  key: undefined,
  correlationId: undefined,
  causationId: undefined,
  actor: undefined,
  data: {}
})

it("N17: a copy of an event names the events of its source, type and id; an id names all that have it", () => {
  const events = [event("north", "a.b"), event("south", "a.b"), event("north", "a.c")]
  const failed = (named: Envelope.Envelope | string) => {
    const exit = Exit.fail(BatchFailure.of([{ event: named, error: "no" }]))
    const outcome = BatchOutcome.read(events, exit)
    return events.map((_, index) => Exit.isFailure(outcome(index).exit))
  }
  assert.deepStrictEqual(failed(event("south", "a.b")), [false, true, false])
  assert.deepStrictEqual(failed("17"), [true, true, true])
})
