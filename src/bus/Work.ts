/**
 * A delivery on its way through a subscriber, and what can be said of it: who brought it, what came of
 * its handler, and what is to be done then.
 */
import { Cause, type Effect, Exit, type Fiber, Result, type Tracer } from "effect"
import type * as CloudEvent from "../event/CloudEvent.ts"
import * as Codec from "../event/Codec.ts"
import type * as Envelope from "../event/Envelope.ts"
import type * as Event from "../event/Event.ts"
import type { InvalidEvent, UnknownEvent, UnknownVersion } from "../event/EventError.ts"
import * as Limits from "../event/Limits.ts"
import type { Delivery } from "./Broker.ts"
import type { Capacity } from "./Capacity.ts"
import * as BusError from "./BusError.ts"
import * as Diagnosis from "./Diagnosis.ts"
import type { Lane } from "./Tree.ts"
import type { Parking } from "./Parking.ts"
import * as RuntimeHeaders from "./RuntimeHeaders.ts"
import type { Subject } from "./Settlement.ts"

/** The consumer that brought a delivery. */
export interface Origin {
  /** Whether it takes one delivery at a time, to find out which one kills the process. */
  readonly isolated: boolean
  /** Whether it reads the queue of parked events. */
  readonly parked: boolean
  /** Called for each delivery when it is looked at. */
  readonly arrived: (delivery: Delivery) => void
  /** Called when a delivery of it is settled or given up. */
  readonly settled: (delivery: Delivery) => void
}

/** A delivery on its way through the subscriber. */
export interface Work {
  readonly delivery: Delivery
  readonly origin: Origin
  readonly event: Envelope.Envelope
  readonly receivedAt: number
  /** What it had been through when it came. */
  readonly received: RuntimeHeaders.Progress
  /** Where it stands among the parked events of its key; undefined for others. */
  readonly place: RuntimeHeaders.Place | undefined
  /** Changes with each failed attempt in this process. */
  progress: RuntimeHeaders.Progress
  startedAt: number
  /** When its handler began, by the stopwatch. */
  began: number
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  /** What its lines in the log belong to: its attempt, or its publish. */
  span: Tracer.AnySpan | undefined
  /** The span of its first attempt, by name. */
  firstSpan: string | undefined
  timedOut: boolean
  zombie: boolean
  /** Interrupted on purpose, to be given back: not a failed attempt. */
  givenBack: boolean
  /** Its batch has handled it, whether or not its own fiber lived to see that. */
  achieved: boolean
  /** Takes out of an error what is sensitive in any event of its batch, when they failed together. */
  clean: ((text: string) => string) | undefined
  /** Set while it waits in place: ends the wait early, and says why. */
  wake: ((why: Disturbance) => void) | undefined
}

/** A delivery as it comes. */
export const begin = (delivery: Delivery, origin: Origin, event: Envelope.Envelope, receivedAt: number): Work => {
  const received = RuntimeHeaders.read(delivery)
  return {
    delivery,
    origin,
    event,
    receivedAt,
    received,
    place: origin.parked ? RuntimeHeaders.readPlace(delivery) : undefined,
    progress: received,
    startedAt: 0,
    began: 0,
    fiber: undefined,
    span: undefined,
    firstSpan: received.firstSpan,
    timedOut: false,
    zombie: false,
    givenBack: false,
    achieved: false,
    clean: undefined,
    wake: undefined
  }
}

/** The event in a delivery, by the contracts of its subscriber; what could be parsed is told when it cannot be decoded. */
export const read = <E extends Event.Any>(delivery: Delivery, contracts: ReadonlyMap<string, E>) => {
  const parsed = Codec.parse(delivery.body, Limits.defaults, delivery.properties)
  const decoded = Result.isFailure(parsed)
    ? Result.fail(parsed.failure)
    : Codec.decode(parsed.success, contracts.get(parsed.success.type))
  return { parsed, decoded }
}

/** What a copy of it is made of. */
export const subjectOf = (
  subscriber: string,
  { event, firstSpan, span }: Work,
  progress: RuntimeHeaders.Progress
): Subject => ({
  subscriber,
  id: event.id,
  type: event.type,
  source: event.source,
  key: event.key,
  time: event.time.getTime(),
  correlationId: event.correlationId,
  span,
  progress: { ...progress, firstSpan }
})
/** What a line in the log says of it. */
export const told = (subscriber: string, { event, progress, span }: Work) => ({
  subscriber,
  event: event.type,
  id: event.id,
  attempt: progress.attempt,
  span
})

/** The same of one whose event could not be read. */
export const subjectOfUnread = (
  subscriber: string,
  delivery: Delivery,
  parsed: CloudEvent.Parsed | undefined,
  now: number
): Subject => {
  const { appId, messageId, timestamp, type } = delivery.properties
  return {
    subscriber,
    id: parsed?.id ?? messageId ?? "",
    type: parsed?.type ?? type ?? "?",
    source: parsed?.source ?? appId ?? "",
    key: parsed?.key,
    time: parsed?.time.getTime() ?? timestamp ?? now,
    correlationId: parsed?.correlationId,
    progress: RuntimeHeaders.read(delivery)
  }
}

