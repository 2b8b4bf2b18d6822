/** Text for terminals: colours, columns, and JSON that moves no cursor. */
import { printable } from "../event/FieldValue.ts"

/** One line of JSON. */
export const json = (value: unknown): string => printable(JSON.stringify(value))

export interface Paint {
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly red: (text: string) => string
  readonly yellow: (text: string) => string
  readonly green: (text: string) => string
}

const code =
  (start: number, isOn: boolean) =>
  (text: string): string =>
    isOn ? `\u001b[${start}m${text}\u001b[0m` : text

export const paint = (isOn: boolean): Paint => ({
  bold: code(1, isOn),
  dim: code(2, isOn),
  red: code(31, isOn),
  yellow: code(33, isOn),
  green: code(32, isOn)
})

/** Columns as wide as their widest cell; the last one is not padded, so that no line is wider than its text. */
export const table = (rows: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> => {
  const widths: Array<number> = []
  for (const row of rows) for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length)
  return rows.map((row) =>
    row.map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0))).join("  ")
  )
}
