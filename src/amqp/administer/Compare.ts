/** What is declared of a namespace beside what its services declare. */
import * as Effect from "effect/Effect"
import type { Comparison, Cost, Difference, Wanted } from "../../bus/port/Administration.ts"
import { quote } from "../../bus/support/Notes.ts"
import * as AmqpError from "../AmqpError.ts"
import { type Answer, type Asked, attempt, isDenied, isMissing, together } from "../inspect/Attempt.ts"
import { type Json, numberOf, recordOf, textOf } from "../inspect/ManagementApi.ts"
import * as Ladder from "../topology/DelayLadder.ts"
import * as Topology from "../topology/Topology.ts"
import type { Access, Listing } from "./Access.ts"
import { bindingOf, shownPattern } from "./Names.ts"
import * as Orphans from "./Orphans.ts"

/** RabbitMQ reserves as many for a quorum queue on each node that has a copy of it. */
const handlesOfQueue = 3

/**
 * Everything that the services of a namespace declare, each object once. `levels` are the queues of the ladder that exist
 * beside the first one: they are declared when a delay needs them, and stay.
 */
export const declarationsOf = (
  namespace: string,
  { specs, wholeLadder = false }: Wanted,
  levels: ReadonlyArray<Topology.Declaration>
): ReadonlyArray<Topology.Declaration> => {
  const all = [
    ...Topology.shared(namespace),
    ...(wholeLadder ? Topology.upperLevels(namespace) : levels),
    ...Topology.canaries(namespace),
    ...specs.flatMap((spec) => Topology.subscriber(namespace, spec))
  ]
  const byKey = new Map(all.map((declaration) => [Topology.keyOf(declaration.object), declaration]))
  return [...byKey.values()]
}

export const compare = (access: Access, wanted: Wanted): Effect.Effect<Comparison, AmqpListError> =>
  Effect.gen(function* () {
    const { namespace } = access.settings
    const listing = access.list === undefined ? undefined : yield* access.list
    const levels = yield* levelsThere(access.connection, namespace, listing)
    const declarations = declarationsOf(namespace, wanted, levels)
    const seen =
      listing === undefined
        ? yield* byAmqp(access.connection, access.settings.topology, declarations)
        : byListing(listing, declarations)
    const orphans = listing === undefined ? [] : Orphans.find(namespace, wanted, declarations, listing)
    return {
      differences: [...seen.differences, ...orphans],
      unseen: [...seen.unseen, ...unseenOf(wanted, listing)],
      cost: costOf(declarations, seen.differences, listing)
    }
  })

/** The upper levels of the ladder that exist. */
const levelsThere = (
  connection: Asked,
  namespace: string,
  listing: Listing | undefined
): Effect.Effect<ReadonlyArray<Topology.Declaration>> => {
  const upper = Topology.upperLevels(namespace)
  const nameOf = ({ object }: Topology.Declaration): string =>
    object._tag === "Binding" ? object.destination : object.name
  const only = (there: ReadonlySet<string>) => upper.filter((declaration) => there.has(nameOf(declaration)))
  if (listing !== undefined) return Effect.succeed(only(new Set(listing.queues.map((queue) => textOf(queue, "name")))))
  return Effect.forEach(
    upper.filter(({ verify }) => verify !== undefined),
    (level) =>
      Effect.map(
        attempt(connection, async (channel) => level.verify?.(channel)),
        (answer) => (answer._tag === "Done" ? [nameOf(level)] : [])
      ),
    together
  ).pipe(Effect.map((names) => only(new Set(names.flat()))))
}

type AmqpListError = Effect.Error<NonNullable<Access["list"]>>

const unseenOf = ({ names, specs }: Wanted, listing: Listing | undefined): ReadonlyArray<string> => {
  const unspecified = names.filter((name) => !specs.some((spec) => spec.name === name))
  return [
    ...(listing === undefined
      ? [
          "bindings, queues that nobody declares and files that a node may open: give the address of the management API with --management"
        ]
      : []),
    ...(unspecified.length === 0
      ? []
      : [
          `what ${unspecified.map(quote).join(", ")} declare: the contracts module has no events of them (export subscribers with what is given to Subscriber.layer)`
        ])
  ]
}

interface Seen {
  readonly differences: ReadonlyArray<Difference>
  readonly unseen: ReadonlyArray<string>
}

const apply = "eventbus topology apply"

export const missing = (entity: string): Difference => ({
  kind: "missing",
  entity,
  seen: "it does not exist",
  mend: apply
})

const unbound = ({ destination, pattern, source }: Topology.Binding): Difference => ({
  kind: "unbound",
  entity: `binding of ${destination} to ${source}`,
  seen: `nothing comes by ${shownPattern(pattern)}`,
  mend: apply
})

