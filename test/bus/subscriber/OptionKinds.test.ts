/** Options that callers without types get wrong: each is one clear error, before anything is declared. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schedule } from "effect"
import * as EventGroup from "../../../src/event/EventGroup.ts"
import * as SubscriberSettings from "../../../src/bus/subscriber/SubscriberSettings.ts"
import { keyed, numbered } from "../../../src/ports/conformance/setup/TestEvents.ts"

const contract = numbered()
const group = EventGroup.make(contract)
const right = { events: [contract], handler: () => Effect.void }
const settle = (options: unknown, ephemeral = false) =>
  // A caller without types.
  SubscriberSettings.settle("suite.options", options as typeof right, ephemeral)

describe("the options of a subscriber", () => {
  const wrong: ReadonlyArray<readonly [unknown, string, ReadonlyArray<string>]> = [
    [undefined, "options", ["undefined", "`events` and `handler`"]],
    [null, "options", ["null"]],
    [() => {}, "options", ["a function"]],
    [{ handler: right.handler }, "events", ["missing", "group.match(pattern)"]],
    [{ events: [contract] }, "handler", ["missing", "a function"]],
    [{ ...right, handler: "handle" }, "handler", ['"handle"', "a function"]],
    [{ ...right, handler: Effect.void }, "handler", ["an object", "a function"]],
    [{ ...right, events: contract }, "events", ["an object", "a list of contracts"]],
    [{ ...right, events: group }, "events", ["an object", "group.match(pattern)"]],
    [{ ...right, events: [contract, "thing.happened"] }, "events[1]", ['"thing.happened"', "Event.make"]],
    [{ ...right, retry: 3 }, "retry", ["3", "Schedule.recurs(3)"]],
    [{ ...right, retry: null }, "retry", ["null", "Schedule"]],
    [{ ...right, retries: 3 }, "retries", ["3", "Did you mean `retry`?"]],
    [{ ...right, concurency: 4 }, "concurency", ["4", "Did you mean `concurrency`?"]],
    [{ ...right, zzz: true }, "zzz", ["true", "The options are events, handler, retry"]],
    [{ ...right, concurrency: "4" }, "concurrency", ['"4"', "a number"]],
    [{ ...right, ordering: "keys" }, "ordering", ['"keys"', '"none" or "key"']],
    [{ ...right, onBlocked: true }, "onBlocked", ["true", '"park"']],
    [{ ...right, retired: "thing.happened" }, "retired", ['"thing.happened"', "a list of contracts or names"]],
    [{ ...right, retired: [contract] }, "retired", [contract.name, "`events`"]],
    [{ ...right, retired: ["thing.*"] }, "retired", ["full name"]],
    [{ ...right, deadline: "soon" }, "deadline", ['"soon"', "30 seconds"]],
    [{ ...right, deadline: { second: 5 } }, "deadline", ["an object"]],
    [{ ...right, idempotent: "yes" }, "idempotent", ['"yes"', "true or false"]],
    [{ ...right, inbox: "yes" }, "inbox", ['"yes"', "true or false"]],
    [{ ...right, inbox: true, batch: { size: 2, maxWait: 1 } }, "inbox", ["one by one", "Inbox.isFirst"]],
    [{ ...right, batch: 10 }, "batch", ["10", "size, maxWait"]],
    [{ ...right, batch: { size: 10, within: "1 second" } }, "batch.within", ["maxWait"]],
    [{ ...right, breaker: { failure: 3 } }, "breaker.failure", ["3", "`failures`"]],
    [{ ...right, breaker: { openDuration: "a while" } }, "breaker.openDuration", ['"a while"', "Schedule"]],
    [{ ...right, rateLimit: { limit: "5", window: "1 second" } }, "rateLimit.limit", ['"5"', "a number"]],
    [{ ...right, rateLimit: { limit: 5 } }, "rateLimit.window", ["missing", "30 seconds"]],
    [{ ...right, batch: { maxWait: 10 } }, "batch.size", ["missing", "a number"]],
    [{ ...right, restarts: { onExhausted: "exit" } }, "restarts.onExhausted", ['"exit"', '"fail-layer"']],
    [{ ...right, traceRelation: "child" }, "traceRelation", ['"child"', '"link"']],
    [{ ...right, onGap: () => {} }, "onGap", ["a function"]]
  ]
  for (const [options, option, words] of wrong) {
    it(`refuses a wrong \`${option}\`: ${words.join(", ")}`, () => {
      const settled = settle(options)
      assert.isTrue(Result.isFailure(settled))
      const error = Result.isFailure(settled) ? settled.failure : undefined
      assert.strictEqual(error?.reason._tag === "Invalid" ? error.reason.option : undefined, option)
      for (const word of words) assert.include(error?.message, word)
      assert.isAtMost(error?.message.length ?? 0, 1_000)
    })
  }

  it("takes every option of the right kind, and undefined for the default", () => {
    const all = {
      ...right,
      retry: Schedule.recurs(3),
      concurrency: 4,
      ordering: "key",
      onBlocked: "park",
      deadline: { seconds: 5 },
      prefetch: 40,
      retired: ["orders.dropped"],
      announceDeadLetters: false,
      breaker: { failures: 3, openDuration: Schedule.spaced("1 second") },
      restarts: { max: 3, within: 60_000, onExhausted: "fail-layer" },
      rateLimit: { limit: 5, window: "1 second" },
      batch: undefined,
      idempotent: true,
      inbox: true,
      onStoreDown: "wait",
      maxPostponed: 3,
      traceRelation: "link"
    }
    assert.isTrue(Result.isSuccess(settle(all)))
    assert.isTrue(
      Result.isSuccess(settle({ ...right, events: EventGroup.make(keyed()).match("#"), retry: () => all.retry }))
    )
    assert.isTrue(Result.isSuccess(settle({ ...right, onGap: () => {} }, true)))
  })

  it("refuses an inbox where events may be lost", () => {
    const settled = settle({ ...right, inbox: true }, true)
    assert.include(Result.isFailure(settled) ? settled.failure.message : "", "ephemeral")
  })
})
