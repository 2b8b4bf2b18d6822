/** Every difference of two snapshots, also those that harm nobody, for people. */
import type { Snapshot } from "./Snapshot.ts"

export interface Change {
  readonly event: string
  readonly path: string
  /** Null where it was not, or is not any more. */
  readonly before: string | null
  readonly after: string | null
}

export const changes = (before: Snapshot, after: Snapshot): ReadonlyArray<Change> =>
  [...new Set([...Object.keys(before.events), ...Object.keys(after.events)])].toSorted().flatMap((event) => {
    const [was, is] = [before.events[event], after.events[event]].map((one) => new Map(leaves(one, "")))
    const paths = [...new Set([...(was?.keys() ?? []), ...(is?.keys() ?? [])])].toSorted()
    // An event that comes or goes as a whole is one change.
    if (was?.size === 0) return [{ event, path: "", before: null, after: "the event" }]
    if (is?.size === 0) return [{ event, path: "", before: "the event", after: null }]
    return paths
      .filter((path) => was?.get(path) !== is?.get(path))
      .map((path) => ({ event, path, before: was?.get(path) ?? null, after: is?.get(path) ?? null }))
  })

/** Each value by its path. Lists of values are one. */
const leaves = (value: unknown, path: string): ReadonlyArray<readonly [string, string]> => {
  if (value === undefined) return []
  if (typeof value !== "object" || value === null) return [[path, JSON.stringify(value)]]
  if (Array.isArray(value) && value.every((one) => typeof one !== "object")) return [[path, JSON.stringify(value)]]
  return Object.entries(value).flatMap(([key, below]) => leaves(below, path === "" ? key : `${path}.${key}`))
}
