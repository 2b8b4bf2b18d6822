/**
 * A delivery on its way through a subscriber: which consumer brought it, what its event has been through, and
 * how its handler is doing.
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type * as Tracer from "effect/Tracer"
import type * as CloudEvent from "../../event/CloudEvent.ts"
import * as WireFormat from "../../event/WireFormat.ts"
import type * as Envelope from "../../event/Envelope.ts"
import type * as Event from "../../event/Event.ts"
import { InvalidEvent, quoted, type UnknownEvent, type UnknownVersion } from "../../event/EventError.ts"
import * as Limits from "../../event/Limits.ts"
import type { Delivery } from "../port/Broker.ts"
import * as RuntimeHeaders from "../send/RuntimeHeaders.ts"
import type { CopySource } from "./Copies.ts"

/** The consumer that brought a delivery. */
export interface Origin {
  /** Whether it takes one delivery at a time, to find out which one kills the process. */
  readonly isolated: boolean
  /** Whether it consumes the parked queue. */
  readonly parked: boolean
  /** Called for each delivery before it is read. */
  readonly arrived: (delivery: Delivery) => void
  /** Called when a delivery is settled or lost. */
  readonly settled: (delivery: Delivery) => void
  /** Sends what was acknowledged so far, see `Consumer.flush`. */
  readonly flush: (sent: () => void) => boolean
}

/** Why a process that is up to date might handle what this process cannot. */
export type Unknown = UnknownVersion | UnknownEvent

/** A handler that runs: its fiber, or the place of its event in a batch. */
export interface Running {
  /** Asks it to end. */
  readonly interruptUnsafe: () => void
  /** Calls back once, with its exit; within the call when it has ended already. */
  readonly addObserver: (observer: (exit: Exit.Exit<unknown, unknown>) => void) => void
}

/** A class for the reason in `PlainRecord`. */
export class Work {
  readonly delivery: Delivery
  readonly origin: Origin
  readonly event: Envelope.Envelope
  /** Set when this process does not know its type or version. It holds its place in its lane, and never runs here. */
  readonly unknown: Unknown | undefined
  /** Monotonic, like the other times of this process. */
  readonly receivedAt: number
  /** What the event had been through when it arrived. */
  readonly received: RuntimeHeaders.Progress
  /** Its position among the parked events of its key; undefined if it is not parked. */
  readonly place: RuntimeHeaders.Place | undefined
  /** Its name among the parked events of its key, from the moment that it is parked or moved there. */
  parkedName: string | undefined = undefined
  /** Changes with each failed attempt in this process. */
  progress: RuntimeHeaders.Progress
  startedAt = 0
  /** While a store is asked about it: its handler has not begun yet, or has ended. Set only by an `Admission`. */
  awaitsStore = false
  /** The moment of its first failure; undefined until it fails in this process. */
  failingSince: number | undefined = undefined
  /** When its handler began, by the stopwatch. */
  began = 0
  running: Running | undefined = undefined
  /** The span that its log lines belong to: of its attempt, or of its publish. */
  span: Tracer.AnySpan | undefined = undefined
  /** The span of its first attempt, as a W3C traceparent. */
  firstSpan: string | undefined
  timedOut = false
  zombie = false
  /** Interrupted on purpose, to be given back: not a failed attempt. */
  givenBack = false
  /** It expired after its turn had come and before its handler began: it did not run. */
  hasExpired = false
  /** Handled by its batch, even if it was interrupted before it could report that. */
  handledByBatch = false
  /** Set when a batch failed as a whole: removes the sensitive values of every event in it from an error text. */
  redact: ((text: string) => string) | undefined = undefined
  /** Since when another process has its claim, while it waits for that in its lane. */
  heldSince: number | undefined = undefined
  /** Set while it waits in this process: ends the wait, for this reason. */
  wake: ((reason: WakeReason) => void) | undefined = undefined

  /** The work of a delivery that was just read. */
  constructor(delivery: Delivery, origin: Origin, event: Envelope.Envelope, receivedAt: number, unknown?: Unknown) {
    const received = RuntimeHeaders.read(delivery)
    this.delivery = delivery
    this.origin = origin
    this.event = event
    this.unknown = unknown
    this.receivedAt = receivedAt
    this.received = received
    this.place = origin.parked ? RuntimeHeaders.readPlace(delivery) : undefined
    this.progress = received
    this.firstSpan = received.firstSpan
  }
}

/** How often an attempt at a parked event began and did not end. */
export const startsOf = ({ place }: Work): number => place?.starts ?? 0

