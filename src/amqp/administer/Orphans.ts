/** Queues and bindings of a namespace that no service declares. Seen by the management API alone. */
import type { Difference, Wanted } from "../../bus/port/Administration.ts"
import { quote } from "../../bus/support/Notes.ts"
import { numberOf, textOf } from "../inspect/ManagementApi.ts"
import * as Ladder from "../topology/DelayLadder.ts"
import * as Topology from "../topology/Topology.ts"
import type { Listing } from "./Access.ts"
import { bindingOf, eventOf, ownerOf, shownPattern } from "./Names.ts"

/** A queue that is consumed belongs to a service whose contracts are elsewhere. */
export const find = (
  namespace: string,
  { names, specs }: Wanted,
  declarations: ReadonlyArray<Topology.Declaration>,
  { bindings, queues }: Listing
): ReadonlyArray<Difference> => {
  const known = new Set([...names, ...specs.map(({ name }) => name)])
  const own = queues.filter((queue) => textOf(queue, "name").startsWith(`${namespace}.`))
  const active = new Set(
    own.flatMap((queue) => {
      const owner = ownerOf(namespace, textOf(queue, "name"))
      return owner?.kind === "sub" && (numberOf(queue, "consumers") ?? 0) > 0 ? [owner.subscriber] : []
    })
  )
  const wanted = new Set(declarations.map(({ object }) => Topology.keyOf(object)))
  const isLadder = (queue: string): boolean => queue.startsWith(`${namespace}.delay.`)
  const isTemporary = (queue: string): boolean => queue.startsWith(`${namespace}.tmp.`)
  const orphanedQueues = own.flatMap((queue): ReadonlyArray<Difference> => {
    const name = textOf(queue, "name")
    const owner = ownerOf(namespace, name)
    if (wanted.has(Topology.keyOf({ _tag: "Queue", name, arguments: {} })) || isTemporary(name) || isLadder(name))
      return []
    if (owner !== undefined && (known.has(owner.subscriber) || active.has(owner.subscriber))) return []
    const held = numberOf(queue, "messages") ?? 0
    return [
      {
        kind: "orphaned-queue",
        entity: `queue ${name}`,
        seen: `no contracts name its subscriber and nobody consumes it; it holds ${held}`,
        mend:
          owner === undefined
            ? `it is none of the library's: rabbitmqctl delete_queue ${quote(name)}, if nobody else needs it`
            : `eventbus topology retire subscriber ${owner.subscriber}`
      }
    ]
  })
  // What is bound to the queue of a subscriber whose contracts are elsewhere is not known here.
  const specified = new Set(specs.map(({ name }) => name))
  const orphanedBindings = bindings.map(bindingOf).flatMap((binding): ReadonlyArray<Difference> => {
    const owner = ownerOf(namespace, binding.destination)
    if (binding.source === "" || owner === undefined || !specified.has(owner.subscriber)) return []
    // Its parked queue is declared when it is needed.
    if (wanted.has(Topology.keyOf(binding)) || owner.kind === "parked") return []
    return [
      {
        kind: "orphaned-binding",
        entity: `binding of ${binding.destination} to ${binding.source}`,
        seen: `no contract of ${owner.subscriber} asks for ${shownPattern(binding.pattern)}`,
        mend: mendOf(namespace, owner.subscriber, binding)
      }
    ]
  })
  return [...orphanedQueues, ...orphanedBindings]
}

const mendOf = (namespace: string, subscriber: string, { pattern, source }: Topology.Binding): string => {
  const event =
    source === Topology.events(namespace) || source === Ladder.deliverExchange(namespace) ? eventOf(pattern) : undefined
  return event === undefined
    ? "take it away by hand: the management interface lists it with its queue"
    : `eventbus topology retire event ${quote(event)} --subscriber ${subscriber}`
}
