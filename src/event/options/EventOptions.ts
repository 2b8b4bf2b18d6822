/** The options of `Event.make`, and what is wrong with them. */
import type * as Duration from "effect/Duration"
import type { Publishers } from "../Actor.ts"
import type { CacheSettings } from "../CacheSettings.ts"
import { EventDefinitionError } from "../EventError.ts"
import {
  type AnySchema,
  type DataSchema,
  type InputOf,
  isEffectSchema,
  isStandardSchema,
  type OutputOf,
  type SensitivePath
} from "../standard/StandardSchema.ts"
import * as Lifetime from "./Lifetime.ts"
import * as Kinds from "./OptionKinds.ts"

export interface Options<S extends AnySchema, Role extends string, Status extends string> {
  /** A schema of Effect, or any Standard Schema, such as one of zod, valibot or arktype. */
  readonly data: S
  /**
   * The key that orders and caches the event: events of one key are the history of one thing. At most 255 bytes.
   * Publishers and subscribers both compute it, so it holds for events of other programs, too.
   */
  readonly key?: (data: OutputOf<S>) => string
  /** Who may publish the event. Default: everyone. */
  readonly publishers?: Publishers<OutputOf<S>, Role, Status>
  /** What the cache remembers; `false` is nothing. Default: the last known event of each key and 100 past events. */
  readonly cache?: CacheSettings | false
  /**
   * How long after its publish the event may be handled, where the publish has no `expiresAfter` of its own. From 1 millisecond
   * to 3650 days. Default: for ever.
   */
  readonly expiresAfter?: Duration.Input
  /**
   * The paths of sensitive fields of a Standard Schema, which has no marks: `email`, `items.*.token`. `*` is any element or
   * key. They hold for every version. Fields of a schema of Effect are marked with `sensitive`.
   */
  readonly sensitive?: ReadonlyArray<SensitivePath<S>>
}

/** Converts data of the version `From` to data of the version `To`. An error of the compiler names both. */
export interface Upcaster<_From extends number, _To extends number, in Old, out New> {
  (data: Old): New
}

/** An older version. `up` converts its data to what the schema of the next version takes. */
export interface Previous<Version extends number, S extends AnySchema, Next, To extends number = number> {
  readonly version: Version
  readonly data: S
  readonly up: Upcaster<Version, To, OutputOf<S>, Next>
}

type Following = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16"]
type VersionOf = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]
type At<T, K> = K extends keyof T ? T[K] : never
type InputAt<S> = S extends AnySchema ? InputOf<S> : never
type NextOf<P, K, Newest> = At<Following, K> extends keyof P ? InputAt<P[At<Following, K>]> : Newest

/** Every older version from 1 up, each `up` returning what the schema of the one after it takes. */
export type Chain<P extends ReadonlyArray<AnySchema>, Newest> = {
  readonly [K in keyof P]: Previous<
    At<VersionOf, K> & number,
    P[K],
    NextOf<P, K, Newest>,
    At<VersionOf, At<Following, K>> & number
  >
}

/** The version after all older ones; any where none is listed. */
export type NewestOf<P extends ReadonlyArray<AnySchema>> = P["length"] extends 0
  ? number
  : At<VersionOf, `${P["length"]}`>

const schemaOf: Kinds.Kind = { expected: "a schema of effect 4, or a Standard Schema", holds: () => true }
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
  expiresAfter: Lifetime.kind,
  sensitive: namesOf("paths"),
  previous: Kinds.listOf(
    Kinds.record({
      version: Kinds.required(Kinds.number),
      data: Kinds.required(schemaOf),
      up: Kinds.required(Kinds.func)
    }),
    "a list of older versions"
  )
} satisfies Kinds.KindsOf<Options<DataSchema, string, string> & { version: unknown; previous: unknown }>

/**
 * The compiler does not see a misspelled name in options that are spread, and an unread `publishers` would allow
 * everybody.
 */
export const checkOptions = (event: string, options: unknown): void => {
  const fault = Kinds.faultOf(options, kinds)
  if (fault === undefined) return
  const { option, problem, remedy } = fault
  throw new EventDefinitionError({ event, problem: `\`${option}\`: ${problem}`, remedy })
}

export const checkReserved = (name: string): void => {
  if (name !== "bus" && !name.startsWith("bus.")) return
  throw new EventDefinitionError({
    event: name,
    problem: 'names that start with "bus." are reserved for the runtime',
    remedy: "Choose another first word"
  })
}

export const checkSchema = (event: string, schema: unknown): void => {
  if (isEffectSchema(schema) || isStandardSchema(schema)) return
  throw new EventDefinitionError({
    event,
    problem: "`data` is neither a schema of effect 4 nor a Standard Schema",
    remedy:
      "Use Schema of the package effect that @eduflow/events is installed with (`npm ls effect` shows it), or a library of https://standardschema.dev"
  })
}

/** A path that nobody reads would hide nothing. */
export const checkSensitive = (event: string, schema: AnySchema, paths: ReadonlyArray<string>): void => {
  const refuse = (problem: string, remedy: string): never => {
    throw new EventDefinitionError({ event, problem, remedy })
  }
  if (paths.length > 0 && isEffectSchema(schema))
    refuse(
      "`sensitive` has paths, and `data` is a schema of Effect",
      "Mark its fields: `email: sensitive(Schema.String)`"
    )
  for (const path of paths)
    if (path.split(".").includes(""))
      refuse(
        `the path "${path}" in \`sensitive\` has an empty part`,
        "Write names between dots, `*` for any element or key"
      )
}

export const checkVersions = (
  name: string,
  version: number,
  previous: ReadonlyArray<{ readonly version: number }>
): void => {
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