/** Bindings cannot be seen, but those of an object that is missing are missing, too. */
const byAmqp = Effect.fnUntraced(function* (
  connection: Asked,
  topology: "assert" | "verify",
  declarations: ReadonlyArray<Topology.Declaration>
): Effect.fn.Return<Seen> {
  const looked = yield* Effect.forEach(
    declarations.filter(({ verify }) => verify !== undefined),
    (declaration) =>
      Effect.gen(function* () {
        const there = yield* attempt(connection, async (channel) => declaration.verify?.(channel))
        // Declaring what exists changes nothing: RabbitMQ compares the arguments, and names the first that differs.
        const same: Answer<unknown> =
          there._tag === "Done" && topology === "assert" ? yield* attempt(connection, declaration.assert) : there
        return { declaration, there, same }
      }),
    together
  )
  const absent = new Set(
    looked.flatMap(({ declaration: { object }, there }) =>
      isMissing(there) && object._tag !== "Binding" ? [object.name] : []
    )
  )
  const hidden = looked.filter(({ same, there }) =>
    [same, there].some((answer) => isDenied(answer) || answer._tag === "Silent")
  )
  return {
    differences: [
      ...looked.flatMap(({ declaration, same, there }) => [
        ...(isMissing(there) ? [missing(declaration.entity)] : []),
        ...different(declaration.entity, same)
      ]),
      ...declarations.flatMap(({ object }) =>
        object._tag === "Binding" && (absent.has(object.source) || absent.has(object.destination))
          ? [unbound(object)]
          : []
      )
    ],
    unseen:
      hidden.length === 0
        ? []
        : [`${hidden.length} objects or their arguments: user ${connection.username} may not look at them`]
  }
})

const different = (entity: string, answer: Answer<unknown>): ReadonlyArray<Difference> => {
  if (answer._tag !== "Refused" || answer.code !== 406) return []
  const { reason } = AmqpError.refused(new Error(`406 (${answer.text})`), "declaring", entity, "")
  if (reason._tag !== "TopologyMismatch") return []
  return [differs(entity, reason.argument, reason.actual, reason.expected)]
}

const differs = (entity: string, argument: string, actual: string, expected: string): Difference => ({
  kind: "different",
  entity,
  seen: `${argument} = ${actual}, ${expected} is needed`,
  mend: AmqpError.remedyOf(argument)
})

const byListing = (listing: Listing, declarations: ReadonlyArray<Topology.Declaration>): Seen => {
  const exchanges = new Map(listing.exchanges.map((exchange) => [textOf(exchange, "name"), exchange]))
  const queues = new Map(listing.queues.map((queue) => [textOf(queue, "name"), queue]))
  const bindings = new Set(listing.bindings.map((binding) => Topology.keyOf(bindingOf(binding))))
  const differences = declarations.flatMap(({ entity, object }): ReadonlyArray<Difference> => {
    switch (object._tag) {
      case "Binding":
        return bindings.has(Topology.keyOf(object)) ? [] : [unbound(object)]
      case "Exchange": {
        const found = exchanges.get(object.name)
        if (found === undefined) return [missing(entity)]
        const type = textOf(found, "type")
        return [
          ...(type === object.type ? [] : [differs(entity, "type", type, object.type)]),
          ...argumentsOf(entity, object.arguments, found)
        ]
      }
      case "Queue": {
        const found = queues.get(object.name)
        return found === undefined ? [missing(entity)] : argumentsOf(entity, object.arguments, found)
      }
    }
  })
  return { differences, unseen: [] }
}

const argumentsOf = (entity: string, wanted: Topology.Arguments, found: Json): ReadonlyArray<Difference> => {
  const actual = recordOf(found, "arguments")
  const words = (value: unknown): string => (value === undefined ? "none" : String(value))
  const durable = found["durable"] === false ? [differs(entity, "durable", "false", "true")] : []
  return [
    ...durable,
    ...[...new Set([...Object.keys(wanted), ...Object.keys(actual)])].flatMap((name) =>
      wanted[name] === actual[name] ? [] : [differs(entity, name, words(actual[name]), words(wanted[name]))]
    )
  ]
}

const isLevel = (queue: string): boolean => /\.delay\.\d\d$/.test(queue)

const costOf = (
  declarations: ReadonlyArray<Topology.Declaration>,
  differences: ReadonlyArray<Difference>,
  listing: Listing | undefined
): Cost => {
  const count = (tag: Topology.Declared["_tag"]): number =>
    declarations.filter(({ object }) => object._tag === tag).length
  // 0 until the node has counted.
  const totals = (listing?.nodes ?? []).flatMap((node) => numberOf(node, "fd_total") || [])
  const quorumQueues = count("Queue")
  return {
    quorumQueues,
    ladderQueues:
      Ladder.levels - declarations.filter(({ object }) => object._tag === "Queue" && isLevel(object.name)).length,
    missingQueues: differences.filter(({ entity, kind }) => kind === "missing" && entity.startsWith("queue ")).length,
    exchanges: count("Exchange"),
    bindings: count("Binding"),
    handles: quorumQueues * handlesOfQueue,
    nodeHandles: totals.length === 0 ? null : Math.min(...totals),
    hostQuorumQueues:
      listing === undefined ? null : listing.queues.filter((queue) => textOf(queue, "type") === "quorum").length
  }
}
