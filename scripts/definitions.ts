/**
 * Writes docker/rabbitmq/definitions.json: what all services share, as the library declares it, and what each user may
 * do. The users themselves stay as they are in the file. A test fails when the file says something else.
 */
import { readFileSync, writeFileSync } from "node:fs"
import * as Ladder from "../src/amqp/topology/DelayLadder.ts"
import * as Topology from "../src/amqp/topology/Topology.ts"

const namespace = "eduflow"
const vhost = "eduflow"
/** Those of the demo. The subscribers and the events of a service begin with its name. */
export const services = ["academic", "kyc", "notification", "social", "user"] as const

const file = new URL("../docker/rabbitmq/definitions.json", import.meta.url)

/** The declarations as definitions of RabbitMQ. */
const record = (declarations: ReadonlyArray<Topology.Declaration>) => {
  const exchanges: Array<object> = []
  const queues: Array<object> = []
  const bindings: Array<object> = []
  const fixed = { durable: true, auto_delete: false }
  for (const { object } of declarations) {
    switch (object._tag) {
      case "Exchange":
        exchanges.push({
          name: object.name,
          vhost,
          type: object.type,
          ...fixed,
          internal: false,
          arguments: object.arguments
        })
        break
      case "Queue":
        queues.push({ name: object.name, vhost, ...fixed, arguments: object.arguments })
        break
      case "Binding": {
        const { destination, kind, pattern, source } = object
        bindings.push({ source, vhost, destination, destination_type: kind, routing_key: pattern, arguments: {} })
      }
    }
  }
  return { exchanges, queues, bindings }
}

const anyOf = (...names: ReadonlyArray<string>): string => `^${namespace}\\.(${names.join("|")})$`
const own = (service: string): string => `(sub|dead|parked)\\.${service}\\..+`
const temporary = "tmp\\..+"
const levels = "delay\\.[0-9]{2}"

const permissions = [
  { user: "operator", vhost, configure: ".*", write: ".*", read: ".*" },
  { user: "demo", vhost, configure: `^${namespace}\\.`, write: `^${namespace}\\.`, read: `^${namespace}\\.` },
  ...services.map((user) => ({
    user,
    vhost,
    configure: anyOf(temporary, own(user)),
    write: anyOf("events", "dead", "parked", levels, "delay\\.deliver", temporary, own(user)),
    read: anyOf("events", "dead", "parked", "delay\\.deliver", temporary, own(user))
  })),
  { user: "publisher", vhost, configure: "^$", write: anyOf("events", levels), read: "^$" }
]

const ladder = Array.from({ length: Ladder.levels }, (_, level) => Ladder.levelName(namespace, level))
const deliver = Ladder.deliverExchange(namespace)
/** The words of a delay before a destination, in a routing key and in the pattern of a binding. */
const anyDelay = `([01]\\.){${Ladder.levels}}`
const anyDelayPattern = `(\\*\\.){${Ladder.levels}}`

const topicPermissions = [
  ...services.flatMap((user) => {
    const copies = `to\\.(${user}\\.|${Topology.canaryPrefix}\\.)`
    const write = `^${anyDelay}(${copies}|publish\\.(bus|${user})\\.)`
    return [
      { user, vhost, exchange: Topology.events(namespace), write: `^(bus|${user})\\.`, read: ".*" },
      { user, vhost, exchange: deliver, write, read: `^${anyDelayPattern}(${copies}|publish\\.)` },
      ...ladder.map((exchange) => ({ user, vhost, exchange, write, read: "^$" }))
    ]
  }),
  ...ladder.map((exchange) => ({
    user: "publisher",
    vhost,
    exchange,
    write: `^${anyDelay}publish\\.`,
    read: "^$"
  }))
]

/**
 * Without it RabbitMQ puts the leader of each queue on the node that its client is connected to. As a policy it is no part
 * of a queue's arguments. Temporary queues end with their connection and stay on its node.
 */
const policies = [
  {
    vhost,
    name: "leaders",
    pattern: `^${namespace}\\.(?!tmp\\.)`,
    "apply-to": "queues",
    definition: { "queue-leader-locator": "balanced" },
    priority: 0
  }
]

export const text = (): string => {
  const { rabbit_version, users, vhosts } = JSON.parse(readFileSync(file, "utf8")) as Readonly<Record<string, unknown>>
  const parked = Topology.subscriber(namespace, { name: "any", ordering: "key", patterns: [], parking: true })
  const { bindings, exchanges, queues } = record([
    ...Topology.shared(namespace),
    ...parked.filter(({ entity }) => entity.startsWith("exchange ")),
    ...Topology.canaries(namespace)
  ])
  const definitions = {
    rabbit_version,
    users,
    vhosts,
    permissions,
    topic_permissions: topicPermissions,
    parameters: [],
    global_parameters: [],
    policies,
    queues,
    exchanges,
    bindings
  }
  return `${JSON.stringify(definitions, undefined, 2)}\n`
}

if (import.meta.main) writeFileSync(file, text())
