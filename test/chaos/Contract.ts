/** What publishers, subscribers and the verdict agree on: the events, what is wrong with some of them, and the options of a process. */
import { Schema } from "effect"
import { Event } from "../../src/index.ts"

/** What becomes of an event. `old` is of version 1; `flaky` fails at its first attempt. */
export const healthy = ["plain", "old", "flaky"] as const
/**
 * Nothing but a dead-letter queue is left for these. The last four are not even sent by the library. A
 * version that is newer than the contract is none of them: it is put off for an hour, until there may be
 * somebody who knows it.
 */
export const poisons = ["throw", "hang", "reject", "bad-json", "wrong-schema", "bad-version", "deep"] as const
export const kinds = [...healthy, ...poisons] as const
export type Kind = (typeof kinds)[number]

export const isPoison = (kind: Kind): boolean => poisons.some((poison) => poison === kind)
/** Sent by a foreign publisher, straight to the exchange. */
export const isForeign = (kind: Kind): boolean =>
  kind === "old" || kind === "bad-json" || kind === "wrong-schema" || kind === "bad-version" || kind === "deep"

/** What the diagnosis of a dead letter must say. */
export const sentence = (kind: Kind): { readonly reason: string; readonly tag: string; readonly attempts: number } => {
  switch (kind) {
    case "throw":
      return { reason: "Exhausted", tag: "Thrown", attempts: 1 + retryMillis.length }
    case "hang":
      return { reason: "Exhausted", tag: "HandlerTimeout", attempts: 1 + retryMillis.length }
    case "reject":
      return { reason: "Rejected", tag: "Reject", attempts: 1 }
    default:
      return { reason: "Invalid", tag: "InvalidEvent", attempts: 1 }
  }
}

export const retryMillis = [100, 300, 900] as const

const version1 = Schema.Struct({
  key: Schema.String,
  seq: Schema.Finite,
  kind: Schema.Literals(kinds),
  /** How long the handler takes. */
  ms: Schema.Finite
})

/** One step of a key: the sequence tells the order. */
export const Step = Event.make("chaos.step", {
  version: 2,
  data: Schema.Struct({ ...version1.fields, pad: Schema.String }),
  key: (step) => step.key,
  previous: [{ version: 1, data: version1, up: (old) => ({ ...old, pad: "" }) }]
})
export type Step = typeof Step.Type

/** For the subscriber whose queue is deleted. */
export const Tick = Event.make("chaos.tick", { version: 1, data: Schema.Struct({ n: Schema.Finite }) })

/** What the library must never do, done to it in its process: the verdict has to see it. */
export const bugs = [
  "ack-before-handle",
  "transient-classic",
  "no-mandatory",
  "mark-before-handle",
  "key-before-confirm",
  "ack-on-wrong-channel",
  "dead-letter-unconfirmed",
  "cancel-first",
  "requeue-forever",
  "group-missing-in-key"
] as const
export type Bug = (typeof bugs)[number]

interface Common {
  readonly name: string
  readonly seed: number
  /** Of its own proxies. */
  readonly url: string
  readonly redisUrl: string
  readonly namespace: string
  readonly ledger: string
  /** Holds the failpoint that SIGUSR2 arms. */
  readonly arm: string
  readonly bug?: Bug
}

export interface PublisherOptions extends Common {
  readonly role: "publisher"
  /** Events a second. */
  readonly rate: number
  readonly keys: ReadonlyArray<string>
  /** Ends publishing after so many; it stays alive. */
  readonly count?: number
  /** Shares of all events. */
  readonly poison: number
  readonly flaky: number
  readonly old: number
  readonly big: number
  /** The first events are one of each of these. */
  readonly first?: ReadonlyArray<Kind>
  /** Longest time of a handler, milliseconds. */
  readonly work: number
  /** Instead of a random time: the time of the nth event, and of all further ones its last. */
  readonly works?: ReadonlyArray<number>
  /** After a crash it publishes again what has no outcome, as from an outbox. */
  readonly outbox: boolean
  readonly ticks: boolean
}

export interface Group {
  readonly name: string
  readonly events: "step" | "tick"
  readonly ordering: "none" | "key"
  readonly idempotent: boolean
  /** A key that is blocked is parked. */
  readonly parks?: boolean
  readonly batch?: { readonly size: number; readonly within: number }
  readonly concurrency?: number
  readonly prefetch?: number
  /** Milliseconds. */
  readonly deadline?: number
  /** Its handlers cannot be interrupted. */
  readonly deaf?: boolean
}

export interface SubscriberOptions extends Common {
  readonly role: "subscriber"
  readonly groups: ReadonlyArray<Group>
}

export type ProcessOptions = PublisherOptions | SubscriberOptions

/** Where a process kills itself. */
export const failpoints = {
  /** The intent is written, nothing is sent. */
  publisher: ["before-send", "in-flight", "after-confirm"],
  /** The claim is made; everything is done but the acknowledgement; a copy is confirmed and its original is not acknowledged. */
  subscriber: ["at-start", "after-handle", "after-copy"]
} as const
export type Failpoint = (typeof failpoints)["publisher" | "subscriber"][number]
