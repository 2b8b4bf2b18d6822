/** What of a namespace exists, whether it is as the library declares it, and what waits there. */
import * as Effect from "effect/Effect"
import type { Subject } from "../../bus/port/Examination.ts"
import { few, type Notes } from "../../bus/support/Notes.ts"
import * as AmqpError from "../AmqpError.ts"
import type { Settings } from "../AmqpOptions.ts"
import * as Ladder from "../topology/DelayLadder.ts"
import * as Topology from "../topology/Topology.ts"
import { type Answer, type Asked, attempt, attemptAll, isDenied, isMissing, mayConfigure, together } from "./Attempt.ts"
import { noDeadQueue, unconsumed } from "./QueueLook.ts"

export interface Seen {
  /** Entities that exist, `queue eduflow.dead.mailer` for example. */
  readonly existing: ReadonlySet<string>
}

const restart =
  "restart a service that may declare it, with EVENTBUS_TOPOLOGY=assert: it declares what is missing and changes nothing else"

/** What must be there: of all services, and of these subscribers. */
export const declarationsOf = (namespace: string, subscribers: ReadonlyArray<string>) => [
  ...Topology.shared(namespace),
  ...subscribers.flatMap((name) => Topology.subscriber(namespace, { name, ordering: "none", patterns: [] }))
]

export const look = Effect.fnUntraced(function* (
  notes: Notes,
  connection: Asked,
  { namespace, topology }: Settings,
  { subscribers }: Subject
): Effect.fn.Return<Seen> {
  const shared = Topology.shared(namespace).filter(({ verify }) => verify !== undefined)
  const told = yield* attemptAll(
    connection,
    shared.map(
      ({ verify }) =>
        async (channel) =>
          verify?.(channel)
    )
  )
  const answers = told.flatMap((answer, at) => shared.slice(at, at + 1).map(({ entity }) => ({ entity, answer })))
  const missing = answers.filter(({ answer }) => isMissing(answer)).map(({ entity }) => entity)
  const existing = new Set(answers.filter(({ answer }) => !isMissing(answer)).map(({ entity }) => entity))
  const hidden = answers.filter(({ answer }) => isDenied(answer)).map(({ entity }) => entity)
  if (hidden.length > 0)
    notes.hidden(`whether ${few(hidden, 2)} exist: this user may not look at them, which RabbitMQ 4.3 asks for`)
  if (missing.length === shared.length) reportUndeclared(notes, namespace, topology)
  else {
    reportMissing(notes, namespace, missing)
    const levels = yield* lookAtLevels(notes, connection, namespace, topology)
    for (const { entity } of levels) existing.add(entity)
    const asserted = [...shared, ...levels].filter(
      ({ entity }) => topology === "assert" && existing.has(entity) && !hidden.includes(entity)
    )
    const [queues] = yield* Effect.all(
      [
        Effect.forEach(subscribers, (name) => lookAtSubscriber(notes, connection, namespace, name), together),
        lookAtArguments(notes, connection, asserted),
        lookAtUndeliverable(notes, connection, namespace)
      ],
      { concurrency: "unbounded" }
    )
    for (const entity of queues.flat()) existing.add(entity)
    if (missing.length === 0) notes.fact(`namespace ${namespace}: all ${shared.length} shared objects exist`)
  }
  return { existing }
})

/**
 * Returns the queues of the ladder that exist beside the first one. A level that does not is declared when a delay needs
 * it; who may not do that has to find it there.
 */
const lookAtLevels = Effect.fnUntraced(function* (
  notes: Notes,
  connection: Asked,
  namespace: string,
  topology: "assert" | "verify"
) {
  const upper = Topology.upperLevels(namespace).filter(({ verify }) => verify !== undefined)
  const answers = yield* Effect.forEach(
    upper,
    (level) =>
      Effect.map(
        attempt(connection, async (channel) => level.verify?.(channel)),
        (answer) => ({ level, answer })
      ),
    together
  )
  const absent = answers.flatMap(({ answer, level }) => (isMissing(answer) ? [level] : []))
  notes.fact(`delay ladder: ${Ladder.levels - absent.length} of ${Ladder.levels} levels are declared`)
  const [first] = absent
  if (first !== undefined) {
    const reason =
      topology === "verify"
        ? "with EVENTBUS_TOPOLOGY=verify services declare nothing"
        : isDenied(yield* attempt(connection, mayConfigure(first.entity.replace(/^queue /, ""))))
          ? `user ${connection.username} may not declare them`
          : undefined
    const names = few(
      absent.map(({ entity }) => entity),
      3
    )
    if (reason !== undefined)
      notes.warning(
        "rabbitmq.ladder.levels",
        `missing: ${names}, and ${reason}: retries that need them wait in several passes, delayed events that need them are refused`,
        "as a user that may declare them: eventbus topology apply --whole-ladder"
      )
  }
  return answers.flatMap(({ answer, level }) => (answer._tag === "Done" ? [level] : []))
})

