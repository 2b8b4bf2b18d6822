/**
 * Bugs to switch on: the port as a wrong bus would use it. A simulation proves something only if it finds
 * every one of them.
 */
import type { Body } from "../../src/event/Body.ts"
import { type Delivery, type Outgoing, type SendOutcome, inFlight } from "../../src/bus/port/Broker.ts"
import { plantedActorBugs } from "./PlantedActorBugs.ts"
import { once } from "./Run.ts"
import type { Keyed } from "./Setup.ts"
import type { Bugs, PortBug } from "./Life.ts"
import { rejected } from "../../src/bus/port/SendOutcome.ts"
import { type CallbackSend, fromCallback, toCallback } from "../support/CallbackSend.ts"

export interface PlantedBug {
  readonly name: string
  /** The promise that it breaks. */
  readonly breaks: string
  readonly bug: PortBug | Bugs
  /** It must be found within this many seeds. */
  readonly within: number
  /** The first seed, for a bug that needs an unusual world. Default 1. */
  readonly from?: number
}

const confirmed: SendOutcome = { _tag: "Confirmed", routed: true }

type Send = CallbackSend
const sending =
  (wrong: (send: Send) => Send): PortBug =>
  (port) => ({ ...port, send: fromCallback(wrong(toCallback(port.send))) })

const consuming =
  (wrong: (delivery: Delivery) => Delivery): PortBug =>
  (port) => ({
    ...port,
    consume: (options) => port.consume({ ...options, onDelivery: (delivery) => options.onDelivery(wrong(delivery)) })
  })

const rewritten = (message: Outgoing, change: (event: Record<string, unknown>) => void): Outgoing => {
  const event = JSON.parse(message.body.toString()) as Record<string, unknown>
  change(event)
  return { ...message, body: Buffer.from(JSON.stringify(event)) }
}

