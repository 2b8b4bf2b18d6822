/** Declares objects of the broker, or checks that they exist. */
import * as Effect from "effect/Effect"
import type { SubscriberSpec } from "../bus/port/Broker.ts"
import { BrokerError } from "../bus/port/BrokerError.ts"
import { TopologyMissing } from "../bus/port/BrokerReason.ts"
import * as AmqplibInternals from "./AmqplibInternals.ts"
import type { Link } from "./connection/Link.ts"
import * as ScopedChannel from "./connection/ScopedChannel.ts"
import * as Topology from "./topology/Topology.ts"

/** What this process may declare. */
export interface Rights {
  /** `"verify"` declares nothing and checks that the objects exist; bindings cannot be checked. */
  readonly mode: "assert" | "verify"
  /** Whether its user was refused the declaration of what all services share: that is only checked from then on. */
  ownOnly: boolean
  /** What its user may not look at either, and what therefore counts as existing. */
  readonly hidden: Set<string>
}

export const rights = (mode: Rights["mode"]): Rights => ({ mode, ownOnly: false, hidden: new Set() })

const ignore = (): void => {}

/**
 * Declares these as far as the user may. What all services share may belong to somebody else; what is refused then is
 * checked, and what may not be checked either (RabbitMQ 4.3) is left to its first use.
 */
export const all = (
  link: Link,
  rights: Rights,
  declarations: ReadonlyArray<Topology.Declaration>,
  meanwhile?: () => void
): Effect.Effect<void, BrokerError> =>
  Effect.catchIf(
    Effect.suspend(() => attempt(link, rights, declarations, meanwhile)),
    ({ reason }) => reason._tag === "Permission" && isSharedIn(declarations, reason.entity),
    (refused) => {
      if (rights.mode === "assert" && !rights.ownOnly) return checkShared(link, rights, declarations, refused)
      if (refused.reason._tag === "Permission") rights.hidden.add(refused.reason.entity)
      return all(link, rights, declarations, meanwhile)
    }
  )

/** What is shared was not declared by anybody: then the right to declare it is what is missing. */
const checkShared = (
  link: Link,
  rights: Rights,
  declarations: ReadonlyArray<Topology.Declaration>,
  refused: BrokerError
): Effect.Effect<void, BrokerError> => {
  rights.ownOnly = true
  return Effect.catchIf(
    all(link, rights, declarations),
    ({ reason }) => reason._tag === "TopologyMissing" && isSharedIn(declarations, reason.entity),
    () => {
      rights.ownOnly = false
      return Effect.fail(refused)
    }
  )
}

/** Whether it is an object that all services share. A binding that is refused may be missing, which nothing shows. */
const isSharedIn = (declarations: ReadonlyArray<Topology.Declaration>, entity: string): boolean =>
  declarations.some(
    (declaration) => declaration.isShared === true && declaration.verify !== undefined && declaration.entity === entity
  )

const callOf = (
  { hidden, mode, ownOnly }: Rights,
  { assert, entity, isShared = false, verify }: Topology.Declaration
): Topology.Declaration["assert"] | undefined =>
  mode === "assert" && !(ownOnly && isShared) ? assert : hidden.has(entity) ? undefined : verify

/**
 * Declares these in order, all at once on the wire. `meanwhile` runs when the first answer is here: RabbitMQ is busy
 * with the others, and this process waits.
 */
const attempt = (
  link: Link,
  rights: Rights,
  declarations: ReadonlyArray<Topology.Declaration>,
  meanwhile: () => void = ignore
): Effect.Effect<void, BrokerError> =>
  Effect.gen(function* () {
    const channel = yield* ScopedChannel.open(link)
    AmqplibInternals.pipelineCalls(channel)
    let answered = 0
    const count = (): void => {
      if (answered++ === 0) meanwhile()
    }
    const answers: Array<{ readonly entity: string; readonly answer: Promise<unknown> }> = []
    for (const declaration of declarations) {
      const declare = callOf(rights, declaration)
      if (declare === undefined) continue
      const { entity } = declaration
      const answer = declare(channel)
      // The first that fails closes the channel and fails the others. Only the first is reported, below.
      answer.then(count, ignore)
      answers.push({ entity, answer })
    }
    // The answers come in order, and many in one turn: those that are here already are not waited for.
    for (const [index, { answer, entity }] of answers.entries())
      if (index >= answered) yield* link.call("declaring", entity, () => answer)
  }).pipe(Effect.scoped)

/** Declares what all services of a namespace share. */
export const shared = (link: Link, rights: Rights, namespace: string, meanwhile?: () => void) =>
  all(link, rights, Topology.shared(namespace), meanwhile)

/**
 * Declares the queues of these levels of the ladder, and again what they are bound to if it was deleted meanwhile. With
 * `looking` it is only seen that they exist.
 */
export const levels = (
  link: Link,
  rights: Rights,
  namespace: string,
  set: number
): Effect.Effect<void, BrokerError> => {
  const declare = all(link, rights, Topology.levels(namespace, set))
  return Effect.catchIf(
    declare,
    ({ reason }) => reason._tag === "TopologyMissing" && rights.mode === "assert" && !rights.ownOnly,
    () => Effect.andThen(shared(link, rights, namespace), declare)
  )
}

/** Declares the objects of one subscriber, and again the shared ones if they were deleted meanwhile. */
export const subscriber = (
  link: Link,
  rights: Rights,
  namespace: string,
  spec: SubscriberSpec
): Effect.Effect<void, BrokerError> => {
  const declare = all(link, rights, Topology.subscriber(namespace, spec))
  const own = Effect.catchIf(
    declare,
    ({ reason }) => reason._tag === "TopologyMissing" && rights.mode === "assert",
    () => Effect.andThen(shared(link, rights, namespace), declare)
  )
  if (spec.foreign === undefined) return own
  // What is missing there is found before anything of ours is declared.
  return ofOthers(all(link, rights, Topology.ofOthers(spec.foreign))).pipe(
    Effect.andThen(own),
    Effect.andThen(ofOthers(all(link, rights, Topology.foreignBindings(namespace, spec))))
  )
}

const ofOthers = (look: Effect.Effect<void, BrokerError>): Effect.Effect<void, BrokerError> =>
  Effect.mapError(look, (error) =>
    error.reason._tag === "TopologyMissing"
      ? new BrokerError({ reason: new TopologyMissing({ entity: error.reason.entity, remedy: ofOthersRemedy }) })
      : error
  )

const ofOthersRemedy =
  "it belongs to another system, which is the one to declare it: start that system first, or fix the name or the virtual host"

/** Declares the queue where canaries of the delay ladder end. */
export const canaries = (link: Link, rights: Rights, namespace: string) =>
  all(link, rights, Topology.canaries(namespace))
