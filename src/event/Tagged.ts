/**
 * Tagged errors and classes that are schemas, like Effect's `Schema.TaggedError` and `Schema.TaggedClass`: they can
 * be encoded, cross a process and be decoded to the same class. Unlike there, the schema is made when somebody asks
 * for it, so that an error class does not load Effect's Schema, and constructing one validates nothing: the compiler
 * has checked what is passed.
 */
import type * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import type * as Schema from "effect/Schema"
import { inspect } from "node:util"
import { modules } from "./SchemaModule.ts"

type Fields<F> = (schema: typeof Schema) => F

/** Marks the errors of the library. */
const own: unique symbol = Symbol("own")

/** Whether it is an error of the library, and not one that was thrown by code of the user. */
export const isOwnError = (value: unknown): value is Error => value instanceof Error && own in value

/** An error of this tag that Effects fail with by `yield*`. */
export const TaggedError =
  <Self>() =>
  <Tag extends string, const F extends Schema.Struct.Fields>(tag: Tag, fields: Fields<F>) => {
    class Base extends Data.Error<{ readonly _tag: Tag }> {
      constructor(props: object) {
        super({ _tag: tag, ...props })
      }
    }
    Base.prototype.name = tag
    Object.defineProperty(Base.prototype, own, { value: true })
    // Effect prints the fields of its errors alone. Node prints message, stack, cause and fields, as of any Error.
    Object.defineProperty(Base.prototype, inspect.custom, { value: undefined })
    return withSchema<Schema.Class<Self, Schema.TaggedStruct<Tag, F>, Cause.YieldableError>>(Base, (schema) =>
      schema.TaggedError<Cause.YieldableError>()(tag, fields(schema))
    )
  }

/** A value of this tag, such as the reason of an error. */
export const TaggedClass =
  <Self>() =>
  <Tag extends string, const F extends Schema.Struct.Fields>(tag: Tag, fields: Fields<F>) => {
    class Base extends Data.Class<{ readonly _tag: Tag }> {
      constructor(props: object) {
        super({ _tag: tag, ...props })
      }
    }
    return withSchema<Schema.Class<Self, Schema.TaggedStruct<Tag, F>, {}>>(Base, (schema) =>
      schema.TaggedClass<object>()(tag, fields(schema))
    )
  }

/** The static members of a schema class. Those of functions use the class that they are called on. */
const members = [
  "~effect/Schema/Schema",
  "identifier",
  "fields",
  "ast",
  "pipe",
  "rebuild",
  "make",
  "makeOption",
  "makeEffect",
  "annotate",
  "annotateKey",
  "check",
  "extend",
  "mapFields"
]

const withSchema = <S extends object>(base: object, make: Fields<object>): S => {
  let schema: object | undefined
  for (const member of members) {
    Object.defineProperty(base, member, {
      configurable: true,
      // `ast` is the schema of the class it is read from, which is the user's subclass of `base`.
      get(this: object): unknown {
        schema ??= make(modules().Schema)
        return Reflect.get(schema, member, this)
      }
    })
  }
  // `base` has the members of the schema class by the loop above, and constructs from the same fields.
  return base as S
}
