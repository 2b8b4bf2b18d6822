/** The catalogue of events as a page: every event with its fields, key and publishers. */
import type * as Event from "../event/Event.ts"
import * as Shape from "./Shape.ts"
import * as Snapshot from "./Snapshot.ts"
import * as Subscribers from "./Subscribers.ts"

export const page = (events: ReadonlyArray<Event.Any>, subscribers: ReadonlyArray<Subscribers.Subscriber>): string => {
  const { events: contracts } = Snapshot.of(events)
  const names = Object.keys(contracts)
  return [
    "# Events",
    "",
    ...names.map((name) => `- [${name}](#${name.replaceAll(".", "")})`),
    ...Object.entries(contracts).flatMap(([name, contract]) => section(name, contract, subscribers)),
    ""
  ].join("\n")
}

const section = (
  name: string,
  contract: Snapshot.Contract,
  subscribers: ReadonlyArray<Subscribers.Subscriber>
): ReadonlyArray<string> => {
  const { cache, key, publishers, sensitive, version, versions } = contract
  const newest = versions[version]
  const schema = newest?.schema ?? {}
  const listeners = Subscribers.of(name, subscribers)
  return [
    "",
    `## ${name}`,
    "",
    `- Version: ${version}${Object.keys(versions).length > 1 ? `, reads ${Object.keys(versions).join(", ")}` : ""}`,
    `- Key: ${key === null ? "none" : `\`${key}\``}`,
    `- Publishers: ${publishersText(publishers)}`,
    `- Remembered: ${cacheText(cache)}`,
    ...(listeners.length === 0 ? [] : [`- Subscribers: ${listeners.join(", ")}`]),
    "",
    "| field | type | required | checks |",
    "| --- | --- | --- | --- |",
    ...rows(schema, Shape.document(schema), "").map(({ isRequired, path, type }) => {
      const checks = [...(newest?.checks[path] ?? []), ...(sensitive.includes(path) ? ["sensitive"] : [])]
      return `| ${[path, type, isRequired ? "yes" : "no", checks.join(", ")].map(cell).join(" | ")} |`
    })
  ]
}

const publishersText = (publishers: Snapshot.Publishers | null): string => {
  if (publishers === null) return "everyone"
  const { hasCheck, roles, statuses } = publishers
  const parts = [
    ...(roles === null ? [] : [`roles ${roles.join(", ")}`]),
    ...(statuses === null ? [] : [`statuses ${statuses.join(", ")}`]),
    ...(hasCheck ? ["a check of the data"] : [])
  ]
  return parts.length === 0 ? "everyone" : parts.join("; ")
}

const cacheText = (cache: Snapshot.Cache | null): string => {
  if (cache === null) return "nothing"
  const { history, last, perKey, timeToLiveMillis } = cache
  const parts = [
    ...(last
      ? [timeToLiveMillis === null ? "the last event of each key" : `the last event, for ${timeToLiveMillis} ms`]
      : []),
    ...(history > 0 ? [`${history} past events${perKey ? " of each key" : ""}`] : [])
  ]
  return parts.length === 0 ? "nothing" : parts.join(", ")
}

interface Row {
  readonly path: string
  readonly type: string
  readonly isRequired: boolean
}

const maxDepth = 8

const rows = (schema: unknown, document: Shape.Document, path: string, depth = 0): ReadonlyArray<Row> => {
  if (depth > maxDepth) return []
  const at = (name: string): string => (path === "" ? name : `${path}.${name}`)
  return Shape.of(schema, document).flatMap((one): ReadonlyArray<Row> => {
    if (one.kind === "array") return one.items === undefined ? [] : rows(one.items, document, at("*"), depth + 1)
    if (one.kind !== "object") return []
    return Object.entries(one.properties).flatMap(([name, property]) => [
      { path: at(name), type: Shape.nameOf(Shape.of(property, document)), isRequired: one.required.has(name) },
      ...rows(property, document, at(name), depth + 1)
    ])
  })
}

const cell = (text: string): string => (text === "" ? "" : text.replaceAll("|", "\\|").replaceAll("\n", " "))
