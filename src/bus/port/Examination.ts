/**
 * PORT: what a look at a running system finds. Adapters look at their server as a service would meet it, and change
 * nothing. A healthy system has no finding.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"

export type Severity = "error" | "warning"

/** Something that is wrong, or that will go wrong. */
export interface Finding {
  /** A stable name, `rabbitmq.tls` for example. */
  readonly check: string
  readonly severity: Severity
  readonly seen: string
  /** The command that mends it, or what to do where no command does. */
  readonly mend: string
}

export interface Examined {
  /** What was seen and is well. */
  readonly facts: ReadonlyArray<string>
  readonly findings: ReadonlyArray<Finding>
  /** What could not be seen from here, and what would show it. */
  readonly unseen: ReadonlyArray<string>
}

/** What the system is for, where that is known: rights and queues are looked at by it. */
export interface Subject {
  /** Names of subscribers. */
  readonly subscribers: ReadonlyArray<string>
  /** Names of events that are published. */
  readonly events: ReadonlyArray<string>
}

/** Rights that are missing for something, and the command that grants them. */
export interface MissingRights {
  /** Verb and object of each: `configure queue eduflow.tmp.*`. */
  readonly missing: ReadonlyArray<string>
  readonly mend: string
}

export class Examiner extends Context.Service<
  Examiner,
  {
    /** Looks at RabbitMQ and Redis. It never fails: what cannot be reached is a finding. */
    readonly examine: (subject: Subject) => Effect.Effect<Examined>
    /**
     * The subscribers that have a queue of dead letters; undefined where the broker cannot list its queues. Fails with the
     * reason in words.
     */
    readonly deadLetterSources: Effect.Effect<ReadonlyArray<string> | undefined, string>
    /** Which rights are missing to look at live events and dead letters over a queue of one process. */
    readonly rightsToWatch: Effect.Effect<MissingRights>
  }
>()("@eduflow/events/bus/Examiner") {}
