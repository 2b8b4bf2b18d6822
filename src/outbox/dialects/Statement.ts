/** A statement of SQL, and what it returns. */

export type Parameter = string | number | null
export type Row = Readonly<Record<string, unknown>>

export interface Statement {
  readonly text: string
  readonly parameters: ReadonlyArray<Parameter>
  /** Where a database does not return what it changes: the statement that follows, or the rows of all. Default: its own rows. */
  readonly next?: (rows: ReadonlyArray<Row>) => Statement | ReadonlyArray<Row>
}

export const statement = (text: string, ...parameters: ReadonlyArray<Parameter>): Statement => ({ text, parameters })

/** What `next` has returned. */
export const isStatement = (next: Statement | ReadonlyArray<Row>): next is Statement => !Array.isArray(next)
