/**
 * Valid, plausible data for every event of the catalog, drawn from a random source, and an actor who may publish it.
 * Pure: the same source gives the same data.
 */
import * as Predicate from "effect/Predicate"
import type { SeededRandom } from "../../bus/support/SeededRandom.ts"
import { type PermittedName, permissions } from "../../catalog/index.ts"
import type { Actor } from "../../event/Actor.ts"
import type * as Event from "../../event/Event.ts"
import { academicSamples } from "./AcademicSamples.ts"
import { peopleSamples } from "./PeopleSamples.ts"
import type { DataOf, Name, SamplesOf } from "./University.ts"

const samples: SamplesOf<string> = { ...academicSamples, ...peopleSamples }

/** Valid data of an event of the catalog. */
export const sample = <const N extends Name>(event: { readonly name: N }, random: SeededRandom): DataOf<N> =>
  samples[event.name](random)

/** An actor who may publish this data by the table of permissions; undefined stands for the service itself. */
export const actorFor = (event: Event.Any & { readonly name: PermittedName }, data: object): Actor | undefined => {
  const ids = [...Object.values(data).filter(Predicate.isString), "office"]
  return permissions[event.name].roles
    .filter((role) => role !== "service")
    .flatMap((role) => ids.map((id): Actor => ({ id, role, status: "active" })))
    .find((actor) => event.denial(actor, data) === undefined)
}