const portBugs: ReadonlyArray<PlantedBug> = [
  {
    name: "acknowledged before it is handled",
    breaks: "P3",
    within: 60,
    bug: consuming((delivery) => {
      queueMicrotask(delivery.ack)
      return { ...delivery, ack: () => {} }
    })
  },
  {
    name: "acknowledged when a copy was sent, not when it was confirmed",
    breaks: "P3",
    within: 200,
    bug: sending((send) => (message, done) => {
      if (message.to._tag !== "Subscriber" && message.to._tag !== "DeadLetter") return send(message, done)
      send(message, () => {})
      done(confirmed)
    })
  },
  {
    name: "a copy that reached no queue counts as stored",
    breaks: "P3",
    within: 200,
    from: 67,
    bug: sending(
      (send) => (message, done) =>
        send(message, (outcome) =>
          done(outcome._tag === "Confirmed" && message.to._tag !== "Event" ? confirmed : outcome)
        )
    )
  },
  {
    name: "a lost confirm counts as Confirmed",
    breaks: "P1",
    within: 100,
    bug: sending(
      (send) => (message, done) => send(message, (outcome) => done(outcome._tag === "Unknown" ? confirmed : outcome))
    )
  },
  {
    name: "a lost confirm counts as not sent",
    breaks: "P2",
    within: 100,
    from: 16,
    bug: sending(
      (send) => (message, done) => send(message, (outcome) => done(outcome._tag === "Unknown" ? rejected : outcome))
    )
  },
  {
    name: "a nack counts as Confirmed",
    breaks: "P1",
    within: 100,
    bug: sending(
      (send) => (message, done) => send(message, (outcome) => done(outcome._tag === "Rejected" ? confirmed : outcome))
    )
  },
  {
    name: "a nack of a copy counts as stored",
    breaks: "P3",
    within: 200,
    from: 26,
    bug: sending(
      (send) => (message, done) =>
        send(message, (outcome) =>
          done(outcome._tag === "Rejected" && message.to._tag !== "Event" ? confirmed : outcome)
        )
    )
  },
  {
    name: "sent again with a new id",
    breaks: "P2",
    within: 100,
    bug: (port) => {
      const seen = new Set<string>()
      return {
        ...port,
        send: fromCallback((message, done) => {
          const { messageId } = message.properties
          if (message.to._tag !== "Event" || !seen.has(messageId)) {
            seen.add(messageId)
            return port.send(inFlight(message, done))
          }
          const id = `${messageId}-again`
          port.send(
            inFlight(
              {
                ...rewritten(message, (event) => {
                  event["id"] = id
                }),
                properties: { ...message.properties, messageId: id }
              },
              done
            )
          )
        })
      }
    }
  },
  {
    name: "a retry comes earlier than it is due",
    breaks: "P7",
    within: 100,
    from: 5,
    bug: sending(
      (send) => (message, done) =>
        send(message.to._tag === "Subscriber" ? { ...message, to: { ...message.to, seconds: 0 } } : message, done)
    )
  },
  {
    name: "a retry forgets which attempt it is",
    breaks: "P8",
    within: 200,
    bug: sending((send) => (message, done) => {
      if (message.to._tag !== "DeadLetter") return send(message, done)
      const { "bus-attempts": _, ...headers } = message.headers
      send({ ...message, headers }, done)
    })
  },
  {
    name: "keys have no order",
    breaks: "P6",
    within: 100,
    bug: (port) => ({
      ...port,
      declare: (spec) => port.declare({ ...spec, ordering: "none" })
    })
  },
  {
    name: "the events of a key overtake each other in a process",
    breaks: "P6",
    within: 100,
    bug: (port) => {
      const bodies = new Map<string, Body>()
      return {
        ...port,
        consume: (options) =>
          port.consume({
            ...options,
            // Each event gets a key of its own: its lane orders nothing.
            onDelivery: (delivery) => {
              // The bus wrote it.
              const event = JSON.parse(delivery.body.toString()) as { readonly data: typeof Keyed.Type }
              const id = delivery.properties.messageId ?? ""
              bodies.set(id, delivery.body)
              const data = { ...event.data, k: id }
              options.onDelivery({ ...delivery, body: Buffer.from(JSON.stringify({ ...event, data })) })
            }
          }),
        send: fromCallback((message, done) =>
          port.send(inFlight({ ...message, body: bodies.get(message.properties.messageId) ?? message.body }, done))
        )
      }
    }
  },
  {
    name: "an acknowledgement is forgotten",
    breaks: "P11",
    within: 60,
    from: 2,
    bug: (port) => {
      let count = 0
      return consuming((delivery) => ({
        ...delivery,
        ack: () => {
          if (++count % 10 !== 0) delivery.ack()
        }
      }))(port)
    }
  },
  {
    name: "a dead letter has other bytes",
    breaks: "P8",
    within: 100,
    bug: sending(
      (send) => (message, done) =>
        send(
          message.to._tag === "DeadLetter"
            ? rewritten(message, (event) => {
                event["time"] = "2020-01-01T00:00:00.000Z"
              })
            : message,
          done
        )
    )
  },
  {
    name: "a dead letter is acknowledged and dropped",
    breaks: "P3",
    within: 100,
    bug: sending(
      (send) => (message, done) => (message.to._tag === "DeadLetter" ? done(confirmed) : send(message, done))
    )
  },
  {
    name: "more is prefetched than requested",
    breaks: "P13",
    within: 100,
    bug: (port) => ({ ...port, consume: (options) => port.consume({ ...options, prefetch: options.prefetch + 400 }) })
  },
  {
    name: "an outcome is reported twice",
    breaks: "P13",
    within: 20,
    bug: sending(
      (send) => (message, done) =>
        send(message, (outcome) => {
          done(outcome)
          done(outcome)
        })
    )
  },
  {
    name: "an acknowledgement of a lost channel settles another delivery",
    breaks: "P3",
    within: 200,
    from: 150,
    bug: (port) => {
      const outstanding: Array<Delivery> = []
      return consuming((delivery) => {
        outstanding.push(delivery)
        return {
          ...delivery,
          lost: () => false,
          ack: () => (delivery.lost() ? outstanding.findLast((other) => !other.lost())?.ack() : delivery.ack())
        }
      })(port)
    }
  }
]

export const plantedBugs: ReadonlyArray<PlantedBug> = [...portBugs, ...plantedActorBugs]

/** The first violation of its promise, in words; undefined when it is not found. */
export const find = async ({ breaks, bug, from = 1, within }: PlantedBug): Promise<string | undefined> => {
  for (let seed = from; seed < from + within; seed++) {
    const { violations } = await once(seed, { bug })
    const found = violations.find(({ promise }) => promise === breaks)
    if (found !== undefined) return `${found.promise} by seed ${seed}: ${found.detail}`
  }
  return undefined
}
