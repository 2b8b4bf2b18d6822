/**
 * Takes away a subscriber, an event or a whole namespace. RabbitMQ cannot delete a quorum queue only if it is empty or
 * unused (540), so that is looked at here: what could send there is unbound first, then it is counted again, then
 * deleted.
 */
import * as Effect from "effect/Effect"
import type { Contents, RetireOptions, Retired, Retirement, RetireStep, Wanted } from "../../bus/port/Administration.ts"
import type { BrokerError } from "../../bus/port/BrokerError.ts"
import * as AmqpError from "../AmqpError.ts"
import { attempt } from "../inspect/Attempt.ts"
import { textOf } from "../inspect/ManagementApi.ts"
import * as Ladder from "../topology/DelayLadder.ts"
import * as Topology from "../topology/Topology.ts"
import type { Access, Listing } from "./Access.ts"
import * as Held from "./Contents.ts"
import { bindingOf, ownerOf, shownPattern } from "./Names.ts"
import * as RetireEvent from "./RetireEvent.ts"
import type { Deletion, Plan, Step } from "./RetirePlan.ts"

export const retire = Effect.fnUntraced(function* (
  access: Access,
  target: Retired,
  wanted: Wanted,
  options: RetireOptions
): Effect.fn.Return<Retirement, BrokerError> {
  const { namespace } = access.settings
  const listing = access.list === undefined ? undefined : yield* access.list
  const plan = planOf(namespace, target, wanted, listing)
  const contents = yield* Held.look(access, listing, plan.queues)
  const deletes = target._tag !== "Event"
  const exists = new Set(contents.map(({ queue }) => queue))
  const steps = plan.steps.filter((step) => isThere(step, exists, listing))
  const blocked = [
    ...plan.blocked,
    ...(deletes ? contents.flatMap((held) => Held.blocks(namespace, held, options)) : []),
    ...(target._tag === "Subscriber" ? withoutDeadQueue(namespace, target.name, exists) : [])
  ]
  const notes = [...plan.notes, ...(yield* delayedNotes(access, target))]
  const unseen = deletes ? Held.unseenOf(listing) : []
  const report = (done: number, more: ReadonlyArray<string> = []): Retirement => ({
    contents,
    steps: steps.map((step, at) => ({ ...described(step), done: at < done })),
    blocked: [...blocked, ...more],
    notes,
    unseen
  })
  if (!options.apply || blocked.length > 0) return report(0)
  let done = 0
  for (const step of steps) {
    // Counted when nothing can come any more.
    if (step._tag === "Delete" && step.kind === "queue") {
      const [now] = yield* Held.look(access, undefined, [step.name])
      const since = now === undefined ? [] : Held.blocks(namespace, now, options)
      if (since.length > 0) return report(done, [...since, "something came meanwhile: run it again"])
    }
    yield* run(access, step)
    done++
  }
  return report(done)
})

const planOf = (namespace: string, target: Retired, wanted: Wanted, listing: Listing | undefined): Plan => {
  switch (target._tag) {
    case "Subscriber":
      return subscriberPlan(namespace, target.name, wanted, listing)
    case "Event":
      return RetireEvent.planOf(namespace, target, wanted, listing)
    case "Namespace":
      return namespacePlan(namespace, listing)
  }
}

const unknownBindings: Plan = {
  queues: [],
  steps: [],
  blocked: [
    "what is bound is not known: give the address of the management API with --management, or the contracts of the subscriber"
  ],
  notes: []
}

const subscriberPlan = (namespace: string, name: string, { specs }: Wanted, listing: Listing | undefined): Plan => {
  const queue = Topology.subscriberQueue(namespace, name)
  const queues = [queue, Topology.parkedQueue(namespace, name), Topology.deadQueue(namespace, name)]
  const spec = specs.find((one) => one.name === name)
  const bindings =
    listing === undefined
      ? spec === undefined
        ? undefined
        : Topology.subscriber(namespace, spec).flatMap(({ object }) => (object._tag === "Binding" ? [object] : []))
      : listing.bindings.map(bindingOf).filter(({ source }) => source !== "")
  if (bindings === undefined) return { ...unknownBindings, queues }
  return {
    queues,
    steps: [
      ...bindings.flatMap((binding): ReadonlyArray<Step> =>
        binding.destination === queue ? [{ _tag: "Unbind", binding }] : []
      ),
      ...queues.map((each): Step => ({ _tag: "Delete", kind: "queue", name: each }))
    ],
    blocked: [],
    notes: spec === undefined ? [] : [`the contracts module still lists ${name}: its next start declares it again`]
  }
}

