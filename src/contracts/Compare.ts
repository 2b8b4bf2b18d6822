/** Compares two snapshots: events, versions, keys, cache, sensitive fields and publishers. */
import * as CompareData from "./CompareData.ts"
import * as Finding from "./Finding.ts"
import * as Shape from "./Shape.ts"
import type { Answers, Cache, Contract, Publishers, Snapshot, Version } from "./Snapshot.ts"

/** Whether two keys that are described differently are the same; undefined where that is not known. */
export type IsSameKey = (event: string, before: Contract, after: Contract) => boolean | undefined

export const compare = (
  before: Snapshot,
  after: Snapshot,
  isSameKey: IsSameKey = () => undefined
): ReadonlyArray<Finding.Finding> =>
  Object.entries(before.events).flatMap(([event, old]) => {
    const next = after.events[event]
    return next === undefined ? [removed(event, old, before, after)] : contract(event, old, next, isSameKey)
  })

/** An event that came with the same data is the same under another name. */
const removed = (event: string, old: Contract, before: Snapshot, after: Snapshot): Finding.Finding => {
  const text = JSON.stringify(old.versions)
  const [other, ...more] = Object.entries(after.events).filter(
    ([name, one]) => before.events[name] === undefined && JSON.stringify(one.versions) === text
  )
  const given = { event, version: old.version }
  return other !== undefined && more.length === 0
    ? Finding.make("event-renamed", { ...given, after: other[0] })
    : Finding.make("event-removed", given)
}

const contract = (
  event: string,
  before: Contract,
  after: Contract,
  isSameKey: IsSameKey
): ReadonlyArray<Finding.Finding> => [
  ...versions(event, before, after),
  ...answers(event, after.version, before.answers, after.answers),
  ...key(event, before, after, isSameKey),
  ...cache(event, after.version, before.cache, after.cache),
  ...sensitive(event, before, after),
  ...publishers(event, after.version, before.publishers, after.publishers)
]

const versions = (event: string, before: Contract, after: Contract): ReadonlyArray<Finding.Finding> => {
  const found: Array<Finding.Finding> = []
  if (after.version < before.version)
    return [
      Finding.make("version-lowered", {
        event,
        version: before.version,
        before: String(before.version),
        after: String(after.version)
      })
    ]
  const hasNewest = after.versions[before.version] !== undefined
  if (after.version > before.version && hasNewest)
    found.push(
      Finding.make("version-added", {
        event,
        version: after.version,
        before: String(before.version),
        after: String(after.version)
      })
    )
  for (const [text, old] of Object.entries(before.versions)) {
    const version = Number(text)
    const next = after.versions[text]
    if (next !== undefined) {
      found.push(...CompareData.compare(old, next, { event, version, isPast: version < after.version }))
    } else if (version === before.version) found.push(Finding.make("upcaster-missing", { event, version }))
    else if (hasNewest) found.push(Finding.make("version-removed", { event, version }))
  }
  return found
}

/** Askers and repliers are deployed one after the other: both have to read what the other writes. */
const answers = (
  event: string,
  version: number,
  before: Answers | undefined,
  after: Answers | undefined
): ReadonlyArray<Finding.Finding> => {
  if (before === undefined) return []
  if (after === undefined) return [Finding.make("answers-removed", { event, version })]
  const compared = (part: "reply" | "error", old: Version, next: Version): ReadonlyArray<Finding.Finding> =>
    CompareData.compare(old, next, { event, version }).map((one) => Finding.ofAnswer(part, one))
  const [old, next] = [before.error, after.error]
  return [
    ...compared("reply", before.reply, after.reply),
    ...(old !== null && next !== null ? compared("error", old, next) : []),
    ...(old !== null && next === null ? [Finding.make("errors-removed", { event, version })] : []),
    ...(old === null && next !== null ? [Finding.make("errors-added", { event, version })] : [])
  ]
}

const key = (
  event: string,
  before: Contract,
  after: Contract,
  isSameKey: IsSameKey
): ReadonlyArray<Finding.Finding> => {
  if (before.key === after.key || isSameKey(event, before, after) === true) return []
  return [
    Finding.make("key-changed", {
      event,
      version: after.version,
      before: before.key ?? "none",
      after: after.key ?? "none"
    })
  ]
}

const cache = (
  event: string,
  version: number,
  before: Cache | null,
  after: Cache | null
): ReadonlyArray<Finding.Finding> => {
  if (before === null) return []
  const off = (what: string) => Finding.make("cache-off", { event, version, before: what })
  if (after === null) return [off("the event")]
  const less = (was: string, is: string) => Finding.make("cache-less", { event, version, before: was, after: is })
  const found: Array<Finding.Finding> = []
  if (before.last && !after.last) found.push(off("the last known event"))
  if (before.history > 0 && after.history === 0) found.push(off("the history"))
  else if (before.perKey && !after.perKey) found.push(off("the history of each key"))
  else if (after.history < before.history) found.push(less(`a history of ${before.history}`, `one of ${after.history}`))
  const [was, is] = [before.timeToLiveMillis ?? Infinity, after.timeToLiveMillis ?? Infinity]
  if (after.last && is < was) found.push(less(was === Infinity ? "for ever" : `for ${was} ms`, `for ${is} ms`))
  return found
}

/** A field is protected by its own mark, and by that of a part that it is in. */
const sensitive = (event: string, before: Contract, after: Contract): ReadonlyArray<Finding.Finding> =>
  before.sensitive
    .filter((path) => !after.sensitive.some((mark) => mark === "" || path === mark || path.startsWith(`${mark}.`)))
    .filter((path) => hasPath(after, path))
    .map((path) => Finding.make("sensitive-removed", { event, version: after.version, field: path }))

/** Whether the newest version still has this field. */
const hasPath = ({ version, versions }: Contract, path: string): boolean => {
  const schema = versions[version]?.schema ?? {}
  return Shape.hasPath(schema, Shape.document(schema), path === "" ? [] : path.split("."))
}

const publishers = (
  event: string,
  version: number,
  before: Publishers | null,
  after: Publishers | null
): ReadonlyArray<Finding.Finding> => {
  const texts = { narrowed: new Array<string>(), widened: new Array<string>() }
  for (const what of ["roles", "statuses"] as const) {
    const [was, is] = [before?.[what] ?? null, after?.[what] ?? null]
    if (was === null && is !== null) texts.narrowed.push(`only the ${what} ${is.join(", ")} may publish`)
    if (was !== null && is === null) texts.widened.push(`all ${what} may publish`)
    if (was === null || is === null) continue
    const [gone, come] = [was.filter((one) => !is.includes(one)), is.filter((one) => !was.includes(one))]
    if (gone.length > 0) texts.narrowed.push(`the ${what} ${gone.join(", ")} may no longer publish`)
    if (come.length > 0) texts.widened.push(`the ${what} ${come.join(", ")} may publish, too`)
  }
  if (before?.hasCheck !== true && after?.hasCheck === true) texts.narrowed.push("a check decides who may publish")
  if (before?.hasCheck === true && after?.hasCheck !== true) texts.widened.push("no check decides any more")
  return [
    ...(texts.narrowed.length === 0
      ? []
      : [Finding.make("publishers-narrowed", { event, version, after: texts.narrowed.join("; ") })]),
    ...(texts.widened.length === 0
      ? []
      : [Finding.make("publishers-widened", { event, version, after: texts.widened.join("; ") })])
  ]
}
