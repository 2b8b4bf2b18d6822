/**
 * A contract for one kind of event: its name, its version and data, the key that orders and caches
 * it, how older versions become the newest, and who may publish it. A contract is data: defining one
 * does no I/O, and publishing or subscribing is the bus's business.
 */
import { type Actor, denial, type Publishers } from "./Actor.ts"
import * as Contract from "./Contract.ts"
import { EventDefinitionError } from "./EventError.ts"
import { nameFault } from "./Name.ts"

export const TypeId = "~@eduflow/events/Event"

/** What the cache remembers of an event; `false` is nothing. */
export interface CacheSettings {
  /** Keep the last known event per key. Default true. */
  readonly last?: boolean
  /** Milliseconds after which the last known event is forgotten. Default: never. */
  readonly ttl?: number
  /** How many past events to keep. Default 100. */
  readonly history?: number
  /** Whether a history of its own is kept for each key. Default false. */
  readonly perKey?: boolean
}

/** Any event, with the type of its data left open. */
export interface Any {
  readonly [TypeId]: typeof TypeId
  readonly name: string
  readonly version: number
  /** Type of the data; it exists for the compiler only. */
  readonly Type: unknown
  readonly schema: Contract.DataSchema
  readonly cache: CacheSettings | false
  /** Whether the contract says who may publish. */
  readonly declaresPublishers: boolean
  /** The key of valid data. */
  readonly keyOf: (data: unknown) => string | undefined
  /** Why the actor may not publish this data, or undefined when it may. */
  readonly denial: (actor: Actor | undefined, data: unknown) => string | undefined
  readonly contract: Contract.Contract
}

export interface Event<out Name extends string, out A> extends Any {
  readonly name: Name
  readonly Type: A
}

/** The data of an event. */
export type Data<E extends Any> = E["Type"]

interface Options<S extends Contract.DataSchema, Role extends string, Status extends string> {
  readonly data: S
  /** Orders, caches and partitions: events of one key are one thing's history. At most 255 bytes. */
  readonly key?: (data: S["Type"]) => string
  readonly publishers?: Publishers<S["Type"], Role, Status>
  readonly cache?: CacheSettings | false
}

/** An older version: `up` makes the data of the next version of it. */
export interface Previous<Version extends number, S extends Contract.DataSchema, Next> {
  readonly version: Version
  readonly data: S
  readonly up: (data: S["Type"]) => Next
}

type Following = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16"]
type VersionOf = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]
type At<T, K> = K extends keyof T ? T[K] : never
type NextOf<P, K, Newest> = At<Following, K> extends keyof P ? At<P[At<Following, K>], "Type"> : Newest

/** Every older version from 1 up, each `up` returning the data of the one after it. */
type Chain<P extends ReadonlyArray<Contract.DataSchema>, Newest> = {
  readonly [K in keyof P]: Previous<At<VersionOf, K> & number, P[K], NextOf<P, K, Newest>>
}

/**
 * Defines an event. Throws `EventDefinitionError` when the name or the versions are wrong.
 *
 * @example
 * ```ts
 * import { Event } from "@eduflow/events"
 * import { Schema } from "effect"
 *
 * export const GradePosted = Event.make("academic.grade.posted", {
 *   version: 2,
 *   data: Schema.Struct({ studentId: Schema.String, grade: Schema.Finite, scale: Schema.String }),
 *   key: (grade) => grade.studentId,
 *   previous: [{
 *     version: 1,
 *     data: Schema.Struct({ studentId: Schema.String, grade: Schema.Finite }),
 *     up: (old) => ({ ...old, scale: "percent" })
 *   }]
 * })
 * ```
 */
export const make: {
  <
    const Name extends string,
    S extends Contract.DataSchema,
    const P extends ReadonlyArray<Contract.DataSchema>,
    Role extends string = string,
    Status extends string = string
  >(
    name: Name,
    options: Options<S, Role, Status> & {
      readonly version: At<VersionOf, `${P["length"]}`>
      readonly previous: Chain<P, S["Type"]>
    }
  ): Event<Name, S["Type"]>
  <
    const Name extends string,
    S extends Contract.DataSchema,
    Role extends string = string,
    Status extends string = string
  >(
    name: Name,
    options: Options<S, Role, Status> & { readonly version: number }
  ): Event<Name, S["Type"]>
} = (
  name: string,
  options: Options<Contract.DataSchema, string, string> & {
    readonly version: number
    readonly previous?: ReadonlyArray<Previous<number, Contract.DataSchema, unknown>>
  }
) => {
  if (name === "bus" || name.startsWith("bus.")) {
    throw new EventDefinitionError({
      event: name,
      problem: 'names below "bus." belong to the runtime',
      remedy: "Choose another first word"
    })
  }
  return define(name, options)
}

/** The runtime's own events are defined past the reservation of `bus.*`. */
export const define = <const Name extends string, S extends Contract.DataSchema>(
  name: Name,
  options: Options<S, string, string> & {
    readonly version: number
    readonly previous?: ReadonlyArray<Previous<number, Contract.DataSchema, unknown>>
  }
): Event<Name, S["Type"]> => {
  const fault = nameFault(name)
  if (fault !== undefined) {
    throw new EventDefinitionError({ event: name, problem: fault, remedy: "Use words of a-z, 0-9 and - between dots" })
  }
  const previous = options.previous ?? []
  checkVersions(name, options.version, previous)
  const { key, publishers } = options
  return {
    [TypeId]: TypeId,
    name,
    version: options.version,
    // Phantom: read by the compiler alone, see Any.Type.
    Type: undefined,
    schema: options.data,
    cache: options.cache ?? {},
    declaresPublishers: publishers !== undefined,
    keyOf: key ?? noKey,
    denial: publishers === undefined ? allowed : (actor, data) => denial(publishers, actor, data),
    contract: Contract.make(name, options.version, options.data, previous)
  }
}

const noKey = (): undefined => undefined
const allowed = (): undefined => undefined

const checkVersions = (name: string, version: number, previous: ReadonlyArray<{ readonly version: number }>): void => {
  const wrong = (problem: string): never => {
    throw new EventDefinitionError({
      event: name,
      problem,
      remedy:
        "Versions are whole numbers from 1 up; `previous` lists every older one in order, from 1 to the one before `version`"
    })
  }
  if (!Number.isSafeInteger(version) || version < 1) wrong(`version ${version} is not a whole number from 1 up`)
  previous.forEach((old, i) => {
    if (old.version !== i + 1) wrong(`previous[${i}] has version ${old.version} where ${i + 1} is expected`)
  })
  if (previous.length > 0 && previous.length !== version - 1) {
    wrong(`\`previous\` ends at version ${previous.length}, which is not the one before ${version}`)
  }
}
