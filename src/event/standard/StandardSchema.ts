/**
 * Schemas of other libraries, such as zod, valibot and arktype, by the interface that they share: Standard Schema
 * (https://standardschema.dev/schema) and, where the library gives it, Standard JSON Schema
 * (https://standardschema.dev/json-schema). Both ask to be copied instead of imported.
 */
import * as Predicate from "effect/Predicate"
import type * as Schema from "effect/Schema"

/** A schema that validates, and may transform what it validates: from `Input`, which is on the wire, to `Output`. */
export interface StandardSchema<out Input = unknown, out Output = Input> {
  readonly "~standard": {
    readonly version: 1
    /** The name of the library. */
    readonly vendor: string
    // A method, so that a validator of `unknown` values is one of any type.
    validate(value: unknown): Validation<Output> | Promise<Validation<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
    /** Absent where the library gives no JSON Schema. */
    readonly jsonSchema?: JsonSchemaConverter | undefined
  }
}

export type Validation<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: ReadonlyArray<Issue> }

export interface Issue {
  readonly message: string
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined
}

interface JsonSchemaConverter {
  /** Throws where the schema cannot be said in JSON Schema. */
  readonly input: (options: { readonly target: "draft-2020-12" }) => Readonly<Record<string, unknown>>
}

/** Data of any schema of Effect that can be encoded without services. */
export type DataSchema = Schema.Top & { readonly DecodingServices: never; readonly EncodingServices: never }

/** The schema of an event's data. */
export type AnySchema = DataSchema | StandardSchema

/** What a publish takes, and what is on the wire of a Standard Schema. */
export type InputOf<S extends AnySchema> = S extends DataSchema
  ? S["Type"]
  : S extends StandardSchema
    ? NonNullable<S["~standard"]["types"]>["input"]
    : never

/** What a handler gets. */
export type OutputOf<S extends AnySchema> = S extends DataSchema
  ? S["Type"]
  : S extends StandardSchema
    ? NonNullable<S["~standard"]["types"]>["output"]
    : never

/** The key by which Effect 4 recognises its schemas, of any copy of it. They may be Standard Schemas as well. */
export const isEffectSchema = (schema: unknown): schema is DataSchema =>
  Predicate.hasProperty(schema, "~effect/Schema/Schema")

export const isStandardSchema = (schema: unknown): schema is StandardSchema =>
  !isEffectSchema(schema) &&
  Predicate.hasProperty(schema, "~standard") &&
  Predicate.hasProperty(schema["~standard"], "validate") &&
  Predicate.isFunction(schema["~standard"].validate)

/** What JSON cannot hold. */
type Unwritable =
  | bigint
  | symbol
  | Date
  | RegExp
  | Uint8Array
  | ArrayBuffer
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | Promise<unknown>
  | ((...args: never) => unknown)

/** The parts of a type that JSON cannot hold; never if there are none. Beyond eight levels nothing is looked for. */
type UnwritableIn<T, Depth extends ReadonlyArray<unknown>> = unknown extends T
  ? never
  : T extends string | number | boolean | null | undefined
    ? never
    : T extends Unwritable
      ? T
      : Depth["length"] extends 8
        ? never
        : T extends ReadonlyArray<infer Item>
          ? UnwritableIn<Item, [...Depth, 0]>
          : { [K in keyof T]-?: UnwritableIn<T[K], [...Depth, 0]> }[keyof T]

/** No data is of this type. */
export interface NotJson<Part> {
  readonly "the input of `data` is sent as JSON, which cannot hold": Part
}

/**
 * What a publish takes. Where JSON cannot hold the input of a Standard Schema, such as that of `z.date()`, it is a type that no
 * data has, and the compiler's error names the part. Take the text that is sent, and transform it:
 * `z.iso.datetime().transform((text) => new Date(text))`.
 */
export type SentOf<S extends AnySchema> = S extends DataSchema
  ? S["Type"]
  : [UnwritableIn<InputOf<S>, []>] extends [never]
    ? InputOf<S>
    : NotJson<UnwritableIn<InputOf<S>, []>>

/** The paths of the fields of a type, `*` for any element or key; of six levels, and any text below a recursion. */
type PathIn<T, Depth extends ReadonlyArray<unknown>> = unknown extends T
  ? string
  : T extends string | number | boolean | null | undefined | Unwritable
    ? never
    : Depth["length"] extends 6
      ? string
      : T extends ReadonlyArray<infer Item>
        ? "*" | Below<"*", PathIn<Item, [...Depth, 0]>>
        : {
            [K in keyof T]-?: K extends string
              ? string extends K
                ? "*" | Below<"*", PathIn<T[K], [...Depth, 0]>>
                : K | Below<K, PathIn<T[K], [...Depth, 0]>>
              : K extends number
                ? "*" | Below<"*", PathIn<T[K], [...Depth, 0]>>
                : never
          }[keyof T]

type Below<Name extends string, Path> = Path extends string ? `${Name}.${Path}` : never

/** A path of a sensitive field: `email`, `items.*.token`. */
export type SensitivePath<S extends AnySchema> = S extends DataSchema
  ? never
  : PathIn<InputOf<S>, []> | PathIn<OutputOf<S>, []>
