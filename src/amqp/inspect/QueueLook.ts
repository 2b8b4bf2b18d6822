/** What the management API says of the queues of a namespace: policies, leaders, what is stuck, what is bound. */
import { few, type Notes, quote } from "../../bus/support/Notes.ts"
import * as Ladder from "../topology/DelayLadder.ts"
import * as Topology from "../topology/Topology.ts"
import { type Json, listOf, numberOf, recordOf, textOf } from "./ManagementApi.ts"

export const isQuorum = (queue: Json): boolean => textOf(queue, "type") === "quorum"

const nameOf = (queue: Json): string => textOf(queue, "name")

/** `queues` are those of the namespace. */
export const look = (
  notes: Notes,
  namespace: string,
  vhost: string,
  queues: ReadonlyArray<Json>,
  nodes: number
): void => {
  lookAtPolicies(notes, namespace, vhost, queues)
  lookAtStates(notes, queues)
  lookAtStuck(notes, queues)
  lookAtLeaders(notes, queues, nodes)
  lookAtOwners(notes, namespace, queues)
}

/** What a policy may change, and what becomes of events then. */
const harms: ReadonlyMap<string, string> = new Map([
  ["max-length", "drops or refuses events beyond it"],
  ["max-length-bytes", "drops or refuses events beyond it"],
  ["message-ttl", "takes events away after that time"],
  ["expires", "deletes the queue when nobody uses it"],
  ["delayed-retry-type", "delays what is given back, which the library does not expect"],
  ["delayed-retry-min", "delays what is given back, which the library does not expect"]
])

/** The limit of a subscriber's queue is 20; a smaller one of a policy holds in its place. */
const deliveryLimit = 20

const lookAtPolicies = (notes: Notes, namespace: string, vhost: string, queues: ReadonlyArray<Json>): void => {
  const found = new Map<string, Array<string>>()
  for (const queue of queues) {
    const policy = recordOf(queue, "effective_policy_definition")
    for (const [key, value] of Object.entries(policy)) {
      const harm = harmOf(namespace, nameOf(queue), key, value)
      if (harm === undefined) continue
      const names = [textOf(queue, "policy"), textOf(queue, "operator_policy")].filter((name) => name !== "")
      const text = `policy ${names.join(" and ") || "(unnamed)"}: ${key} = ${String(value)} ${harm}`
      found.set(text, [...(found.get(text) ?? []), nameOf(queue)])
    }
  }
  for (const [text, names] of found) {
    const [, policy = ""] = /^policy (\S+)/.exec(text) ?? []
    notes.error(
      "rabbitmq.policy",
      `${text} (${few(names, 3)})`,
      `rabbitmqctl list_policies -p ${quote(vhost)}; then exclude ${namespace}.* from its pattern, or: rabbitmqctl clear_policy -p ${quote(vhost)} ${quote(policy)}`
    )
  }
}

const harmOf = (namespace: string, queue: string, key: string, value: unknown): string | undefined => {
  if (queue.startsWith(`${namespace}.tmp.`)) return undefined
  if (key !== "delivery-limit") return harms.get(key)
  if (typeof value !== "number" || value < 0) return undefined
  if (queue.startsWith(`${namespace}.sub.`)) return value < deliveryLimit ? "gives up events early" : undefined
  return "may delete what comes back that often"
}

const lookAtStates = (notes: Notes, queues: ReadonlyArray<Json>): void => {
  const sick = queues.filter((queue) => !["running", "idle", ""].includes(textOf(queue, "state"))).map(nameOf)
  if (sick.length > 0)
    notes.error(
      "rabbitmq.queues.majority",
      `${few(sick)} have no majority of their nodes: nothing goes in or out`,
      "start the missing nodes: rabbitmqctl cluster_status; rabbitmq-queues quorum_status <queue>"
    )
}

