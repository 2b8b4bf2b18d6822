/** A subscriber over all of its processes, as they show themselves. */
import type * as Client from "./Client.ts"
import type { CellText, Tone } from "./Table.ts"

type Subscriber = Client.Process["subscribers"][number]
export type Held = Subscriber & { readonly of: Client.Process }

/** A subscriber over all of its processes. */
export interface Whole {
  readonly name: string
  readonly held: ReadonlyArray<Held>
  readonly pause: Client.Ps["paused"][number] | undefined
}

export const wholeOf = ({ paused, processes }: Client.Ps): ReadonlyArray<Whole> => {
  const found = new Map<string, Array<Held>>(paused.map(({ subscriber }) => [subscriber, []]))
  for (const process of processes)
    for (const one of process.subscribers)
      found.set(one.name, [...(found.get(one.name) ?? []), { ...one, of: process }])
  return [...found]
    .map(([name, held]) => ({ name, held, pause: paused.find(({ subscriber }) => subscriber === name) }))
    .toSorted((one, other) => one.name.localeCompare(other.name))
}

export const sum = ({ held }: Whole, of: (one: Held) => number): number =>
  held.reduce((total, one) => total + of(one), 0)
export const lagOf = ({ held }: Whole): number | null =>
  held.reduce<number | null>((most, { lag }) => (lag === null ? most : Math.max(most ?? 0, lag)), null)

export const toneOf = (status: string): Tone =>
  status === "Running" ? "good" : status === "Paused" || status === "Starting" ? "warn" : "bad"

export const statusOf = ({ held, pause }: Whole): CellText => {
  if (pause !== undefined) return { text: "Paused by an operator", tone: "warn" }
  const others = held.find(({ status }) => status !== "Running")
  if (others !== undefined) return { text: others.status, tone: toneOf(others.status) }
  return held.length === 0 ? { text: "No process", tone: "dim" } : { text: "Running", tone: "good" }
}
