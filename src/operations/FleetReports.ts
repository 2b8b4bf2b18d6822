/** What the operations on the processes of a namespace answer, as schemas. */
import * as Schema from "effect/Schema"
import { report, Time } from "./ReportForm.ts"

/** The pause of an operator: in all processes, until somebody resumes it. */
export const Pause = Schema.Struct({
  by: Schema.String,
  since: Schema.String,
  /** May be empty. */
  reason: Schema.String
})

export const Subscriber = Schema.Struct({
  name: Schema.String,
  /** Names and patterns of its events. */
  events: Schema.Array(Schema.String),
  /** `none` or `key`. */
  ordering: Schema.String,
  /** `Running`, `Paused` and so on. */
  status: Schema.String,
  since: Time,
  restarts: Schema.Int,
  cause: Schema.NullOr(Schema.String),
  /** The pause of an operator that it obeys. */
  paused: Schema.NullOr(Pause),
  /** Events that are ready in its queue, which all processes of the subscriber share; null where it is not known. */
  lag: Schema.NullOr(Schema.Int),
  /** When the oldest event that it holds was published. */
  oldest: Time,
  held: Schema.Int,
  inFlight: Schema.Int,
  parked: Schema.Int,
  handled: Schema.Int,
  deadLettered: Schema.Int,
  /** The lanes of a keyed subscriber that most events wait in, at most ten. Not there where no key orders them. */
  lanes: Schema.optionalKey(
    Schema.Array(
      Schema.Struct({
        /** At most 255 characters of it. */
        key: Schema.String,
        /** What its first event does: `running`, `waiting` for a retry, `claimed`, `parked` or `ready`. */
        head: Schema.String,
        attempt: Schema.Int,
        /** Events that wait behind the first one. */
        behind: Schema.Int
      })
    )
  )
})

/** The connection that a process publishes by. */
export const Connection = Schema.Struct({
  /** `Up`, `Connecting`, `Blocked` while RabbitMQ takes no publishes, or `Closed`. */
  status: Schema.String,
  since: Schema.String,
  /** Publishes that are not confirmed yet, and those that wait for the limit in flight. */
  inFlight: Schema.Int,
  waiting: Schema.Int
})

const Contract = Schema.Struct({
  event: Schema.String,
  /** The version that it publishes; null where it has not published the event. */
  publishes: Schema.NullOr(Schema.Int),
  /** The newest version that its subscribers know; null where none has the event. */
  handles: Schema.NullOr(Schema.Int),
  /** A digest of the data of each version; null where none can be made. */
  versions: Schema.Record(Schema.String, Schema.NullOr(Schema.String))
})

/** Which process it is. */
const identity = {
  process: Schema.String,
  source: Schema.String,
  host: Schema.String,
  pid: Schema.Int
}

/** What a process says about itself. */
export const Presence = Schema.Struct({
  ...identity,
  library: Schema.String,
  startedAt: Schema.String,
  /** Not there from processes of an earlier version. */
  connection: Schema.optionalKey(Connection),
  /** Absent in the first seconds of a process, and where an older version of the library runs. */
  contracts: Schema.optionalKey(
    Schema.Struct({
      /** What made the digests: only those of one maker can be compared. */
      by: Schema.String,
      events: Schema.Array(Contract)
    })
  ),
  subscribers: Schema.Array(Subscriber)
})

const secondsAgo = {
  /** How long ago it said so. After 30 seconds of silence a process is gone from the list. */
  secondsAgo: Schema.Finite
}

export const Ps = report("ps", {
  processes: Schema.Array(Schema.Struct({ ...Presence.fields, ...secondsAgo })),
  /** What operators have paused, whether a process runs it or not. */
  paused: Schema.Array(Schema.Struct({ subscriber: Schema.String, ...Pause.fields })),
  /** Where processes disagree about contracts. */
  disagreements: Schema.Array(
    Schema.Struct({
      event: Schema.String,
      /** `data`: the version is not the same data in all processes. `behind`: subscribers do not know it, and it is published. */
      kind: Schema.Literals(["data", "behind"]),
      version: Schema.Int,
      processes: Schema.Array(
        Schema.Struct({
          ...identity,
          /** The version that it publishes, or the newest one that it knows. */
          version: Schema.Int,
          /** Of `data`, by which processes differ. */
          digest: Schema.NullOr(Schema.String)
        })
      )
    })
  ),
  /** Records that cannot be read: another program, or a later version of the library, wrote them. */
  unreadable: Schema.Int
})

const ordered = {
  subscriber: Schema.String,
  /** Whether nothing was done. */
  dryRun: Schema.Boolean,
  /** Whether it was not so before. */
  changed: Schema.Boolean,
  /** The processes that run it. */
  processes: Schema.Array(
    Schema.Struct({
      ...identity,
      status: Schema.String,
      cause: Schema.NullOr(Schema.String),
      /** Whether it obeys a pause of an operator. */
      paused: Schema.Boolean,
      ...secondsAgo
    })
  ),
  /** How many of them have not followed, although they had time for it. */
  pending: Schema.Int
}

export const PauseOrder = report("subscriber.pause", {
  ...ordered,
  /** The pause in force; of a dry run the one that would be. */
  pause: Pause
})

export const ResumeOrder = report("subscriber.resume", {
  ...ordered,
  /** The pause that was in force; null where none was. */
  pause: Schema.NullOr(Pause)
})

export const ReleaseOrder = report("subscriber.release", {
  subscriber: Schema.String,
  /** Null for every parked key. */
  key: Schema.NullOr(Schema.String),
  dryRun: Schema.Boolean,
  /** Parked events of the subscriber, as its processes say; null where that is not known. */
  parked: Schema.NullOr(Schema.Int),
  /** Whether its active process was asked. */
  sent: Schema.Boolean
})

export const byCommand = { ps: Ps, pause: PauseOrder, resume: ResumeOrder, release: ReleaseOrder } as const
