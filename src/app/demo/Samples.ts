/**
 * Valid, plausible data for every event of the catalog, drawn from a random source, and somebody who
 * may publish it. Pure: the same source gives the same data.
 */
import { type PermittedName, permissions } from "../../catalog/index.ts"
import type { Actor } from "../../event/Actor.ts"
import type * as Event from "../../event/Event.ts"
import { learning } from "./LearningSamples.ts"
import { people } from "./PeopleSamples.ts"
import type { DataOf, Name, Random, SamplesOf } from "./University.ts"

export { type Random, seeded } from "./University.ts"

const samples: SamplesOf<string> = { ...learning, ...people }

/** Valid data of an event of the catalog. */
export const sample = <const N extends Name>(event: { readonly name: N }, random: Random): DataOf<N> =>
  samples[event.name](random)

/** Somebody who may publish this data by the table of permissions; undefined is the service itself. */
export const actorFor = (event: Event.Any & { readonly name: PermittedName }, data: object): Actor | undefined => {
  const ids = [...Object.values(data).filter((value): value is string => typeof value === "string"), "office"]
  return permissions[event.name].roles
    .filter((role) => role !== "service")
    .flatMap((role) => ids.map((id): Actor => ({ id, role, status: "active" })))
    .find((actor) => event.denial(actor, data) === undefined)
}
