/**
 * The contract of one kind of event: its name, its version and data, the key that it is ordered and cached by, how
 * older versions become the newest, and who may publish it. A contract is data: defining one does no I/O.
 */
import * as Predicate from "effect/Predicate"
import type * as Schema from "effect/Schema"
import { type Actor, denial, type Publishers } from "./Actor.ts"
import { type CachePolicy, type CacheSettings, toPolicy } from "./CacheSettings.ts"
import * as DataCodec from "./DataCodec.ts"
import { EventDefinitionError } from "./EventError.ts"
import { nameFault } from "./Name.ts"
import * as Kinds from "./options/OptionKinds.ts"
import { modules } from "./SchemaModule.ts"

export type { CachePolicy, CacheSettings } from "./CacheSettings.ts"

export const TypeId = "~@eduflow/events/Event"

/** Any event, with the type of its data left open. */
export interface Any {
  readonly [TypeId]: typeof TypeId
  readonly name: string
  readonly version: number
  /** The type of the data. It exists at compile time only. */
  readonly Type: unknown
  readonly schema: DataCodec.DataSchema
  /** What the cache remembers of it; `false` is nothing. */
  readonly cache: CachePolicy | false
  /** Whether the contract says who may publish. */
  readonly declaresPublishers: boolean
  /** Who may publish, as far as it is data; undefined is everyone. `denial` decides. */
  readonly publishers: DeclaredPublishers | undefined
  /** Every older version, from 1 up. */
  readonly previous: ReadonlyArray<DataCodec.PreviousVersion>
  /** Whether the contract says what the key is. If it does not, the publisher may give one. */
  readonly declaresKey: boolean
  /** The key of valid data, if the contract declares one. */
  readonly keyOf: (data: unknown) => string | undefined
  /** Why the actor may not publish this data; undefined if it may. */
  readonly denial: (actor: Actor | undefined, data: unknown) => string | undefined
  readonly dataCodec: DataCodec.DataCodec
}

/** The part of `publishers` that can be written down. */
export interface DeclaredPublishers {
  readonly roles: ReadonlyArray<string> | undefined
  readonly statuses: ReadonlyArray<string> | undefined
  /** Whether a check decides, too. */
  readonly hasCheck: boolean
}

/** A contract with the name `Name` and data of type `A`. */
export interface Event<out Name extends string, out A> extends Any {
  readonly name: Name
  readonly Type: A
}

/** The data of an event. */
export type Data<E extends Any> = E["Type"]

interface Options<S extends DataCodec.DataSchema, Role extends string, Status extends string> {
  readonly data: S
  /**
   * The key that orders and caches the event: events of one key are the history of one thing. At most 255 bytes.
   * Publishers and subscribers both compute it, so it holds for events of other programs, too.
   */
  readonly key?: (data: S["Type"]) => string
  /** Who may publish the event. Default: everyone. */
  readonly publishers?: Publishers<S["Type"], Role, Status>
  /** What the cache remembers; `false` is nothing. Default: the last known event of each key and 100 past events. */
  readonly cache?: CacheSettings | false
}

/** Converts data of the version `From` to data of the version `To`. An error of the compiler names both. */
export interface Upcaster<_From extends number, _To extends number, in Old, out New> {
  (data: Old): New
}

/** An older version. `up` converts its data to data of the next version. */
export interface Previous<Version extends number, S extends DataCodec.DataSchema, Next, To extends number = number> {
  readonly version: Version
  readonly data: S
  readonly up: Upcaster<Version, To, S["Type"], Next>
}

type Following = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16"]
type VersionOf = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]
type At<T, K> = K extends keyof T ? T[K] : never
type NextOf<P, K, Newest> = At<Following, K> extends keyof P ? At<P[At<Following, K>], "Type"> : Newest

/** Every older version from 1 up, each `up` returning the data of the one after it. */
type Chain<P extends ReadonlyArray<DataCodec.DataSchema>, Newest> = {
  readonly [K in keyof P]: Previous<
    At<VersionOf, K> & number,
    P[K],
    NextOf<P, K, Newest>,
    At<VersionOf, At<Following, K>> & number
  >
}

/** The version after all older ones; any where none is listed. */
type NewestOf<P extends ReadonlyArray<DataCodec.DataSchema>> = P["length"] extends 0
  ? number
  : At<VersionOf, `${P["length"]}`>

