/** Tries each right that is needed, in ways that change nothing, and says which are missing. */
import type { Channel } from "amqplib"
import * as Effect from "effect/Effect"
import type { Subject } from "../../bus/port/Examination.ts"
import { few, type Notes, quote } from "../../bus/support/Notes.ts"
import type { Settings } from "../AmqpOptions.ts"
import * as Ladder from "../topology/DelayLadder.ts"
import * as Rights from "../topology/Rights.ts"
import * as Topology from "../topology/Topology.ts"
import {
  type Answer,
  type Asked,
  attempt,
  attemptAll,
  isDenied,
  mayBind,
  mayConfigure,
  mayPublish,
  mayRead,
  together
} from "./Attempt.ts"
import type { Seen } from "./TopologyLook.ts"

interface Question {
  readonly verb: "configure" | "write" | "read"
  readonly entity: string
  readonly ask: (channel: Channel) => Promise<unknown>
  /** Whether the answer is an error even to those who have the right: it closes the channel. */
  readonly alwaysFails?: true
}

/** A topic that nobody publishes: its denial says nothing of the exchange. */
const anyTopic = "eventbus-doctor"

export const look = Effect.fnUntraced(function* (
  notes: Notes,
  connection: Asked,
  settings: Settings,
  vhost: string,
  subject: Subject,
  { existing }: Seen
) {
  const { namespace } = settings
  const questions = [
    ...publishing(namespace, subject),
    ...subject.subscribers.flatMap((name) => subscribing(settings, name))
  ].filter(({ entity, verb }) => verb === "configure" || existing.has(entity.replace(/ with topic .*$/, "")))
  const [single, joint] = [true, false].map((fails) => questions.filter((one) => (one.alwaysFails ?? false) === fails))
  const answers = (yield* Effect.all(
    [
      Effect.forEach(
        single ?? [],
        (question) => Effect.map(attempt(connection, question.ask), (answer) => ({ ...question, answer })),
        together
      ),
      askTogether(connection, joint ?? [])
    ],
    { concurrency: "unbounded" }
  )).flat()
  const denied = answers.filter(({ answer, entity }) => isDenied(answer) && !isTopicAlone(answer, entity))
  report(notes, connection.username, vhost, settings, subject, denied)
  const silent = answers.filter(({ answer }) => answer._tag === "Silent")
  if (silent.length > 0) notes.hidden(`${silent.length} rights: RabbitMQ did not answer in time`)
  if (denied.length === 0 && silent.length === 0 && answers.length > 0)
    notes.fact(`user ${connection.username} has the ${answers.length} rights that were tried`)
  if (subject.subscribers.length === 0)
    notes.hidden("rights and queues of subscribers: name them with --subscriber <name>, or in the contracts module")
  if (subject.events.length === 0) notes.hidden("topic rights of events: give the contracts with --contracts <module>")
})

const askTogether = (connection: Asked, questions: ReadonlyArray<Question>) =>
  Effect.map(
    attemptAll(
      connection,
      questions.map(({ ask }) => ask)
    ),
    (answers) =>
      answers.flatMap((answer, at) => questions.slice(at, at + 1).map((question) => ({ ...question, answer })))
  )

const isAboutTopic = (answer: Answer<unknown>): boolean =>
  answer._tag === "Refused" && answer.text.includes("access to topic")

const isTopicAlone = (answer: Answer<unknown>, entity: string): boolean =>
  isAboutTopic(answer) && !entity.includes(" with topic ")

const write = (exchange: string, topic: string | undefined): Question => ({
  verb: "write",
  entity: `exchange ${exchange}${topic === undefined ? "" : ` with topic ${topic}`}`,
  ask: mayPublish(exchange, topic ?? anyTopic)
})

/** The ladder from each of its levels, and past them. */
const ladder = (namespace: string, destination: string | undefined) =>
  Array.from({ length: Ladder.levels + 1 }, (_, level) => {
    const seconds = level === Ladder.levels ? 0 : 2 ** level
    const { exchange, routingKey } = Ladder.entry(namespace, seconds, destination ?? anyTopic)
    return write(exchange, destination === undefined ? undefined : routingKey)
  })

const publishing = (namespace: string, { events }: Subject): ReadonlyArray<Question> => [
  ...(events.length === 0
    ? [write(Topology.events(namespace), undefined)]
    : events.map((event) => write(Topology.events(namespace), event))),
  ...ladder(namespace, events[0] === undefined ? undefined : Ladder.toEvent(events[0]))
]

const subscribing = ({ namespace, topology }: Settings, name: string): ReadonlyArray<Question> => {
  const own = Topology.subscriberQueue(namespace, name)
  const queues = [own, Topology.deadQueue(namespace, name), Topology.parkedQueue(namespace, name)]
  const read = queues.map((queue): Question => ({
    verb: "read",
    entity: `queue ${queue}`,
    ask: mayRead(queue),
    alwaysFails: true
  }))
  const configure = queues.map((queue): Question => ({
    verb: "configure",
    entity: `queue ${queue}`,
    ask: mayConfigure(queue),
    alwaysFails: true
  }))
  const bind = [Topology.events(namespace), Ladder.deliverExchange(namespace)].map((exchange): Question => ({
    verb: "read",
    entity: `exchange ${exchange}`,
    ask: mayBind(own, exchange)
  }))
  return [
    write(Topology.deadExchange(namespace), undefined),
    write(Topology.parkedExchange(namespace), undefined),
    ...ladder(namespace, Ladder.toSubscriber(name)).slice(-2),
    ...read,
    ...(topology === "assert" ? [...configure, ...bind] : [])
  ]
}

const report = (
  notes: Notes,
  username: string,
  vhost: string,
  { namespace }: Settings,
  { events, subscribers }: Subject,
  denied: ReadonlyArray<Question & { readonly answer: Answer<unknown> }>
): void => {
  const topics = denied.filter(({ answer }) => isAboutTopic(answer))
  const others = denied.filter((question) => !topics.includes(question))
  const user = `-p ${quote(vhost)} ${quote(username)}`
  if (others.length > 0) {
    const own = subscribers.length === 0 ? [".+"] : subscribers.map(Rights.literal)
    const { configure, read, write } = Rights.permissions(namespace, { subscribers: own })
    const command = [configure, write, read].map(quote).join(" ")
    notes.error(
      "rabbitmq.rights",
      `user ${username} may not ${few([...new Set(others.map(({ entity, verb }) => `${verb} ${entity.replace(/ with topic .*$/, "")}`))])}`,
      `rabbitmqctl set_permissions ${user} ${command}`
    )
  }
  if (topics.length > 0) {
    const words = events.length === 0 ? ".*" : `^(${events.map((event) => event.replaceAll(".", "\\.")).join("|")})$`
    const exchanges = [...new Set(topics.map(({ entity }) => /^exchange (\S+)/.exec(entity)?.[1] ?? ""))]
    const rights = (exchange: string): string => (exchange.endsWith(".events") ? words : ".*")
    notes.error(
      "rabbitmq.rights.topic",
      `user ${username} may not write ${few(topics.map(({ entity }) => entity))}`,
      exchanges
        .map((exchange) => `rabbitmqctl set_topic_permissions ${user} ${exchange} ${quote(rights(exchange))} '.*'`)
        .join("\n")
    )
  }
}
