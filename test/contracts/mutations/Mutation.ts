/** How a row of the tables is written: contracts before and after, and what the comparison has to find. */
import { Schema } from "effect"
import { Event } from "../../../src/index.ts"
import type { DataSchema } from "../../../src/event/standard/StandardSchema.ts"

type Contracts = ReadonlyArray<Event.Any>

/**
 * `expected` has one text for each finding: its rule, the field (`-` is the whole), and who is affected. A text in
 * brackets is a notice, which does not fail.
 */
export interface Mutation {
  readonly title: string
  readonly before: Contracts
  readonly after: Contracts
  readonly expected: ReadonlyArray<string>
}

export const mutation = (
  title: string,
  before: Event.Any | Contracts,
  after: Event.Any | Contracts,
  ...expected: ReadonlyArray<string>
): Mutation => ({ title, before: [before].flat(), after: [after].flat(), expected })

/** An event of version 1 with this data. */
export const event = (data: DataSchema): Event.Any => Event.make("test.changed", { version: 1, data })

/** The data of one event changes under its version. */
export const data = (
  title: string,
  before: DataSchema,
  after: DataSchema,
  ...expected: ReadonlyArray<string>
): Mutation => mutation(title, event(before), event(after), ...expected)

type Fields = Readonly<Record<string, DataSchema>>

export const fields = (title: string, before: Fields, after: Fields, ...expected: ReadonlyArray<string>): Mutation =>
  data(title, Schema.Struct(before), Schema.Struct(after), ...expected)

/** The field `value` changes. */
export const value = (
  title: string,
  before: DataSchema,
  after: DataSchema,
  ...expected: ReadonlyArray<string>
): Mutation => fields(title, { value: before }, { value: after }, ...expected)
