/**
 * The contract of one kind of event: its name, its version and data, the key that it is ordered and cached by, how
 * older versions become the newest, and who may publish it. A contract is data: defining one does no I/O.
 */
import type * as Duration from "effect/Duration"
import * as Predicate from "effect/Predicate"
import type * as Schema from "effect/Schema"
import { type Actor, denial, type Publishers } from "./Actor.ts"
import { type CachePolicy, type CacheSettings, toPolicy } from "./CacheSettings.ts"
import * as DataCodec from "./DataCodec.ts"
import { EventDefinitionError } from "./EventError.ts"
import { nameFault } from "./Name.ts"
import type { Answering } from "./options/Answering.ts"
import * as EventOptions from "./options/EventOptions.ts"
import { millisOf } from "./options/OptionNames.ts"
import { modules } from "./SchemaModule.ts"
import * as StandardCodec from "./standard/StandardCodec.ts"
import {
  type AnySchema,
  type DataSchema,
  type InputOf,
  isEffectSchema,
  type OutputOf,
  type SentOf
} from "./standard/StandardSchema.ts"

export type { CachePolicy, CacheSettings } from "./CacheSettings.ts"
export type { Previous, Upcaster } from "./options/EventOptions.ts"
export type { AnySchema, StandardSchema } from "./standard/StandardSchema.ts"

export const TypeId = "~@eduflow/events/Event"

/** Any event, with the type of its data left open. */
export interface Any {
  readonly [TypeId]: typeof TypeId
  readonly name: string
  readonly version: number
  /** The type of the data. It exists at compile time only. */
  readonly Type: unknown
  /** The type of what a publish takes: of a Standard Schema the input, and the same as `Type` otherwise. */
  readonly Input: unknown
  readonly schema: AnySchema
  /** What the cache remembers of it; `false` is nothing. */
  readonly cache: CachePolicy | false
  /** How long after its publish it may be handled, in milliseconds; undefined is for ever. */
  readonly expiresAfter: number | undefined
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
  /** The routing key of an event of the runtime that is for one process. Absent: the name. */
  readonly route?: string
}

/** The part of `publishers` that can be written down. */
export interface DeclaredPublishers {
  readonly roles: ReadonlyArray<string> | undefined
  readonly statuses: ReadonlyArray<string> | undefined
  /** Whether a check decides, too. */
  readonly hasCheck: boolean
}

/** A contract with the name `Name` and data of type `A`; a publish takes data of type `I`. */
export interface Event<out Name extends string, out A, out I = A> extends Any {
  readonly name: Name
  readonly Type: A
  readonly Input: I
}

/** Any request, with the types of its data and answers left open. */
export interface AnyRequest extends Any, Answering<unknown, unknown, unknown, unknown> {}

/** A request with the name `Name` and data of type `A`, answered by a `Reply` or an `Error`. */
export interface Request<
  out Name extends string,
  out A,
  out I,
  out Reply,
  out Error,
  out ReplyInput = Reply,
  out ErrorInput = Error
>
  extends Event<Name, A, I>, Answering<Reply, Error, ReplyInput, ErrorInput> {}

/** Whether a contract is that of a request. Callers come from outside of TypeScript too. */
export const isRequest = (event: unknown): event is AnyRequest =>
  Predicate.hasProperty(event, "answers") && Predicate.isObject(event.answers)

/** The data of an event. */
export type Data<E extends Any> = E["Type"]

/** What a publish of an event takes. */
export type Input<E extends Any> = E["Input"]

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
  S extends AnySchema,
  const P extends ReadonlyArray<AnySchema> = readonly [],
  Role extends string = string,
  Status extends string = string
>(
  name: Name,
  options: EventOptions.Options<S, Role, Status> & {
    readonly version: EventOptions.NewestOf<P>
    readonly previous?: EventOptions.Chain<P, InputOf<S>>
  }
) => Event<Name, OutputOf<S>, SentOf<S>> = <const Name extends string, A, I>(name: Name, options: Loose) => {
  EventOptions.checkReserved(name)
  return define<Name, A, I>(name, options)
}

/**
 * Defines a request: an event whose subscribers answer it, with `Subscriber.reply`, and whose publisher waits for the answer,
 * with `bus.request`. It has the options of `make`, the schema of its `reply` and, if there are errors that an asker should
 * know, that of its `error`. The cache remembers nothing of it unless `cache` says so. Throws `EventDefinitionError` like `make`.
 *
 * @example
 * ```ts
 * import { Event } from "@eduflow/events"
 * import { Schema } from "effect"
 *
 * export class NoSuchCourse extends Schema.TaggedError<NoSuchCourse>()("NoSuchCourse", { courseId: Schema.String }) {}
 *
 * export const SeatsLeft = Event.request("academic.course.seats-left", {
 *   version: 1,
 *   data: Schema.Struct({ courseId: Schema.String }),
 *   reply: Schema.Struct({ seats: Schema.Int }),
 *   error: NoSuchCourse
 * })
 * ```
 */