/**
 * Defines an event. Throws `EventDefinitionError` if the name, an option or the versions are invalid.
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
export const make: <
  const Name extends string,
  S extends DataCodec.DataSchema,
  const P extends ReadonlyArray<DataCodec.DataSchema> = readonly [],
  Role extends string = string,
  Status extends string = string
>(
  name: Name,
  options: Options<S, Role, Status> & {
    readonly version: NewestOf<P>
    readonly previous?: Chain<P, S["Type"]>
  }
) => Event<Name, S["Type"]> = <const Name extends string, S extends DataCodec.DataSchema>(
  name: Name,
  options: Options<S, string, string> & {
    readonly version: number
    readonly previous?: ReadonlyArray<Previous<number, DataCodec.DataSchema, unknown>>
  }
) => {
  if (name === "bus" || name.startsWith("bus.")) {
    throw new EventDefinitionError({
      event: name,
      problem: 'names that start with "bus." are reserved for the runtime',
      remedy: "Choose another first word"
    })
  }
  return define(name, options)
}

/** Like `make`, but allows the reserved names `bus.*`: the runtime defines its own events with it. */
export const define = <const Name extends string, S extends DataCodec.DataSchema>(
  name: Name,
  options: Options<S, string, string> & {
    readonly version: number
    readonly previous?: ReadonlyArray<Previous<number, DataCodec.DataSchema, unknown>>
  }
): Event<Name, S["Type"]> => {
  const fault = nameFault(name)
  if (fault !== undefined) {
    throw new EventDefinitionError({ event: name, problem: fault, remedy: "Use words of a-z, 0-9 and - between dots" })
  }
  checkOptions(name, options)
  const previous = options.previous ?? []
  for (const schema of [options.data, ...previous.map(({ data }) => data)]) checkSchema(name, schema)
  checkVersions(name, options.version, previous)
  const { key, publishers } = options
  return {
    [TypeId]: TypeId,
    name,
    version: options.version,
    // Exists at compile time only, see Any.Type.
    Type: undefined,
    schema: options.data,
    cache: options.cache === false ? false : toPolicy(options.cache ?? {}),
    declaresPublishers: publishers !== undefined,
    publishers: publishers && {
      roles: publishers.roles,
      statuses: publishers.statuses,
      hasCheck: publishers.check !== undefined
    },
    previous,
    declaresKey: key !== undefined,
    keyOf: key ?? noKey,
    denial: publishers === undefined ? allowed : (actor, data) => denial(publishers, actor, data),
    dataCodec: DataCodec.make(name, options.version, options.data, previous)
  }
}

/** An event of the runtime. Its schema is made when it is first needed, so that defining the event does not load Schema. */
export const defineRuntime = <const Name extends string, S extends DataCodec.DataSchema>(
  name: Name,
  version: number,
  data: (schema: typeof Schema) => S
): Event<Name, S["Type"]> => {
  let made: Event<Name, S["Type"]> | undefined
  const event = (): Event<Name, S["Type"]> =>
    (made ??= define(name, { version, data: data(modules().Schema), cache: false }))
  return {
    [TypeId]: TypeId,
    name,
    version,
    Type: undefined,
    get schema() {
      return event().schema
    },
    cache: false,
    declaresPublishers: false,
    publishers: undefined,
    previous: [],
    declaresKey: false,
    keyOf: noKey,
    denial: allowed,
    get dataCodec() {
      return event().dataCodec
    }
  }
}

const noKey = (): undefined => undefined
const allowed = (): undefined => undefined

const schemaOf: Kinds.Kind = { expected: "a schema of effect 4", holds: () => true }
const namesOf = (what: string): Kinds.Kind => Kinds.listOf(Kinds.text, `a list of ${what}`)
const isFalse = (value: unknown): boolean => value === false

const kinds: Kinds.Kinds = {
  version: Kinds.required(Kinds.number),
  // What it is exactly is checked below, with an error of its own.
  data: Kinds.required(schemaOf),
  key: Kinds.func,
  publishers: Kinds.record({
    roles: namesOf("roles"),
    statuses: namesOf("statuses"),
    check: Kinds.func
  } satisfies Kinds.KindsOf<Publishers<unknown>>),
  cache: Kinds.or(
    Kinds.record({
      last: Kinds.bool,
      timeToLive: Kinds.duration,
      history: Kinds.whole,
      perKey: Kinds.bool
    } satisfies Kinds.KindsOf<CacheSettings>),
    "false",
    isFalse
  ),
  previous: Kinds.listOf(
    Kinds.record({
      version: Kinds.required(Kinds.number),
      data: Kinds.required(schemaOf),
      up: Kinds.required(Kinds.func)
    }),
    "a list of older versions"
  )
} satisfies Kinds.KindsOf<Options<DataCodec.DataSchema, string, string> & { version: unknown; previous: unknown }>

/**
 * The compiler does not see a misspelled name in options that are spread, and an unread `publishers` would allow
 * everybody.
 */
const checkOptions = (event: string, options: unknown): void => {
  const fault = Kinds.faultOf(options, kinds)
  if (fault === undefined) return
  const { option, problem, remedy } = fault
  throw new EventDefinitionError({ event, problem: `\`${option}\`: ${problem}`, remedy })
}

const checkSchema = (event: string, schema: unknown): void => {
  // The key by which Effect 4 recognises its schemas, of any copy of it.
  if (Predicate.hasProperty(schema, "~effect/Schema/Schema")) return
  throw new EventDefinitionError({
    event,
    problem: "`data` is not a schema of effect 4",
    remedy: "Use Schema of the package effect that @eduflow/events is installed with: `npm ls effect` shows it"
  })
}

const checkVersions = (name: string, version: number, previous: ReadonlyArray<{ readonly version: number }>): void => {
  const refuse = (problem: string): never => {
    throw new EventDefinitionError({
      event: name,
      problem,
      remedy:
        "Versions are whole numbers from 1 up; `previous` lists every older one in order, from 1 to the one before `version`"
    })
  }
  if (!Number.isSafeInteger(version) || version < 1) refuse(`version ${version} is not a whole number from 1 up`)
  previous.forEach((old, i) => {
    if (old.version !== i + 1) refuse(`previous[${i}] has version ${old.version} where ${i + 1} is expected`)
  })
  if (previous.length > 0 && previous.length !== version - 1) {
    refuse(`\`previous\` ends at version ${previous.length}, which is not the one before ${version}`)
  }
}
