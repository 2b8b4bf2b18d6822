/**
 * What the runtime says to the process that is active for a keyed subscriber, by way of the
 * subscriber's own queue: only the active one gets it, and RabbitMQ tells nobody who that is.
 *
 * A reminder circulates while anything is parked: whoever becomes active hears of it, and brings the
 * parked events back although no other event comes. A release asks for a key before its time.
 */
import { Effect } from "effect"
import type { Delivery, Headers } from "./Broker.ts"
import { SubscribeError, SubscriberInvalid } from "./BusError.ts"
import type { ControlMessage, Settlement } from "./Settlement.ts"

export type Control =
  | { readonly _tag: "Reminder"; readonly id: string }
  /** Of every parked key where none is named. */
  | { readonly _tag: "Release"; readonly id: string; readonly key: string | undefined }

const header = "bus-control"
const keyHeader = "bus-control-key"
/** A process that takes over hears of what is parked at the latest after so long. */
const reminderSeconds = 30

/** Undefined for events. Only what the runtime itself sent is believed (P15). */
export const read = ({ headers, properties, trusted }: Delivery): Control | undefined => {
  const said = trusted ? headers[header] : undefined
  const id = properties.messageId ?? ""
  if (said === "reminder") return { _tag: "Reminder", id }
  if (said !== "release") return undefined
  const key = headers[keyHeader]
  return { _tag: "Release", id, key: typeof key === "string" ? key : undefined }
}

export const write = (control: Control, subscriber: string, now: number): ControlMessage => {
  const type = control._tag === "Reminder" ? "bus.subscriber.reminder" : "bus.subscriber.release"
  // An event like any other for who does not know it: it is skipped.
  const body = { specversion: "1.0", id: control.id, source: subscriber, type, time: new Date(now).toISOString() }
  return {
    id: control.id,
    type,
    bytes: Buffer.from(JSON.stringify({ ...body, datacontenttype: "application/json", data: {} })),
    headers: headersOf(control),
    seconds: control._tag === "Reminder" ? reminderSeconds : 0
  }
}

const headersOf = (control: Control): Headers =>
  control._tag === "Reminder"
    ? { [header]: "reminder" }
    : { [header]: "release", ...(control.key !== undefined && { [keyHeader]: control.key }) }

/** Asks the active process to let a parked key go on, or every one. */
export const release = (
  subscriber: { readonly name: string; readonly onBlocked: "dead-letter" | "park" },
  settlement: Settlement,
  id: string,
  now: number,
  key: string | undefined
): Effect.Effect<void, SubscribeError> =>
  subscriber.onBlocked === "park"
    ? settlement.tell(write({ _tag: "Release", id, key }, subscriber.name, now))
    : Effect.fail(
        new SubscribeError({
          subscriber: subscriber.name,
          reason: new SubscriberInvalid({
            option: "release",
            problem: "nothing of it is ever parked",
            remedy: 'Say ordering: "key" and onBlocked: "park"'
          })
        })
      )