const reportUndeclared = (notes: Notes, namespace: string, topology: "assert" | "verify"): void =>
  topology === "assert"
    ? notes.fact(`namespace ${namespace} is not declared yet: the first service declares it when it starts`)
    : notes.error(
        "rabbitmq.topology.missing",
        `nothing of namespace ${namespace} exists, and with EVENTBUS_TOPOLOGY=verify services declare nothing`,
        "declare it first: start a service that may, with EVENTBUS_TOPOLOGY=assert, or import docker/rabbitmq/definitions.json"
      )

/** A queue whose dead letters have no place keeps them, or loses them. */
const reportMissing = (notes: Notes, namespace: string, missing: ReadonlyArray<string>): void => {
  const targets = missing.filter(
    (entity) => entity.startsWith("exchange ") && entity !== `exchange ${namespace}.events`
  )
  const others = missing.filter((entity) => !targets.includes(entity))
  if (targets.length > 0)
    notes.error("rabbitmq.dead-letters.target", `missing: ${few(targets)}: what goes there is stuck`, restart)
  if (others.length > 0) notes.error("rabbitmq.topology.missing", `missing: ${few(others)}`, restart)
}

/** Declaring what exists changes nothing; RabbitMQ compares the arguments and names the first that differs. */
const lookAtArguments = (
  notes: Notes,
  connection: Asked,
  declarations: ReadonlyArray<Topology.Declaration>
): Effect.Effect<void> =>
  Effect.map(
    attemptAll(
      connection,
      declarations.map(({ assert }) => assert)
    ),
    (answers) =>
      answers.forEach((answer, at) => {
        for (const { entity } of declarations.slice(at, at + 1)) reportMismatch(notes, entity, answer)
      })
  )

const reportMismatch = (notes: Notes, entity: string, answer: Answer<unknown>): void => {
  if (answer._tag !== "Refused" || answer.code !== 406) return
  const { reason } = AmqpError.refused(new Error(`406 (${answer.text})`), "declaring", entity, "")
  if (reason._tag !== "TopologyMismatch") return
  const { actual, argument, expected, remedy } = reason
  notes.error(
    "rabbitmq.topology.mismatch",
    `${entity} has ${argument} = ${actual}, ${expected} is needed: services fail to start`,
    remedy
  )
}

const depthOf = (connection: Asked, queue: string) => attempt(connection, (channel) => channel.checkQueue(queue))

/** Returns which of its queues exist. */
const lookAtSubscriber = Effect.fnUntraced(function* (
  notes: Notes,
  connection: Asked,
  namespace: string,
  name: string
) {
  const queue = Topology.subscriberQueue(namespace, name)
  const [own, dead, parked] = yield* Effect.all(
    [queue, Topology.deadQueue(namespace, name), Topology.parkedQueue(namespace, name)].map((each) =>
      depthOf(connection, each)
    ),
    together
  )
  if (own !== undefined && isMissing(own)) {
    notes.warning(
      "rabbitmq.subscriber.missing",
      `subscriber ${name} has no queue: it never ran here, or was renamed`,
      "start it, or correct its name"
    )
  } else if (dead !== undefined && isMissing(dead)) {
    noDeadQueue(notes, namespace, name)
  }
  if (own?._tag === "Done" && own.value.consumerCount === 0) unconsumed(notes, namespace, name, own.value.messageCount)
  if (dead?._tag === "Done" && dead.value.messageCount > 0)
    notes.fact(`${name}: ${dead.value.messageCount} dead letters`)
  const found = [
    [queue, own],
    [Topology.deadQueue(namespace, name), dead],
    [Topology.parkedQueue(namespace, name), parked]
  ] as const
  return found.flatMap(([each, answer]) => (answer?._tag === "Done" ? [`queue ${each}`] : []))
})

const lookAtUndeliverable = Effect.fnUntraced(function* (notes: Notes, connection: Asked, namespace: string) {
  const answer = yield* depthOf(connection, Topology.undeliverable(namespace))
  if (answer._tag === "Done" && answer.value.messageCount > 0)
    notes.warning(
      "rabbitmq.undeliverable",
      `${answer.value.messageCount} delayed events had no subscriber when they were due`,
      "eventbus dead-letters list undeliverable"
    )
})
