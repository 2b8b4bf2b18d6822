/**
 * What the services of these tests and the tests agree on: the events that say what their handler is to
 * do, the options of a service, and the lines that it writes.
 */
import { Schema } from "effect"
import { Event } from "../../src/index.ts"

export const acts = [
  /** Takes `ms`, then succeeds. */
  "work",
  /** Ends when the process is asked to end. */
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
  /** Is rejected after `ms`. */
  "reject",
  /** Publishes `<event>.echo` after `ms`. */
  "publish",
  /** Ends the process, each time. */
  "abort",
  "exit",
  /** SIGKILL when everything is done except for the acknowledgement; at its first delivery. */
  "die"
] as const
export type Act = (typeof acts)[number]

/** An order to the handler; ordered by `k`. */
export const orderOf = (name: string) =>
  Event.make(name, {
    version: 1,
    data: Schema.Struct({ n: Schema.Finite, k: Schema.String, act: Schema.Literals(acts), ms: Schema.Finite }),
    key: (data) => data.k
  })
export type Order = { readonly n: number; readonly k: string; readonly act: Act; readonly ms: number }

/** What a "publish" publishes. */
export const echoOf = (name: string) =>
  Event.make(`${name}.echo`, { version: 1, data: Schema.Struct({ n: Schema.Finite }) })

export interface ServiceOptions {
  readonly url: string
  readonly namespace: string
  /** Milliseconds. */
  readonly drain: number
  readonly waitForBroker?: boolean
  readonly heartbeat?: number
  /** Orders it handles, and names of the subscribers that do, each with a layer of its own. */
  readonly event: string
  readonly subscribers?: ReadonlyArray<string>
  /** The subscribers share one scope instead. */
  readonly together?: boolean
  readonly ordering?: "none" | "key"
  readonly concurrency?: number
  readonly prefetch?: number
  /** Milliseconds between attempts. */
  readonly retry?: number
  /** Keeps so many echoes on their way. */
  readonly publishing?: number
  /** Publishes one order with this id. */
  readonly once?: { readonly id: string; readonly order: Order }
  /** Dies when the broker has confirmed the first of these, before anybody hears of it. */
  readonly dieAtConfirm?: "Event" | "Subscriber"
  /** Writes down each delivery with its count. */
  readonly watch?: boolean
}

/** One line of its output. */
export interface Line {
  readonly say: "begun" | "ready" | "delivered" | "started" | "handled" | "interrupted" | "published" | "log"
  /** Monotonic milliseconds of the machine. */
  readonly at: number
  readonly n?: number
  readonly k?: string
  readonly id?: string
  readonly subscriber?: string
  readonly attempt?: number
  readonly redelivered?: boolean
  /** How often it came back unsettled. */
  readonly count?: number
  /** "Confirmed", or why not. */
  readonly outcome?: string
  readonly level?: string
  readonly message?: string
  readonly fields?: Readonly<Record<string, unknown>>
}
