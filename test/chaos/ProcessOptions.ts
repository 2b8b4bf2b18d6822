/** The options of a process of a run, the bugs that can be planted in it, and its failpoints. */
import type { Kind } from "./Events.ts"
import type { Release } from "./Releases.ts"

/** Mistakes that the library must never make, made in its process: the judgement must find each. */
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
  "group-missing-in-key",
  "source-missing-in-key",
  "subject-is-key",
  "late-acks",
  "looks-take-lives",
  "denied-is-confirmed",
  "unknown-is-acked",
  "waits-by-wall-clock",
  "lanes-by-wall-clock",
  "sleeps-the-lease",
  "timeout-is-deletion",
  "silent-line-kept",
  "binds-on-consume-line"
] as const
export type Bug = (typeof bugs)[number]

interface Common {
  readonly name: string
  readonly seed: number
  /** Url of its own proxy. */
  readonly url: string
  readonly redisUrl: string
  readonly namespace: string
  readonly journal: string
  /** File with the failpoint that SIGUSR2 arms. */
  readonly arm: string
  readonly bug?: Bug
  /** Its health goes to the journal. */
  readonly reportsHealth?: boolean
}

export interface PublisherOptions extends Common {
  readonly role: "publisher"
  /** Events a second. */
  readonly rate: number
  readonly keys: ReadonlyArray<string>
  /** Stops publishing after this many events; the process stays alive. */
  readonly count?: number
  /** Share of all events, as the next four. */
  readonly poison: number
  readonly flaky: number
  readonly old: number
  readonly foreign: number
  readonly big: number
  /** The first events are one of each of these. */
  readonly first?: ReadonlyArray<Kind>
  /** Longest handler, milliseconds. */
  readonly work: number
  /** Handler time of the nth event instead of a random one; its last entry holds for all later events. */
  readonly works?: ReadonlyArray<number>
  /** After a crash it publishes events without an outcome again, as an outbox does. */
  readonly outbox: boolean
  readonly ticks: boolean
}

/** Which events a group is for. */
export type Flow = "step" | "mortal" | "mortal-by-key" | "deployed" | "tick"

export interface Group {
  readonly name: string
  readonly events: Flow
  readonly ordering: "none" | "key"
  readonly idempotent: boolean
  /** A blocked key is parked. */
  readonly parks?: boolean
  /** The first event of a blocked key is dead-lettered. */
  readonly givesUp?: boolean
  readonly batch?: { readonly size: number; readonly maxWait: number }
  readonly concurrency?: number
  readonly prefetch?: number
  /** Milliseconds. */
  readonly deadline?: number
  /** Another subscriber that has the same events while this one is renamed: what one of them handled is not lost. */
  readonly also?: string
  /** Its handlers cannot be interrupted. */
  readonly deaf?: boolean
}

export interface SubscriberOptions extends Common {
  readonly role: "subscriber"
  readonly groups: ReadonlyArray<Group>
  /** Its code, of which its groups follow, too. */
  readonly release?: Release
}

/** A process that looks at dead letters as long as it runs. */
export interface OperatorOptions extends Common {
  readonly role: "operator"
  /** The subscribers whose dead letters it looks at. */
  readonly subscribers: ReadonlyArray<string>
}

export type ProcessOptions = PublisherOptions | SubscriberOptions | OperatorOptions

/** Points at which a process kills itself. */
export const failpoints = {
  /** The intent is written, nothing is sent. */
  publisher: ["before-send", "in-flight", "after-confirm"],
  /** The claim is made; everything is done but the acknowledgement; a copy is confirmed and its original is not acknowledged. */
  subscriber: ["at-start", "after-handle", "after-copy"]
} as const
export type Failpoint = (typeof failpoints)["publisher" | "subscriber"][number]
