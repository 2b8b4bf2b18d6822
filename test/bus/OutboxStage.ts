/** An outbox over a scripted broker: what was sent, and the outcomes in the order in which they were told. */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import type { Outgoing } from "../../src/bus/Broker.ts"
import * as Door from "../../src/bus/Door.ts"
import * as Outbox from "../../src/bus/Outbox.ts"
import * as Scripted from "./ScriptedBroker.ts"

const message = (id: string, key?: string): Outgoing => ({
  to: { _tag: "Event", name: "a.b" },
  key,
  body: Buffer.from("{}"),
  properties: { messageId: id, type: "a.b", timestamp: 0, appId: "test", contentType: "application/json" },
  headers: {}
})

interface Options {
  readonly key?: string
  readonly deadline?: number
  readonly mandatory?: boolean
  readonly privileged?: boolean
}

export const make = Effect.fnUntraced(function* ({
  bounds = { count: 100, bytes: 10_000 },
  status = Scripted.up
}: {
  readonly bounds?: Door.Bounds
  readonly status?: Parameters<typeof Scripted.make>[0]
} = {}) {
  const scripted = yield* Scripted.make(status)
  const door = Door.make(bounds)
  const outbox = yield* Outbox.make(scripted.broker, door, () => {})
  // The outbox learns the status in a fiber of its own.
  yield* TestClock.adjust(0)
  const results: Array<string> = []
  const submit = (id: string, { deadline = 15_000, key, mandatory = false, privileged = false }: Options = {}) =>
    outbox.submit({
      message: message(id, key),
      bytes: 2,
      mandatory,
      deadline,
      privileged,
      done: (result) => {
        const tag = result._tag === "Confirmed" ? (result.routed ? "Confirmed" : "Unrouted") : result.reason._tag
        const cause =
          result._tag === "Failed" && result.reason._tag === "Unavailable" ? `(${result.reason.cause._tag})` : ""
        results.push(`${id} ${tag}${cause}`)
      }
    })
  const answer = (index: number, outcome: Parameters<Scripted.Sent["answer"]>[0]): void => {
    const sent = scripted.sent[index]
    assert(sent !== undefined, `nothing was sent as number ${index}`)
    sent.answer(outcome)
  }
  return { scripted, door, outbox, results, submit, answer }
})
