/** Shows the processes of a namespace, and pauses, resumes and releases a subscriber in all of them. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { BrokerError } from "../../bus/port/BrokerError.ts"
import { SettingsInvalid } from "../../bus/port/BrokerReason.ts"
import type { CacheError } from "../../bus/port/CacheError.ts"
import type { Finding } from "../../bus/port/Examination.ts"
import type { Fleet, OperatorPause } from "../../bus/port/Fleet.ts"
import type { PublishError } from "../../bus/send/PublishError.ts"
import { nameFault } from "../../event/Name.ts"
import type { OpenBus, OpenFleet } from "../Bus.ts"
import * as Reports from "../FleetReports.ts"
import { PauseDenied, RequestInvalid } from "../OperationsError.ts"
import * as Disagreements from "./Disagreements.ts"
import { sendRelease } from "./Release.ts"

export interface PauseRequest {
  /** The operator: the status of the subscriber says so. */
  readonly by: string
  readonly reason?: string | undefined
  /** Does it. Without it the report says what would be. */
  readonly apply: boolean
}

export interface ReleaseRequest {
  /** Every parked key where none is named. */
  readonly key?: string | undefined
  readonly apply: boolean
}

type FleetFailure = BrokerError | CacheError
type OrderFailure = FleetFailure | PauseDenied | RequestInvalid

/** Findings of where processes disagree about contracts. What cannot be reached is a finding of others. */
export const examine = (fleet: OpenFleet): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.flatMap(fleet, (open) =>
    open === undefined
      ? Effect.succeed([])
      : Effect.map(look(open), ({ processes }) => Disagreements.of(processes).map(Disagreements.findingOf))
  ).pipe(Effect.orElseSucceed(() => []))

export interface FleetOperations {
  /** Who runs which subscribers, in which version and state, and what is paused. Changes nothing. */
  readonly ps: Effect.Effect<typeof Reports.Ps.Type, FleetFailure>
  /** Pauses a subscriber in all processes, those that start later too, and waits until they have. */
  readonly pause: (
    subscriber: string,
    request: PauseRequest
  ) => Effect.Effect<typeof Reports.PauseOrder.Type, OrderFailure>
  /** Ends the pause of an operator, and waits until all processes have followed. Other pauses stay. */
  readonly resume: (
    subscriber: string,
    request: { readonly apply: boolean }
  ) => Effect.Effect<typeof Reports.ResumeOrder.Type, OrderFailure>
  /** Lets a parked key run before its time, or every parked key. */
  readonly release: (
    subscriber: string,
    request: ReleaseRequest
  ) => Effect.Effect<typeof Reports.ReleaseOrder.Type, BrokerError | PublishError | RequestInvalid>
}

/** Processes look every five seconds. */
const lookEveryMillis = 500
const looks = 30

const mostCharacters = { by: 100, reason: 500 }

export const make = (bus: OpenBus, fleet: OpenFleet): FleetOperations => {
  const store = Effect.flatMap(fleet, (found) =>
    found === undefined ? Effect.fail(withoutStore) : Effect.succeed(found)
  )
  return {
    ps: Effect.flatMap(store, ps),
    pause: (subscriber, request) =>
      Effect.andThen(
        checked(subscriber),
        Effect.flatMap(store, (open) => pause(open, subscriber, request))
      ),
    resume: (subscriber, { apply }) =>
      Effect.andThen(
        checked(subscriber),
        Effect.flatMap(store, (open) => resume(open, subscriber, apply))
      ),
    release: (subscriber, request) =>
      Effect.andThen(
        checked(subscriber),
        Effect.flatMap(bus, ({ broker }) =>
          Effect.gen(function* () {
            // A queue that is not there says so, and has nothing parked.
            yield* broker.depth(subscriber, "parked")
            const parked = yield* parkedOf(fleet, subscriber)
            if (request.apply) yield* sendRelease(broker, subscriber, request.key)
            return {
              kind: "subscriber.release" as const,
              version: 1 as const,
              subscriber,
              key: request.key ?? null,
              dryRun: !request.apply,
              parked,
              sent: request.apply
            }
          })
        )
      )
  }
}

const withoutStore = new BrokerError({
  reason: new SettingsInvalid({
    setting: "EVENTBUS_REDIS_URL",
    problem: "it is not set, and processes show themselves in Redis alone, where they also learn what is paused",
    remedy:
      "Set it here and for the services: redis://host:6379, or rediss:// with TLS. Without Redis a service pauses its own process by `subscription.pause`"
  })
})

const checked = (subscriber: string): Effect.Effect<void, RequestInvalid> => {
  const fault = nameFault(subscriber)
  return fault === undefined ? Effect.void : Effect.fail(new RequestInvalid({ problem: fault }))
}

const decode = Schema.decodeUnknownOption(Reports.Presence)

/** What a later version says of contracts must not hide its process. */
const withoutContracts = (record: unknown): unknown => {
  if (!Predicate.isObject(record)) return record
  const { contracts: _, ...rest }: Readonly<Record<string, unknown>> = record
  return rest
}

type Seen = (typeof Reports.Ps.Type)["processes"][number]

