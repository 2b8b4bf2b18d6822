/**
 * PORT: the fleet, which is all processes of a namespace. Each of them says now and then which subscribers it runs, and
 * learns which ones an operator has paused. What a process says ends with its time to live, so a process that is gone
 * is gone from the list as well. A pause of an operator has no end but `resume`.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { CacheError } from "./CacheError.ts"

/** A process that says nothing for this long, in milliseconds, is gone. */
export const timeToLiveMillis = 30_000

/** Why a subscriber is paused in all processes. */
export interface OperatorPause {
  /** The operator, as they name themselves. */
  readonly by: string
  readonly since: Date
  /** May be empty. */
  readonly reason: string
}

/** Those in force, by subscriber. */
export type Pauses = ReadonlyMap<string, OperatorPause>

/** One subscriber of a process. It is written down as JSON, so times are ISO 8601 in UTC, and null is what is not known. */
export interface SubscriberPresence {
  readonly name: string
  /** Names and patterns of its events. */
  readonly events: ReadonlyArray<string>
  readonly ordering: "none" | "key"
  readonly status: string
  readonly since: string
  readonly restarts: number
  readonly cause: string | null
  /** The pause of an operator that it obeys. */
  readonly paused: { readonly by: string; readonly since: string; readonly reason: string } | null
  /** Events that are ready in its queue. */
  readonly lag: number | null
  /** When the oldest event that it holds was published. */
  readonly oldest: string | null
  readonly held: number
  readonly inFlight: number
  readonly parked: number
  /** Since its process has started. */
  readonly handled: number
  readonly deadLettered: number
  /** The lanes of a keyed subscriber that most events wait in, at most ten. Earlier versions do not write them. */
  readonly lanes?: ReadonlyArray<LanePresence>
}

/** The events of one key, of which 255 characters are written. */
export interface LanePresence {
  readonly key: string
  readonly head: string
  readonly attempt: number
  readonly behind: number
}

/** The connection that a process publishes by, and its publishes that are not confirmed yet or wait for their turn. */
export interface ConnectionPresence {
  /** `Up`, `Connecting`, `Blocked` while RabbitMQ takes no publishes, or `Closed`. */
  readonly status: string
  readonly since: string
  readonly inFlight: number
  readonly waiting: number
}

/** One contract of a process. A field of it that is not known here is one of a later version. */
export interface ContractPresence {
  readonly event: string
  /** The version that it publishes; null where it has not published the event. */
  readonly publishes: number | null
  /** The newest version that its subscribers know; null where none has the event. */
  readonly handles: number | null
  /** The digest of each version that it knows; null where none can be made. */
  readonly versions: Readonly<Record<string, string | null>>
}

export interface ContractsPresence {
  /** What made the digests: only those of one maker can be compared. */
  readonly by: string
  readonly events: ReadonlyArray<ContractPresence>
}

/** What a process says about itself. */
export interface Presence {
  /** No other process has the same. */
  readonly process: string
  /** The service. */
  readonly source: string
  readonly host: string
  readonly pid: number
  readonly library: string
  readonly startedAt: string
  /** Earlier versions do not write it. */
  readonly connection?: ConnectionPresence
  /** Absent in the first seconds of a process, and in processes of before this field. */
  readonly contracts?: ContractsPresence
  readonly subscribers: ReadonlyArray<SubscriberPresence>
}

/** A process that is there. */
export interface SeenProcess {
  /** A `Presence`, unless another version of the library or another program wrote it: whoever reads it checks it. */
  readonly record: unknown
  /** How long ago it was written, in milliseconds. */
  readonly millisAgo: number
}

export class Fleet extends Context.Service<
  Fleet,
  {
    /** Says that this process is there, and returns what is paused: one round trip. */
    readonly appear: (presence: Presence) => Effect.Effect<Pauses, CacheError>
    /** Takes back what a process has said. */
    readonly leave: (process: string) => Effect.Effect<void, CacheError>
    readonly pauses: Effect.Effect<Pauses, CacheError>
    readonly processes: Effect.Effect<ReadonlyArray<SeenProcess>, CacheError>
    /** Replaces a pause that is in force. Operators alone have the right. */
    readonly pause: (subscriber: string, pause: OperatorPause) => Effect.Effect<void, CacheError>
    /** Returns whether it was paused. Operators alone have the right. */
    readonly resume: (subscriber: string) => Effect.Effect<boolean, CacheError>
  }
>()("@eduflow/events/bus/Fleet") {}