/** Letters that their queue cannot hand on: the target is missing, refuses them or has no majority. */
const lookAtStuck = (notes: Notes, queues: ReadonlyArray<Json>): void => {
  const stuck = queues.flatMap((queue) => {
    const count = numberOf(queue, "messages_dlx") ?? 0
    return count > 0 ? [`${count} in ${nameOf(queue)}`] : []
  })
  if (stuck.length > 0)
    notes.warning(
      "rabbitmq.dead-letters.stuck",
      `dead letters on their way and not stored yet: ${few(stuck)}`,
      "look again in 3 minutes; if they stay, the queue that they go to is missing, full or without a majority: rabbitmqctl list_queues name messages state"
    )
}

/** Of so few queues one node may lead all by chance. */
const leastQueues = 6

const lookAtLeaders = (notes: Notes, queues: ReadonlyArray<Json>, nodes: number): void => {
  const leaders = queues.filter(isQuorum).map((queue) => textOf(queue, "leader"))
  const [first] = leaders
  if (nodes < 2 || leaders.length < leastQueues || leaders.some((leader) => leader !== first)) return
  notes.warning(
    "rabbitmq.leaders",
    `all ${leaders.length} queues have their leader on ${first ?? ""}: it does all the work, and its loss stops all`,
    "rabbitmq-queues rebalance quorum; and the policy leaders of docs/guides/on-rabbitmq.md for new queues"
  )
}

/** Told in the same words by who looks without the management API, so that it is one finding. */
export const noDeadQueue = (notes: Notes, namespace: string, subscriber: string): void =>
  notes.error(
    "rabbitmq.dead-letters.target",
    `queue ${Topology.deadQueue(namespace, subscriber)} is missing: dead letters of ${subscriber} stay stuck in its queue`,
    `restart subscriber ${subscriber} with EVENTBUS_TOPOLOGY=assert: it declares the queue`
  )

/** The same; nothing where no event waits. */
export const unconsumed = (notes: Notes, namespace: string, subscriber: string, waiting: number): void => {
  if (waiting === 0) return
  notes.warning(
    "rabbitmq.subscriber.unconsumed",
    `${waiting} events wait for ${subscriber}, and nobody consumes`,
    `start subscriber ${subscriber}; if it was retired, keep or delete its queue ${Topology.subscriberQueue(namespace, subscriber)} by hand`
  )
}

const lookAtOwners = (notes: Notes, namespace: string, queues: ReadonlyArray<Json>): void => {
  const names = new Set(queues.map(nameOf))
  const start = `${namespace}.sub.`
  for (const queue of queues) {
    const name = nameOf(queue)
    if (!name.startsWith(start)) continue
    const subscriber = name.slice(start.length)
    if (!names.has(Topology.deadQueue(namespace, subscriber))) noDeadQueue(notes, namespace, subscriber)
    if (numberOf(queue, "consumers") === 0)
      unconsumed(notes, namespace, subscriber, numberOf(queue, "messages_ready") ?? 0)
  }
}

/** The bindings by which dead letters and delayed events find their queues. */
export const lookAtBindings = (
  notes: Notes,
  namespace: string,
  queues: ReadonlyArray<Json>,
  bindings: ReadonlyArray<Json>
): void => {
  const bound = new Set(bindings.map((binding) => `${textOf(binding, "source")} > ${textOf(binding, "destination")}`))
  const needed = queues.flatMap((queue): ReadonlyArray<readonly [string, string]> => {
    const name = nameOf(queue)
    if (/\.delay\.\d\d$/.test(name)) return [[name, name]]
    if (name.startsWith(`${namespace}.dead.`)) return [[Topology.deadExchange(namespace), name]]
    if (name.startsWith(`${namespace}.parked.`)) return [[Topology.parkedExchange(namespace), name]]
    return name.startsWith(`${namespace}.sub.`) ? [[Ladder.deliverExchange(namespace), name]] : []
  })
  const missing = needed.flatMap(([source, name]) => (bound.has(`${source} > ${name}`) ? [] : [`${name} to ${source}`]))
  if (missing.length > 0)
    notes.error(
      "rabbitmq.bindings",
      `not bound: ${few(missing)}: what goes there is lost or stuck`,
      "restart a service that declares them, with EVENTBUS_TOPOLOGY=assert"
    )
}

export const namesOf = (body: unknown): ReadonlyArray<string> => listOf(body).map(nameOf)
