/** A statement of SQL, and what it returns. */

export type Parameter = string | number | null
export type Row = Readonly<Record<string, unknown>>

export interface Statement {
  readonly text: string
  readonly parameters: ReadonlyArray<Parameter>
}

export const statement = (text: string, ...parameters: ReadonlyArray<Parameter>): Statement => ({ text, parameters })
