/**
 * The rights of a RabbitMQ user that a service needs, and no more. docker/rabbitmq/definitions.json, `eventbus grants` and the
 * hints of `doctor` all come from here; tests run services as such users.
 */
import * as Ladder from "./DelayLadder.ts"
import * as Topology from "./Topology.ts"

/** What a service does; every text is a regular expression of whole names. */
export interface Service {
  /** Its subscribers. */
  readonly subscribers: ReadonlyArray<string>
  /** Events that it publishes. */
  readonly publishes: ReadonlyArray<string>
  /** Events, and patterns of events, that its queues are bound to. */
  readonly binds: ReadonlyArray<string>
}

export interface Permissions {
  readonly configure: string
  readonly write: string
  readonly read: string
}

export interface TopicPermission {
  readonly exchange: string
  readonly write: string
  readonly read: string
}

const nothing = "^$"

/** A name as a regular expression, also one of patterns. */
export const literal = (name: string): string => name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")

const anyOf = (parts: ReadonlyArray<string>): string => (parts.length === 1 ? (parts[0] ?? "") : `(${parts.join("|")})`)
const whole = (namespace: string, parts: ReadonlyArray<string>): string => `^${namespace}\\.${`(${parts.join("|")})`}$`

const levels = "delay\\.[0-9]{2}"

/**
 * A service without subscribers only publishes. One with subscribers works on its own queues, sends copies and dead letters,
 * and has queues that end with it. Nobody gets the right to declare, delete or read what all services share.
 */
export const permissions = (namespace: string, { subscribers }: Pick<Service, "subscribers">): Permissions => {
  if (subscribers.length === 0)
    return { configure: nothing, write: whole(namespace, ["events", levels]), read: nothing }
  const own = ["tmp\\..+", `(sub|dead|parked)\\.${anyOf(subscribers)}`]
  return {
    configure: whole(namespace, own),
    write: whole(namespace, ["events", "dead", "parked", levels, "delay\\.deliver", ...own]),
    read: whole(namespace, ["events", "dead", "parked", "delay\\.deliver", ...own])
  }
}

/** The words of a delay before a destination, in a routing key and in the pattern of a binding. */
const anyDelay = `([01]\\.){${Ladder.levels}}`
const anyDelayPattern = `(\\*\\.){${Ladder.levels}}`

/** What the library publishes by itself. */
const ofTheBus = "bus\\..+"

/**
 * Where a process gets answers to its requests. A pattern of several addresses is none, so a service whose rights name what it
 * binds reads no answers of others.
 */
const answers = "bus\\.reply\\.[0-9a-f]{32}"

/** A row for each exchange whose routing keys matter: without it RabbitMQ allows every routing key there. */
export const topicPermissions = (
  namespace: string,
  { binds, publishes, subscribers }: Service
): ReadonlyArray<TopicPermission> => {
  const ladder = Array.from({ length: Ladder.levels }, (_, level) => Ladder.levelName(namespace, level))
  const deliver = Ladder.deliverExchange(namespace)
  if (subscribers.length === 0) {
    const write = publishes.length === 0 ? nothing : `^${anyDelay}publish\\.${anyOf(publishes)}$`
    return [
      {
        exchange: Topology.events(namespace),
        write: publishes.length === 0 ? nothing : `^${anyOf(publishes)}$`,
        read: nothing
      },
      { exchange: deliver, write: nothing, read: nothing },
      ...ladder.map((exchange) => ({ exchange, write, read: nothing }))
    ]
  }
  const copies = `to\\.${anyOf([...subscribers, `${Topology.canaryPrefix}\\..+`])}`
  const sent = anyOf([ofTheBus, ...publishes])
  const write = `^${anyDelay}(${copies}|publish\\.${sent})$`
  const bound = anyOf([answers, ...binds])
  return [
    {
      exchange: Topology.events(namespace),
      write: `^${sent}$`,
      read: `^${bound}$`
    },
    { exchange: deliver, write, read: `^${anyDelayPattern}(${copies}|publish\\.${bound})$` },
    ...ladder.map((exchange) => ({ exchange, write, read: nothing }))
  ]
}
