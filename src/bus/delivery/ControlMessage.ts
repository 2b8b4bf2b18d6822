/**
 * What the runtime sends to the process that is active for a keyed subscriber, by way of the subscriber's own
 * queue: only the active process gets it, and RabbitMQ does not report which one that is.
 *
 * A reminder circulates while events are parked: it reaches each process that becomes active, which then brings
 * the parked events back although no other event comes. A release lets a key run before its time.
 */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type { Delivery, Headers } from "../port/Broker.ts"
import { SubscribeError, SubscriberInvalid } from "../subscriber/SubscribeError.ts"
import type { ControlCopy, Copies } from "./Copies.ts"

export type ControlMessage =
  | { readonly _tag: "Reminder"; readonly id: string }
  /** Of every parked key, if none is named. */
  | { readonly _tag: "Release"; readonly id: string; readonly key: string | undefined }
  /** Of a later release of the library: it is acknowledged and nothing follows. */
  | { readonly _tag: "Unknown"; readonly id: string }

type KnownControl = Exclude<ControlMessage, { readonly _tag: "Unknown" }>

/** The header of every message of the runtime itself; its value says which one it is. */
export const header = "bus-control"
const keyHeader = "bus-control-key"
/** A process that becomes active learns within this time that events are parked. */
const reminderSeconds = 30

/** Returns undefined for events. Only a message that the runtime itself sent is believed. */
export const read = ({ headers, properties, trusted }: Delivery): ControlMessage | undefined => {
  const kind = trusted ? headers[header] : undefined
  const id = properties.messageId ?? ""
  if (kind === "reminder") return { _tag: "Reminder", id }
  if (kind === undefined) return undefined
  if (kind !== "release") return { _tag: "Unknown", id }
  const key = headers[keyHeader]
  return { _tag: "Release", id, key: Predicate.isString(key) ? key : undefined }
}

/** With `atOnce`, a reminder reaches the process that is active now, and not only the next one. */
export const write = (message: KnownControl, subscriber: string, now: number, atOnce = false): ControlCopy => {
  const type = message._tag === "Reminder" ? "bus.subscriber.reminder" : "bus.subscriber.release"
  const seconds = message._tag === "Reminder" && !atOnce ? reminderSeconds : 0
  return { ...copyOf(type, message.id, subscriber, now, {}), headers: headersOf(message), seconds }
}

/** To a process that does not know control messages it is an event like any other, which it skips. */
export const copyOf = (
  type: string,
  id: string,
  subscriber: string,
  now: number,
  data: object
): Pick<ControlCopy, "id" | "type" | "bytes"> => {
  const body = { specversion: "1.0", id, source: subscriber, type, time: new Date(now).toISOString() }
  return { id, type, bytes: Buffer.from(JSON.stringify({ ...body, datacontenttype: "application/json", data })) }
}

const headersOf = (message: KnownControl): Headers =>
  message._tag === "Reminder"
    ? { [header]: "reminder" }
    : { [header]: "release", ...(message.key !== undefined && { [keyHeader]: message.key }) }

/** Asks the active process to run a parked key now, or every parked key. */
export const release = (
  subscriber: { readonly name: string; readonly onBlocked: "dead-letter" | "park" },
  copies: Copies,
  id: string,
  now: number,
  key: string | undefined
): Effect.Effect<void, SubscribeError> =>
  subscriber.onBlocked === "park"
    ? copies.sendControl(write({ _tag: "Release", id, key }, subscriber.name, now))
    : Effect.fail(
        new SubscribeError({
          subscriber: subscriber.name,
          reason: new SubscriberInvalid({
            option: "release",
            problem: "this subscriber never parks an event",
            remedy: 'Set ordering: "key", and leave out onBlocked'
          })
        })
      )
