/**
 * Writes docker/rabbitmq/definitions.json: what all services share, as the library declares it, and what each user may
 * do. The users themselves stay as they are in the file. A test fails when the file says something else.
 */
import { readFileSync, writeFileSync } from "node:fs"
import * as Rights from "../src/amqp/topology/Rights.ts"
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

const rights: ReadonlyArray<{ readonly user: string } & Rights.Service> = [
  ...services.map((user) => ({
    user,
    subscribers: [`${user}\\..+`],
    publishes: [`${user}\\..+`],
    binds: [".+"]
  })),
  { user: "publisher", subscribers: [], publishes: [".+"], binds: [] }
]

const permissions = [
  { user: "operator", vhost, configure: ".*", write: ".*", read: ".*" },
  { user: "demo", vhost, configure: `^${namespace}\\.`, write: `^${namespace}\\.`, read: `^${namespace}\\.` },
  ...rights.map(({ user, ...service }) => ({ user, vhost, ...Rights.permissions(namespace, service) }))
]

const topicPermissions = rights.flatMap(({ user, ...service }) =>
  Rights.topicPermissions(namespace, service).map((row) => ({ user, vhost, ...row }))
)

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
    // Its users may declare no level of the ladder.
    ...Topology.upperLevels(namespace),
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
