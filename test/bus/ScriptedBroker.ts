/**
 * A `Broker` whose answers a test gives by hand, for units that only send. What was sent is kept in
 * order with a way to answer it; everything but `send` and `status` dies.
 */
import { Effect, SubscriptionRef } from "effect"
import { Broker, type BrokerStatus, type Outgoing, type SendOutcome } from "../../src/bus/port/Broker.ts"
import * as SendOutcomes from "../../src/bus/port/SendOutcome.ts"
import { BrokerError } from "../../src/bus/port/BrokerError.ts"
import { BrokerRefused, ConnectionFailed, PermissionDenied } from "../../src/bus/port/BrokerReason.ts"

export interface Sent {
  readonly message: Outgoing
  readonly answer: (outcome: SendOutcome) => void
}

export interface ScriptedBroker {
  readonly broker: Broker["Service"]
  readonly sent: ReadonlyArray<Sent>
  /** Message ids in the order in which they were sent. */
  readonly ids: () => ReadonlyArray<string>
  readonly become: (status: BrokerStatus) => Effect.Effect<void>
  /** Answers each send within the call, as long as it returns something. */
  script: ((message: Outgoing, call: number) => SendOutcome | undefined) | undefined
}

export const confirmed: SendOutcome = SendOutcomes.routed
export const unrouted: SendOutcome = SendOutcomes.unrouted
export const rejected: SendOutcome = SendOutcomes.rejected
export const lost: SendOutcome = SendOutcomes.unknown
export const connection = new BrokerError({ reason: new ConnectionFailed({ address: "test", detail: "gone" }) })
export const notSent: SendOutcome = SendOutcomes.notSent(connection)
export const refused: SendOutcome = SendOutcomes.notSent(
  new BrokerError({ reason: new BrokerRefused({ operation: "publish", detail: "a header it cannot carry" }) })
)
export const denied: SendOutcome = SendOutcomes.notSent(
  new BrokerError({ reason: new PermissionDenied({ entity: "topic a.b in exchange e (write)", username: "u" }) })
)
export const up: BrokerStatus = { _tag: "Up", since: 0 }
export const connecting: BrokerStatus = { _tag: "Connecting", since: 0, error: connection }
export const blocked: BrokerStatus = { _tag: "Blocked", since: 0, detail: "low on memory" }
export const closed: BrokerStatus = { _tag: "Closed", since: 0 }

const unused = Effect.die("this broker only sends")

export const make = Effect.fnUntraced(function* (initial: BrokerStatus = up) {
  const status = yield* SubscriptionRef.make<BrokerStatus>(initial)
  const sent: Array<Sent> = []
  const scripted: ScriptedBroker = {
    sent,
    ids: () => sent.map(({ message }) => message.properties.messageId),
    become: (next) => SubscriptionRef.set(status, next),
    script: undefined,
    broker: Broker.of({
      namespace: "test",
      features: { transport: "memory", persistent: false, remote: false },
      status,
      send: (inFlight) => {
        const { message } = inFlight
        let answered = false
        const answer = (outcome: SendOutcome): void => {
          if (answered) throw new Error("answered twice")
          answered = true
          inFlight.answered(outcome)
        }
        sent.push({ message, answer })
        const outcome = scripted.script?.(message, sent.length)
        if (outcome !== undefined) answer(outcome)
      },
      declare: () => unused,
      consume: () => unused,
      consumeForeign: () => unused,
      consumeEphemeral: () => unused,
      depth: () => unused,
      deadLetterDepth: () => unused,
      readDeadLetters: () => unused,
      probes: []
    })
  }
  return scripted
})