export const request: <
  const Name extends string,
  S extends AnySchema,
  Reply extends AnySchema,
  const P extends ReadonlyArray<AnySchema> = readonly [],
  Failure extends AnySchema = never,
  Role extends string = string,
  Status extends string = string
>(
  name: Name,
  options: EventOptions.Options<S, Role, Status> & {
    readonly version: EventOptions.NewestOf<P>
    readonly previous?: EventOptions.Chain<P, InputOf<S>>
    readonly reply: Reply
    readonly error?: Failure
  }
) => Request<Name, OutputOf<S>, SentOf<S>, OutputOf<Reply>, OutputOf<Failure>, InputOf<Reply>, InputOf<Failure>> = <
  const Name extends string,
  A,
  I,
  Reply,
  Failure,
  ReplyInput,
  FailureInput
>(
  name: Name,
  { error, reply, ...own }: Loose & { readonly reply: AnySchema; readonly error?: AnySchema }
) => {
  EventOptions.checkReserved(name)
  for (const schema of error === undefined ? [reply] : [reply, error]) EventOptions.checkSchema(name, schema)
  const contract = define<Name, A, I>(name, { cache: false, ...own })
  const codec = (schema: AnySchema): DataCodec.DataCodec => codecOf(name, own.version, schema, [], [])
  const answers = { reply: codec(reply), replySchema: reply, error: error && codec(error), errorSchema: error }
  const types = { Reply: undefined, Error: undefined, ReplyInput: undefined, ErrorInput: undefined }
  // `types` exist at compile time only, see Answering.
  return { ...contract, answers, ...types } as unknown as Request<Name, A, I, Reply, Failure, ReplyInput, FailureInput>
}

/** The options of any schema. `make` says which of them belong together. */
interface Loose {
  readonly version: number
  readonly data: AnySchema
  readonly key?: (data: never) => string
  readonly publishers?: Publishers<never>
  readonly cache?: CacheSettings | false
  readonly expiresAfter?: Duration.Input
  readonly sensitive?: ReadonlyArray<string>
  readonly previous?: ReadonlyArray<DataCodec.PreviousVersion>
}

/** Like `make`, but allows the reserved names `bus.*`: the runtime defines its own events with it. */
export const define = <const Name extends string, A, I = A>(name: Name, options: Loose): Event<Name, A, I> => {
  const fault = nameFault(name)
  if (fault !== undefined) {
    throw new EventDefinitionError({ event: name, problem: fault, remedy: "Use words of a-z, 0-9 and - between dots" })
  }
  EventOptions.checkOptions(name, options)
  const { data, previous = [], sensitive = [], version } = options
  // They are called with what the codec has read, or accepted, as data of this contract.
  const key = options.key as ((data: unknown) => string) | undefined
  const publishers = options.publishers as Publishers<unknown> | undefined
  for (const schema of [data, ...previous.map((old) => old.data)]) EventOptions.checkSchema(name, schema)
  EventOptions.checkVersions(name, version, previous)
  EventOptions.checkSensitive(name, data, sensitive)
  const contract: Any & { readonly name: Name } = {
    [TypeId]: TypeId,
    name,
    version,
    Type: undefined,
    Input: undefined,
    schema: data,
    cache: options.cache === false ? false : toPolicy(options.cache ?? {}),
    expiresAfter: options.expiresAfter === undefined ? undefined : Math.floor(millisOf(options.expiresAfter)),
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
    dataCodec: codecOf(name, version, data, previous, sensitive)
  }
  // `Type` and `Input` exist at compile time only, see Any.
  return contract as Event<Name, A, I>
}

const codecOf = (
  name: string,
  version: number,
  data: AnySchema,
  previous: ReadonlyArray<DataCodec.PreviousVersion>,
  sensitive: ReadonlyArray<string>
): DataCodec.DataCodec =>
  isEffectSchema(data) && previous.every(hasEffectSchema)
    ? DataCodec.make(name, version, data, previous)
    : StandardCodec.make(name, version, data, previous, sensitive)

const hasEffectSchema = (old: DataCodec.PreviousVersion): old is DataCodec.PreviousVersion<DataSchema> =>
  isEffectSchema(old.data)

/** An event of the runtime. Its schema is made when it is first needed, so that defining the event does not load Schema. */
export const defineRuntime = <const Name extends string, S extends DataSchema>(
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
    Input: undefined,
    get schema() {
      return event().schema
    },
    cache: false,
    expiresAfter: undefined,
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