/** What ends a wait early: too many wait behind it, the bus drains, its consumer is gone, or it need not wait. */
export type Disturbance = "LaneFull" | "Drain" | "Lost" | "Released"

/** Parks it, and its key with it. */
export interface ParkRequest {
  readonly _tag: "Park"
  /** When it may run, in milliseconds since the epoch. */
  readonly due: number
  /** Nothing was attempted: what is written down of its starts stands. */
  readonly unattempted?: boolean
}

/**
 * Whether a decision has settled the delivery, wants it to run again here and now, has moved it so that its
 * copy comes for its lane, or wants it to be parked.
 */
export type Decision = "settled" | "again" | "moved" | ParkRequest

/** What failed, as the policy has to decide on it. */
export type Verdict =
  | { readonly _tag: "Failed"; readonly error: unknown }
  | { readonly _tag: "Rejected"; readonly error: BusError.Reject }
  | { readonly _tag: "Later"; readonly error: BusError.Later }

/** Decides on what was not handled; each decision runs in a fiber of its own. */
export interface Policy {
  readonly undecodable: (
    delivery: Delivery,
    parsed: CloudEvent.Parsed | undefined,
    error: InvalidEvent | UnknownVersion | UnknownEvent
  ) => Effect.Effect<void>
  readonly notYetDue: (work: Work) => Effect.Effect<Decision>
  /** What can be parked of its subscriber is parked, and too many wait behind it. */
  readonly full: (work: Work) => Effect.Effect<Decision>
  /** It was on its way each time that a process died. */
  readonly crashed: (work: Work) => Effect.Effect<Decision>
  /** The bus drains before its next attempt in this process could start. */
  readonly handedOver: (work: Work) => Effect.Effect<Decision>
  /** Nothing was attempted: it waits so long. */
  readonly notNow: (work: Work, millis: number, behind: number) => Effect.Effect<Decision>
  /** `behind` is how many events of its key wait for it. */
  readonly failed: (work: Work, verdict: Verdict, behind: number) => Effect.Effect<Decision>
}

export interface Counters {
  handled: number
  retried: number
  deadLettered: number
  postponed: number
  skipped: number
  duplicates: number
  returns: number
}

/** Runs the handlers of one subscriber. */
export interface Runner extends Capacity {
  readonly accept: (delivery: Delivery, origin: Origin) => void
  /** Completes when no handler runs. */
  readonly quiet: Effect.Effect<void>
  /**
   * Interrupts the handlers of these deliveries and forgets those that did not start; without order,
   * those that have failed in this process before are handed over with what is known of them.
   */
  readonly giveBack: (which: (work: Work) => boolean) => void
  /** Ends the waits in place of these deliveries. */
  readonly disturb: (which: (work: Work) => boolean, why: Disturbance) => void
  /** Completes when nothing is being settled. */
  readonly settledAll: Effect.Effect<void>
  readonly running: () => number
  readonly held: () => number
  /** All that are not settled, in the order of their delivery. */
  readonly open: () => Iterable<Work>
  readonly keys: () => ReadonlyArray<Lane>
  /** Whether deliveries are held that may run, and none runs, is being settled or waits for its time. */
  readonly stuck: () => boolean
  readonly zombies: () => number
  readonly lanes: () => number
  /** Completes when more handlers ignore their deadline than the subscriber can bear. */
  readonly overrun: Effect.Effect<void>
  readonly overran: () => boolean
  /** Of a keyed subscriber. */
  readonly parking: Parking | undefined
}

/** In one Cause `Reject` wins over `Later`, `Later` over the policy. */
export const verdictOf = (exit: Exit.Exit<unknown, unknown>): Verdict => {
  const reasons = Exit.isFailure(exit) ? exit.cause.reasons : []
  let later: BusError.Later | undefined
  let error: { readonly value: unknown } | undefined
  for (const reason of reasons) {
    if (Cause.isFailReason(reason)) {
      const said = Diagnosis.looked(
        () =>
          reason.error instanceof BusError.Reject || reason.error instanceof BusError.Later ? reason.error : undefined,
        undefined
      )
      if (said?._tag === "Reject") return { _tag: "Rejected", error: said }
      if (said?._tag === "Later") later = said
      else error ??= { value: reason.error }
    } else if (Cause.isDieReason(reason)) {
      error ??= { value: new BusError.HandlerDefect({ cause: reason.defect }) }
    }
  }
  if (later !== undefined) return { _tag: "Later", error: later }
  return {
    _tag: "Failed",
    error:
      error === undefined
        ? new BusError.HandlerDefect({ cause: new Error("the handler interrupted itself") })
        : error.value
  }
}