/** Decodes a delivery by the contracts of its subscriber. `parsed` is what is known of it if that fails. */
export const read = <E extends Event.Any>(delivery: Delivery, contracts: ReadonlyMap<string, E>) => {
  const parsed = WireFormat.parse(delivery.body, Limits.defaults, delivery.properties, delivery.headers)
  if (Result.isFailure(parsed)) return { parsed, decoded: Result.fail(delivery.refusal ?? parsed.failure) }
  const { type } = parsed.success
  if (delivery.signed === false)
    return { parsed, decoded: Result.fail(delivery.refusal ?? InvalidEvent.of(type, "bus-signature", unsigned)) }
  const routed = routedType(delivery)
  const decoded =
    routed === undefined || routed === type
      ? WireFormat.decode(parsed.success, contracts.get(type))
      : Result.fail(InvalidEvent.of(routed, "type", `expected "${routed}", its routing key, not "${quoted(type)}"`))
  return { parsed, decoded }
}

/**
 * The type that an event must have, because rights on the broker are about routing keys: that of its route, which a copy
 * keeps as the property `type`. Undefined when neither says.
 */
const routedType = ({ properties, routingKey, trusted }: Delivery): string | undefined => {
  if (routingKey !== "") return routingKey
  const { type } = properties
  return trusted && type !== unknownType && type !== "" ? type : undefined
}

const unknownType = "?"

const unsigned =
  "expected the signature of this namespace, because it came as a copy that only the runtime sends: another program wrote it, or a process without the secret"

/** The envelope of an event whose data this process cannot decode. */
export const envelopeOf = (parsed: CloudEvent.ParsedEvent): Envelope.Envelope => ({
  id: parsed.id,
  type: parsed.type,
  version: parsed.version ?? 0,
  source: parsed.source,
  time: parsed.time,
  key: parsed.key,
  correlationId: parsed.correlationId,
  causationId: parsed.causationId,
  actor: parsed.actor,
  data: undefined,
  ...(parsed.expiryTime !== undefined && { expiryTime: parsed.expiryTime }),
  ...(parsed.tenant !== undefined && { tenant: parsed.tenant })
})

/** The source for a copy of this delivery. */
export const copySource = (
  subscriber: string,
  { event, firstSpan, span, unknown }: Work,
  progress: RuntimeHeaders.Progress
): CopySource => ({
  subscriber,
  id: event.id,
  type: event.type,
  source: event.source,
  key: event.key,
  time: event.time.getTime(),
  correlationId: event.correlationId,
  span,
  // A process that knows it ends the count of those that do not.
  progress: unknown === undefined ? { ...progress, firstSpan, unknown: 0, unknownSince: undefined } : progress
})

/** The source for a copy of a delivery that could not be decoded. */
export const unreadCopySource = (
  subscriber: string,
  delivery: Delivery,
  parsed: CloudEvent.ParsedEvent | undefined,
  now: number
): CopySource => {
  const { appId, messageId = "", timestamp, type } = delivery.properties
  // Other programs may say it in the body alone.
  const claimed = (): string => WireFormat.claimedId(delivery.body, Limits.defaults, delivery.headers) ?? ""
  return {
    subscriber,
    id: parsed?.id ?? (messageId === "" ? claimed() : messageId),
    type: routedType(delivery) ?? parsed?.type ?? type ?? unknownType,
    source: parsed?.source ?? appId ?? "",
    key: parsed?.key,
    time: parsed?.time.getTime() ?? timestamp ?? now,
    correlationId: parsed?.correlationId,
    progress: RuntimeHeaders.read(delivery)
  }
}

/** The fields of a log line about this delivery. */
export const logFields = (subscriber: string, { event, progress, span }: Work) => ({
  subscriber,
  event: event.type,
  id: event.id,
  attempt: progress.attempt,
  span
})

/**
 * Why a wait ended before its time: too many events wait behind it, the subscriber drains, its consumer is
 * gone, or its key was released.
 */
export type WakeReason = "LaneFull" | "Drain" | "Lost" | "Released"

/** Waits in this process, and returns why the wait ended. Its lane waits with it; no other lane does. */
export const wait = (work: Work, millis: number): Effect.Effect<"Elapsed" | WakeReason> =>
  Effect.suspend(() => {
    // Its consumer was lost between the decision and now, so nothing would wake it.
    if (work.delivery.lost()) return Effect.succeed("Lost" as const)
    return Effect.callback<WakeReason>((resume) => {
      work.wake = (reason) => resume(Effect.succeed(reason))
    }).pipe(
      Effect.timeoutOrElse({ duration: millis, orElse: () => Effect.succeed("Elapsed" as const) }),
      Effect.ensuring(
        Effect.sync(() => {
          work.wake = undefined
        })
      )
    )
  })
