/**
 * Builds what one subscriber consists of, from the admission of an event to its consumers. The runner, the pause
 * control, the consumers and the inbox call each other, so they are built in one place.
 */
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Monotonic from "../../observe/Monotonic.ts"
import type * as Event from "../../event/Event.ts"
import * as Meters from "../../observe/Meters.ts"
import * as Admission from "../admit/Admission.ts"
import * as FailurePolicy from "../delivery/FailurePolicy.ts"
import * as PolicyParts from "../delivery/PolicyParts.ts"
import { WaitingHeads } from "../delivery/WaitingHeads.ts"
import * as HandlerCall from "../handle/HandlerCall.ts"
import * as Runner from "../handle/Runner.ts"
import * as Parking from "../park/Parking.ts"
import type { SubscriberSpec } from "../port/Broker.ts"
import type * as SubscriberSettings from "../subscriber/SubscriberSettings.ts"
import { Consumers } from "./Consumers.ts"
import { Handover } from "./Handover.ts"
import * as Inbox from "./Inbox.ts"
import { ParkedQueue } from "./ParkedQueue.ts"
import * as PauseControl from "./PauseControl.ts"
import type { SharedParts } from "./SharedParts.ts"
import * as Status from "./Status.ts"
import * as SubscriberGauges from "./SubscriberGauges.ts"

/** Everything works until the current scope ends; consumers until `consumerScope` does. */
export const make = Effect.fnUntraced(function* <E extends Event.Any, Err, R>(
  shared: SharedParts,
  subscriber: SubscriberSettings.Settled<E, Err, R>,
  context: Context.Context<R>,
  consumerScope: Scope.Scope
) {
  const { broker, log, trace } = shared
  const spec: SubscriberSpec = {
    name: subscriber.name,
    ordering: subscriber.ordering,
    patterns: subscriber.patterns,
    parking: subscriber.parksFromStart
  }
  const clock = yield* Clock.Clock
  const copies = shared.copiesOf(spec)
  const counters = PolicyParts.counters()
  const metricContext = yield* Effect.context<never>()
  const metrics = Meters.subscriber(SubscriberGauges.nameOf(subscriber), shared.place, metricContext)
  let messages = 0
  const nextId = (): string => `${shared.process}.${subscriber.name}.${++messages}`
  const heads = new WaitingHeads(subscriber.window)
  const policy = FailurePolicy.make({
    subscriber,
    clock,
    monotonic: Monotonic.of(clock),
    copies,
    counters,
    metrics,
    log,
    failures: shared.failures,
    heads
  })
  const call = HandlerCall.make({ subscriber, context, trace })
  const { parking, runner } = yield* Runner.make({
    subscriber,
    context,
    call,
    cache: shared.cache,
    policy,
    heads,
    counters,
    metrics,
    log,
    longHandlers: shared.longHandlers,
    trials: shared.trials,
    trace,
    admission: yield* admissionOf(shared, subscriber),
    parking:
      subscriber.ordering === "key" && !subscriber.ephemeral
        ? (host) => Parking.make({ subscriber, copies, policy, nextId, ...sharedByParking(shared, spec) }, host)
        : undefined,
    onUnknown: () => handover?.ask(),
    onRefused: (refusal) => pauseControl.refused(refusal),
    onAdmitted: () => pauseControl.admitted()
  })
  const parkedQueue =
    parking === undefined
      ? undefined
      : new ParkedQueue({ broker, subscriber, runner, parking, inbox: () => inbox, log })
  const inbox: Inbox.Inbox = yield* Inbox.make({ subscriber: subscriber.name, runner, parkedQueue, log })
  const handover: Handover | undefined =
    parking === undefined
      ? undefined
      : new Handover(
          { subscriber, runner, parking, clock, log },
          () => consumers.isActive() && parkedQueue?.isLoaded() === true
        )
  const remind = parking?.remind ?? Effect.void
  const consumers = new Consumers({ broker, subscriber, runner, inbox, parkedQueue, handover, remind }, consumerScope)
  const status = yield* Status.make
  const pauseControl: PauseControl.PauseControl = yield* PauseControl.make({
    subscriber: subscriber.name,
    pause: (on) => consumers.pause(on),
    runner,
    log,
    show: (reason) => status.setPause(reason)
  })
  return { spec, clock, copies, counters, metrics, nextId, call, runner, parking, consumers, status, pauseControl }
})

const sharedByParking = (shared: SharedParts, spec: SubscriberSpec) => ({
  trials: shared.trials,
  declare: declareParked(shared, spec)
})

/** Only a subscriber that parks on its own account has the queue from its start. */
const declareParked = ({ broker, log }: SharedParts, spec: SubscriberSpec): Effect.Effect<boolean> => {
  let isThere = spec.parking === true
  const declare = Effect.match(broker.declare({ ...spec, parking: true }), {
    onFailure: (error) => {
      log.warning("no key can be parked", { subscriber: spec.name, detail: error.message })
      return false
    },
    onSuccess: () => (isThere = true)
  })
  return Effect.suspend(() => (isThere ? Effect.succeed(true) : declare))
}

const admissionOf = <E extends Event.Any, Err, R>(
  { broker, leases, log, process, stores }: SharedParts,
  subscriber: SubscriberSettings.Settled<E, Err, R>
) => Admission.make({ subscriber, namespace: broker.namespace, leases, stores, process, log })
