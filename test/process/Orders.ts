/**
 * What the tests and their services share: orders, which are events that say what the handler does; the options of
 * a service; the lines that it writes.
 */
import { Schema } from "effect"
import { Event } from "../../src/index.ts"

export const acts = [
  /** Takes `ms`, then succeeds. */
  "work",
  /** Takes until SIGTERM. */
  "linger",
  /** Never ends, and can be interrupted. */
  "hang",
  /** Takes `ms` and cannot be interrupted. */
  "deaf",
  /** Holds the event loop for `ms`, at its first delivery. */
  "spin",
  /** Takes `ms` at its first delivery. */
  "slow-once",
  /** Fails after `ms`, at its first attempt. */
  "fail",
  /** Is rejected when the test releases it, or at once when it has `ms`. */
  "reject",
  /** Publishes `<event>.echo` after `ms`. */
  "publish",
  /** Publishes it `ms` after SIGTERM. */
  "publish-at-end",
  /** Both end the process, each time. */
  "abort",
  "exit",
  /** Kills the process when everything but the acknowledgement is done, at its first delivery. */
  "die"
] as const
export type Act = (typeof acts)[number]

/** An order to the handler; its key is `k`. */
export const orderOf = (name: string) =>
  Event.make(name, {
    version: 1,
    data: Schema.Struct({ n: Schema.Finite, k: Schema.String, act: Schema.Literals(acts), ms: Schema.Finite }),
    key: (data) => data.k
  })
export type Order = { readonly n: number; readonly k: string; readonly act: Act; readonly ms: number }

/** Published by an order "publish". */
export const echoOf = (name: string) =>
  Event.make(`${name}.echo`, { version: 1, data: Schema.Struct({ n: Schema.Finite }) })

export interface ServiceOptions {
  readonly url: string
  readonly namespace: string
  /** Milliseconds. */
  readonly drain: number
  readonly waitForBroker?: boolean
  readonly heartbeat?: number
  /** The event of its orders, and its subscribers, each with its own layer. */
  readonly event: string
  readonly subscribers?: ReadonlyArray<string>
  /** The subscribers share one scope instead. */
  readonly together?: boolean
  readonly ordering?: "none" | "key"
  readonly concurrency?: number
  readonly prefetch?: number
  /** Idempotent, with its claims in this Redis. */
  readonly claims?: string
  /** Milliseconds that a handler may take. */
  readonly deadline?: number
  /** Milliseconds between attempts. */
  readonly retry?: number
  /** Keeps up to this many publishes of echoes in flight, and writes how many there are when the test releases it. */
  readonly publishing?: number
  /** Publishes one order with this id. */
  readonly once?: { readonly id: string; readonly order: Order }
  /** Dies when the broker has confirmed the first message of this kind, before the library learns it. */
  readonly dieAtConfirm?: "Event" | "Subscriber"
  /** Writes a line for each delivery, with its delivery count. */
  readonly watch?: boolean
}

/** One line of its output. */
export interface Line {
  readonly type:
    | "begun"
    | "ready"
    | "delivered"
    | "started"
    | "handled"
    | "interrupted"
    | "published"
    | "looked"
    | "log"
  /** Monotonic milliseconds of the machine. */
  readonly at: number
  readonly n?: number
  readonly k?: string
  readonly id?: string
  readonly subscriber?: string
  readonly attempt?: number
  readonly redelivered?: boolean
  /** Delivery count: how often it came back unsettled. */
  readonly count?: number
  /** "Confirmed", or why not. */
  readonly outcome?: string
  readonly level?: string
  readonly message?: string
  readonly fields?: Readonly<Record<string, unknown>>
}
