/** Text for terminals and logs. What comes from outside moves no cursor, changes no colour and reverses no line. */

/** Control characters, marks that change the direction of text, and what ends a line elsewhere. */
const unsafe = /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/gu

/** As in JSON, so that a JSON text stays one. Line feeds are escaped as well. */
export const escape = (text: string): string =>
  text.replace(unsafe, (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`)

/** The same, but the lines of a text stay lines. */
export const escapeLines = (text: string): string => text.split("\n").map(escape).join("\n")

/** One line of JSON. */
export const json = (value: unknown): string => escape(JSON.stringify(value))

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
