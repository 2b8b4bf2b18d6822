/** The catalogue of events as data for pages: fields, example, key, who publishes and subscribes, and what is kept. */
import type * as Event from "../../event/Event.ts"
import * as Shape from "../Shape.ts"
import * as Snapshot from "../Snapshot.ts"
import * as Subscribers from "../Subscribers.ts"
import type { Described } from "./AsyncApi.ts"
import * as Example from "./Example.ts"
import * as Wording from "./Wording.ts"

export interface Section {
  readonly event: string
  readonly version: number
  readonly description: string | undefined
  /** What is said of the event: a name and a text. */
  readonly facts: ReadonlyArray<readonly [name: string, text: string]>
  readonly fields: ReadonlyArray<Field>
  /** As text of JSON; undefined where none can be generated. */
  readonly example: string | undefined
  /** Older versions, the newest first. */
  readonly older: ReadonlyArray<{ readonly version: number; readonly fields: ReadonlyArray<Field> }>
}

export interface Field {
  readonly path: string
  readonly type: string
  readonly isRequired: boolean
  readonly checks: ReadonlyArray<string>
}

export const of = (described: Described): ReadonlyArray<Section> => {
  const events = described.events.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const { events: contracts } = Snapshot.of(events)
  return events.flatMap((event) => {
    const contract = contracts[event.name]
    return contract === undefined ? [] : [section(event, contract, described)]
  })
}

const section = (event: Event.Any, contract: Snapshot.Contract, described: Described): Section => {
  const { cache, key, publishers, sensitive, version, versions } = contract
  const example = Example.of(event.schema, `${event.name}.v${version}`)
  const older = Object.keys(versions)
    .map(Number)
    .filter((one) => one !== version)
    .toSorted((a, b) => b - a)
  const fieldsOf = (one: number): ReadonlyArray<Field> => fields(versions[one], one === version ? sensitive : [])
  const subscribers = Subscribers.of(event.name, described.subscribers)
  return {
    event: event.name,
    version,
    description: Wording.descriptionOf(event.schema),
    facts: [
      ["Version", older.length === 0 ? `${version}` : `${version}; reads ${older.toReversed().join(", ")} as well`],
      ["Key", key === null ? "none" : `\`${key}\``],
      ["Published by", publishedBy(event.name, publishers, described)],
      ["Subscribers", subscribers.length === 0 ? "none that is known here" : subscribers.join(", ")],
      ["Remembered", Wording.cache(cache)]
    ],
    fields: fieldsOf(version),
    example: example === undefined ? undefined : JSON.stringify(example, null, 2),
    older: older.map((one) => ({ version: one, fields: fieldsOf(one) }))
  }
}

/** The services, where the module says what they publish, and who may. */
const publishedBy = (event: string, may: Snapshot.Publishers | null, described: Described): string => {
  const { publishers, publishes, title } = described
  const who = Wording.publishers(may)
  if (publishes === undefined) return who
  const services = publishers.filter(({ events }) => events.includes(event)).map(({ service }) => service)
  const others = publishers.length === 0 && publishes.includes(event) ? title : "none of these services"
  return `${services.length === 0 ? others : services.toSorted().join(", ")}, for ${who}`
}

const fields = (version: Snapshot.Version | undefined, sensitive: ReadonlyArray<string>): ReadonlyArray<Field> => {
  if (version === undefined) return []
  const document = Shape.document(version.schema)
  return rows(version.schema, document, "").map(({ checks, ...row }) => ({
    ...row,
    checks: [...checks, ...(version.checks[row.path] ?? []), ...(sensitive.includes(row.path) ? ["sensitive"] : [])]
  }))
}

const maxDepth = 8

const rows = (schema: unknown, document: Shape.Document, path: string, depth = 0): ReadonlyArray<Field> => {
  if (depth > maxDepth) return []
  const at = (name: string): string => (path === "" ? name : `${path}.${name}`)
  return Shape.of(schema, document).flatMap((one): ReadonlyArray<Field> => {
    if (one.kind === "array") return one.items === undefined ? [] : rows(one.items, document, at("*"), depth + 1)
    if (one.kind !== "object") return []
    return Object.entries(one.properties).flatMap(([name, property]) => [
      {
        path: at(name),
        type: Shape.nameOf(Shape.of(property, document)),
        isRequired: one.required.has(name),
        checks: checksOf(Shape.of(property, document))
      },
      ...rows(property, document, at(name), depth + 1)
    ])
  })
}

/** Those that JSON Schema has. */
const checksOf = (shape: ReadonlyArray<Shape.Alternative>): ReadonlyArray<string> =>
  shape.flatMap((one) => {
    if (one.kind === "string") return one.patterns.map((pattern) => `pattern /${pattern}/`)
    if (one.kind === "number") return [...one.bounds, ...one.steps.map((step) => `multiple of ${step}`)]
    if (one.kind !== "array") return []
    return [
      ...(one.minItems > 0 ? [`minItems ${one.minItems}`] : []),
      ...(Number.isFinite(one.maxItems) ? [`maxItems ${one.maxItems}`] : [])
    ]
  })
