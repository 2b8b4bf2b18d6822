/**
 * Texts from outside, as they are shown: as text, with what would hide or move other text made visible, and cut off where
 * they are long. Nothing here, or anywhere on the page, becomes markup.
 */

/** Control characters but tab and line feed, line separators, and marks that turn the direction of text. */
// oxlint-disable-next-line no-control-regex
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`

/** On as many lines as it has. */
export const visible = (text: string): string => text.replace(controls, escaped)

/** On one line. */
export const oneLine = (text: string): string => visible(text).replace(/[\t\n]/g, escaped)

/** The longest text of a cell. */
const mostOfCell = 160

export const short = (text: string, most: number = mostOfCell): string =>
  text.length > most ? `${text.slice(0, most - 1)}…` : text

/** A text of a cell: on one line, and short. The cut comes first, since a text may be a megabyte long. */
export const brief = (text: string, most: number = mostOfCell): string => oneLine(short(text, most))

const whole = new Intl.NumberFormat("en")
const tenths = new Intl.NumberFormat("en", { maximumFractionDigits: 1 })

export const count = (number: number | null): string => (number === null ? "?" : whole.format(number))
export const rate = (number: number): string => tenths.format(number)

export const plural = (number: number, one: string, many: string = `${one}s`): string =>
  `${count(number)} ${number === 1 ? one : many}`

/** A value as indented JSON, a text as it is. */
export const pretty = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value, null, 2))