/** Its own dead letters would be stuck in it, and nothing counts them. */
const withoutDeadQueue = (namespace: string, name: string, exists: ReadonlySet<string>): ReadonlyArray<string> =>
  exists.has(Topology.subscriberQueue(namespace, name)) && !exists.has(Topology.deadQueue(namespace, name))
    ? [
        `queue ${Topology.deadQueue(namespace, name)} is missing, so dead letters of ${name} may be stuck in its queue: eventbus topology apply declares it`
      ]
    : []

/** What sends goes first, and each level of the ladder before the one that it sends to. */
const namespacePlan = (namespace: string, listing: Listing | undefined): Plan => {
  if (listing === undefined)
    return {
      ...unknownBindings,
      blocked: ["only the management API lists the queues of a namespace: give its address with --management"]
    }
  const namesOf = (rows: Listing["queues"]): ReadonlyArray<string> =>
    rows.map((row) => textOf(row, "name")).filter((name) => name.startsWith(`${namespace}.`))
  const queues = namesOf(listing.queues)
  const exchanges = new Set(namesOf(listing.exchanges))
  const ofKind = (kind: "sub" | "parked" | "dead"): ReadonlyArray<Deletion> =>
    queues.filter((name) => ownerOf(namespace, name)?.kind === kind).map((name) => deletion("queue", name))
  const shared = [...Topology.shared(namespace), ...Topology.upperLevels(namespace)].flatMap(({ object }) =>
    object._tag === "Binding" ? [] : [object]
  )
  const last = [Topology.deadExchange(namespace), Topology.parkedExchange(namespace)]
  const rest = shared
    .toReversed()
    .filter(({ name }) => name !== Topology.events(namespace) && !last.includes(name))
    .map(({ _tag, name }) => deletion(_tag === "Queue" ? "queue" : "exchange", name))
  const steps = [
    deletion("exchange", Topology.events(namespace)),
    ...ofKind("sub"),
    ...ofKind("parked"),
    ...rest,
    ...ofKind("dead"),
    ...last.map((name) => deletion("exchange", name)),
    ...Topology.canaries(namespace).flatMap(({ object }) =>
      object._tag === "Queue" ? [deletion("queue", object.name)] : []
    )
  ].filter((step) => step.kind === "queue" || exchanges.has(step.name))
  const foreign = queues.filter((name) => !steps.some((step) => step.kind === "queue" && step.name === name))
  return {
    queues,
    steps,
    blocked: [],
    notes: foreign.length === 0 ? [] : [`not of the library, and left as they are: ${foreign.join(", ")}`]
  }
}

const deletion = (kind: "queue" | "exchange", name: string): Deletion => ({ _tag: "Delete", kind, name })

/** Taking away what is not there changes nothing, but a report names what was there. */
const isThere = (step: Step, queues: ReadonlySet<string>, listing: Listing | undefined): boolean =>
  step._tag === "Delete"
    ? step.kind === "exchange" || queues.has(step.name)
    : listing !== undefined || queues.has(step.binding.destination)

const described = (step: Step): Omit<RetireStep, "done"> =>
  step._tag === "Delete"
    ? { action: "delete", entity: `${step.kind} ${step.name}` }
    : {
        action: "unbind",
        entity: `${step.binding.kind} ${step.binding.destination} from ${step.binding.source}: ${shownPattern(step.binding.pattern)}`
      }

const run = Effect.fnUntraced(function* ({ connection }: Access, step: Step) {
  const answer = yield* attempt(connection, async (channel): Promise<unknown> => {
    if (step._tag === "Unbind") {
      const { destination, pattern, source } = step.binding
      return channel.unbindQueue(destination, source, pattern)
    }
    return step.kind === "queue" ? channel.deleteQueue(step.name) : channel.deleteExchange(step.name)
  })
  if (answer._tag === "Done") return
  const { action, entity } = described(step)
  const words = answer._tag === "Silent" ? "no answer" : `${answer.code} (${answer.text})`
  return yield* AmqpError.refused(
    new Error(words),
    action === "delete" ? "deleting" : "unbinding",
    entity,
    connection.username
  )
})

/** Copies on the ladder cannot be counted by subscriber. None is lost: what nobody is bound to is undeliverable. */
const delayedNotes = Effect.fnUntraced(function* (access: Access, target: Retired) {
  if (target._tag === "Namespace") return []
  const { namespace } = access.settings
  const levels = yield* Held.look(
    access,
    undefined,
    Array.from({ length: Ladder.levels }, (_, level) => Ladder.levelName(namespace, level))
  )
  const waiting = levels.reduce((sum: number, { ready }: Contents) => sum + (ready ?? 0), 0)
  return waiting === 0
    ? []
    : [
        `${waiting} retries and delayed events of all subscribers wait on the ladder: those that nobody is bound to when they are due go to the queue ${Topology.undeliverable(namespace)}`
      ]
})
