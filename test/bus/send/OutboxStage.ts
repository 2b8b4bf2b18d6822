/** An outbox over a scripted broker: what was sent, and the outcomes in the order in which they were reported. */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import type { Outgoing } from "../../../src/bus/port/Broker.ts"
import * as InFlightLimit from "../../../src/bus/send/InFlightLimit.ts"
import * as Outbox from "../../../src/bus/send/Outbox.ts"
import type { Outcome } from "../../../src/bus/send/Outcome.ts"
import { Shipment } from "../../../src/bus/send/Shipment.ts"
import * as Scripted from "../ScriptedBroker.ts"

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
  readonly endsWhenDenied?: boolean
}

class TestShipment extends Shipment {
  private readonly results: Array<string>
  private readonly denied: boolean

  constructor(message: Outgoing, options: Options, results: Array<string>) {
    const { deadline = 15_000, mandatory = false, privileged = false } = options
    super(message, 2, deadline, mandatory, privileged)
    this.results = results
    this.denied = options.endsWhenDenied ?? false
  }

  override get endsWhenDenied(): boolean {
    return this.denied
  }

  finished(outcome: Outcome): void {
    const tag = outcome._tag !== "Confirmed" ? outcome._tag : outcome.routed ? "Confirmed" : "Unrouted"
    const cause = outcome._tag === "Unavailable" ? `(${outcome.cause._tag})` : ""
    this.results.push(`${this.message.properties.messageId} ${tag}${cause}`)
  }
}

export const make = Effect.fnUntraced(function* ({
  bounds = { count: 100, bytes: 10_000 },
  status = Scripted.up
}: {
  readonly bounds?: InFlightLimit.Bounds
  readonly status?: Parameters<typeof Scripted.make>[0]
} = {}) {
  const scripted = yield* Scripted.make(status)
  const limit = InFlightLimit.make(bounds)
  const outbox = yield* Outbox.make(scripted.broker, limit, () => {})
  // The outbox follows the status in a fiber of its own.
  yield* TestClock.adjust(0)
  const results: Array<string> = []
  const submit = (id: string, options: Options = {}): Shipment => {
    const shipment = new TestShipment(message(id, options.key), options, results)
    outbox.submit(shipment)
    return shipment
  }
  const answer = (index: number, outcome: Parameters<Scripted.Sent["answer"]>[0]): void => {
    const sent = scripted.sent[index]
    assert(sent !== undefined, `nothing was sent as number ${index}`)
    sent.answer(outcome)
  }
  return { scripted, limit, outbox, results, submit, answer }
})
