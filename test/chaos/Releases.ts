/** The code of a subscriber from release to release: which events it handles, up to which version. */
import { Schema } from "effect"
import { Event } from "../../src/index.ts"
import type { Group } from "./ProcessOptions.ts"

export interface Release {
  /** Whether it handles cancellations. */
  readonly cancels: boolean
  /** Whether it did, and never will again. */
  readonly retires: boolean
  /** The newest version of a placement that it knows. */
  readonly version: 1 | 2 | 3
  /** Under which name its unordered subscriber runs: the old one, the new one by key, or both. */
  readonly naming: "old" | "both" | "new"
}

export const firstRelease: Release = { cancels: false, retires: false, version: 1, naming: "old" }

/** Without order, under its new name by key, and one that is by key from the beginning. */
export const oldName: Group = { name: "chaos.deployed", events: "deployed", ordering: "none", idempotent: false }
export const newName: Group = { ...oldName, name: "chaos.renamed", ordering: "key", also: oldName.name }
const byKey: Group = { ...oldName, name: "chaos.deployed-by-key", ordering: "key" }

export const deployed: ReadonlyArray<Group> = [{ ...oldName, also: newName.name }, byKey]

/** The subscribers of a release. */
export const groupsOf = ({ naming }: Release): ReadonlyArray<Group> => [
  ...(naming === "new" ? [] : [oldName]),
  ...(naming === "old" ? [] : [newName]),
  byKey
]

const data = Schema.Struct({ key: Schema.String, seq: Schema.Finite, ms: Schema.Finite })
type Data = typeof data.Type
const key = (order: Data): string => order.key
const up = (old: Data): Data => old
const previous = (version: number) => ({ version, data, up })

const Cancelled = Event.make("chaos.cancelled", { version: 1, data, key })
const Placed1 = Event.make("chaos.placed", { version: 1, data, key })
const Placed2 = Event.make("chaos.placed", { version: 2, data, key, previous: [{ ...previous(1), version: 1 }] })
const Placed3 = Event.make("chaos.placed", {
  version: 3,
  data,
  key,
  previous: [
    { ...previous(1), version: 1 },
    { ...previous(2), version: 2 }
  ]
})

const placed = { 1: Placed1, 2: Placed2, 3: Placed3 } as const

export const retiredOf = ({ retires }: Release) => (retires ? [Cancelled] : [])
export const eventsOf = ({ cancels, version }: Release) => [placed[version], ...(cancels ? [Cancelled] : [])]