const look = (fleet: Fleet["Service"]) =>
  Effect.map(fleet.processes, (seen) => {
    const processes = seen.flatMap(({ millisAgo, record }): ReadonlyArray<Seen> =>
      Option.match(
        Option.orElse(decode(record), () => decode(withoutContracts(record))),
        {
          onNone: () => [],
          onSome: (presence) => [{ ...presence, secondsAgo: Math.round(millisAgo / 100) / 10 }]
        }
      )
    )
    return { processes: processes.toSorted(byPlace), unreadable: seen.length - processes.length }
  })

const byPlace = (one: Seen, other: Seen): number =>
  one.source.localeCompare(other.source) || one.host.localeCompare(other.host) || one.pid - other.pid

const ps = Effect.fnUntraced(function* (fleet: Fleet["Service"]) {
  const [{ processes, unreadable }, pauses] = yield* Effect.all([look(fleet), fleet.pauses], {
    concurrency: "unbounded"
  })
  return {
    kind: "ps" as const,
    version: 1 as const,
    processes,
    disagreements: Disagreements.of(processes),
    paused: [...pauses].map(([subscriber, pause]) => ({ subscriber, ...reported(pause) })),
    unreadable
  }
})

const reported = ({ by, reason, since }: OperatorPause) => ({ by, since: since.toISOString(), reason })

type Holder = (typeof Reports.PauseOrder.Type)["processes"][number]

/** The processes that run this subscriber. */
const holders = (fleet: Fleet["Service"], subscriber: string) =>
  Effect.map(look(fleet), ({ processes }) =>
    processes.flatMap(({ host, pid, process, secondsAgo, source, subscribers }): ReadonlyArray<Holder> =>
      subscribers
        .filter(({ name }) => name === subscriber)
        .map(({ cause, paused, status }) => ({
          process,
          source,
          host,
          pid,
          status,
          cause,
          paused: paused !== null,
          secondsAgo
        }))
    )
  )

/** Waits until all of them have followed, or had time enough. */
const followed = Effect.fnUntraced(function* (fleet: Fleet["Service"], subscriber: string, isPaused: boolean) {
  for (let round = 1; ; round++) {
    const processes = yield* holders(fleet, subscriber)
    const pending = processes.filter(({ paused }) => paused !== isPaused).length
    if (pending === 0 || round >= looks) return { processes, pending }
    yield* Effect.sleep(lookEveryMillis)
  }
})

const pause = Effect.fnUntraced(function* (
  fleet: Fleet["Service"],
  subscriber: string,
  { apply, by, reason = "" }: PauseRequest
) {
  if (by.trim() === "") return yield* new RequestInvalid({ problem: "a pause says who paused: the name is empty" })
  const before = (yield* fleet.pauses).get(subscriber)
  const clock = yield* Clock.Clock
  const wanted = {
    by: by.trim().slice(0, mostCharacters.by),
    since: new Date(clock.currentTimeMillisUnsafe()),
    reason: reason.trim().slice(0, mostCharacters.reason)
  }
  // Who paused first is who is asked whether it may run again.
  if (apply && before === undefined) yield* permitted(fleet.pause(subscriber, wanted), "pause", subscriber)
  const { pending, processes } = apply
    ? yield* followed(fleet, subscriber, true)
    : { processes: yield* holders(fleet, subscriber), pending: 0 }
  return {
    kind: "subscriber.pause" as const,
    version: 1 as const,
    subscriber,
    dryRun: !apply,
    changed: before === undefined,
    pause: reported(before ?? wanted),
    processes,
    pending
  }
})

const resume = Effect.fnUntraced(function* (fleet: Fleet["Service"], subscriber: string, apply: boolean) {
  const before = (yield* fleet.pauses).get(subscriber)
  if (apply && before !== undefined) yield* permitted(fleet.resume(subscriber), "resume", subscriber)
  const { pending, processes } = apply
    ? yield* followed(fleet, subscriber, false)
    : { processes: yield* holders(fleet, subscriber), pending: 0 }
  return {
    kind: "subscriber.resume" as const,
    version: 1 as const,
    subscriber,
    dryRun: !apply,
    changed: before !== undefined,
    pause: before === undefined ? null : reported(before),
    processes,
    pending
  }
})

/** Redis says only that something is not permitted. */
const permitted = <A>(
  work: Effect.Effect<A, CacheError>,
  verb: "pause" | "resume",
  subscriber: string
): Effect.Effect<A, CacheError | PauseDenied> =>
  Effect.mapError(work, (error) =>
    error.reason._tag === "Refused" && error.reason.code === "NOPERM" ? new PauseDenied({ verb, subscriber }) : error
  )

/** A number to read; the release does without it. */
const parkedOf = (fleet: OpenFleet, subscriber: string): Effect.Effect<number | null> =>
  Effect.flatMap(fleet, (store) => (store === undefined ? Effect.succeed(null) : parkedIn(store, subscriber))).pipe(
    Effect.orElseSucceed(() => null)
  )

const parkedIn = (fleet: Fleet["Service"], subscriber: string) =>
  Effect.map(look(fleet), ({ processes }) => {
    const of = processes.flatMap(({ subscribers }) => subscribers.filter(({ name }) => name === subscriber))
    return of.length === 0 ? null : of.reduce((sum, { parked }) => sum + parked, 0)
  })
