/**
 * Finds secret values in texts: whole values, their beginnings from eight characters up, in any case, and in the
 * spellings that programs give them. It is made when something has failed, and never for an event that was handled; its
 * cost is bounded by the length of the text, not by the number of secrets.
 */
import { inspect } from "node:util"

/** What stands for a secret, in errors, logs and dead letters. Effect's `Redacted` prints the same. */
export const redactedText = "<redacted>"

/** A text that shares this many characters with the beginning of a secret shows too much of it. */
const prefixLength = 8
/** Below this length, a value is hidden only as a whole word: as a part of other words it means nothing. */
const partLength = 3
const minDigits = 4
/** Of a longer text the rest is cut off; what is shown of it is shorter. */
const maxText = 16_384
const maxSecret = 4096
/** Beyond this number nothing of a text is shown. */
const maxSecrets = 5000
/** Secrets that begin with the same eight characters. */
const maxAlike = 32

export class Secrets {
  /** By their first eight characters, folded. */
  private readonly long = new Map<string, Set<string>>()
  /** Shorter ones, by their length: as they are, anywhere in a text. */
  private readonly parts = new Map<number, Set<string>>()
  /** Shorter ones, by their length: folded unless they are very short, and only where they are a whole word. */
  private readonly words = new Map<number, Set<string>>()
  private count = 0

  /** A text in each of its spellings. */
  addText(text: string): void {
    if (text === "" || ++this.count > maxSecrets) return
    const secret = text.slice(0, maxSecret)
    for (const spelling of spellingsOf(secret)) this.add(spelling)
    this.addEncoded(Buffer.from(secret))
  }

  addNumber(digits: string): void {
    if (digits.length >= minDigits) this.addText(digits)
    else this.addWord(digits)
  }

  /** A value that is too common to be searched for within words. */
  addWord(word: string): void {
    if (++this.count <= maxSecrets) keep(this.words, word.length, word)
  }

  addBytes(bytes: Uint8Array): void {
    if (bytes.length === 0 || ++this.count > maxSecrets) return
    const start = Buffer.from(bytes.subarray(0, maxSecret))
    this.add(start.join(","))
    this.add(start.toString("base64"))
    this.addEncoded(start)
    // As the console shows them: on one line, or in rows of columns.
    this.addLong(start.join(", "))
    const [, ...rows] = inspect(new Uint8Array(start)).split("\n")
    for (const row of rows) this.addLong(row.replace(/^\s+|[\s,]+$/g, ""))
    for (const text of [start.toString("utf8"), start.toString("latin1")]) this.add(text)
  }

  /** The text with every secret hidden. */
  hide(text: string): string {
    if (this.count === 0) return text
    if (this.count > maxSecrets) return redactedText
    const searched = text.length > maxText ? `${text.slice(0, maxText)}…` : text
    const folded = fold(searched)
    let clean = ""
    let hiddenTo = 0
    for (let at = 0; at < searched.length; at++) {
      const end = this.endAt(searched, folded, at)
      if (end <= hiddenTo) continue
      if (at > hiddenTo || clean === "") clean += searched.slice(hiddenTo, at) + redactedText
      hiddenTo = end
    }
    return clean === "" ? searched : clean + searched.slice(hiddenTo)
  }

  /** Where the longest secret ends that begins here; 0 if none does. */
  private endAt(text: string, folded: string, at: number): number {
    const alike = this.long.get(folded.slice(at, at + prefixLength))
    let end = alike === undefined ? 0 : longestOf(alike, folded, at)
    for (const [length, secrets] of this.parts)
      if (at + length > end && secrets.has(text.slice(at, at + length))) end = at + length
    if (this.words.size === 0 || isWordAt(text, at - 1)) return end
    for (const [length, words] of this.words) {
      if (at + length <= end || isWordAt(text, at + length)) continue
      if (words.has((length < partLength ? text : folded).slice(at, at + length))) end = at + length
    }
    return end
  }

  private add(spelling: string): void {
    const { length } = spelling
    if (length >= prefixLength) {
      const folded = fold(spelling)
      const start = folded.slice(0, prefixLength)
      const others = this.long.get(start)
      if (others === undefined) this.long.set(start, new Set([folded]))
      else others.add(folded)
      return
    }
    if (length >= partLength) keep(this.parts, length, spelling)
    if (length > 0) keep(this.words, length, length < partLength ? spelling : fold(spelling))
  }

  /** As hexadecimal digits, also with the blanks of a Buffer on the console, and as base64, also within that of a longer text. */
  private addEncoded(bytes: Buffer): void {
    if (bytes.length < partLength) return
    const hex = bytes.toString("hex")
    this.addLong(hex)
    this.addLong(hex.replace(/..(?!$)/g, "$& "))
    for (let before = 0; before < 3; before++) {
      // Bytes before it shift its characters, and share the first of them.
      const shifted = Buffer.concat([Buffer.alloc(before), bytes]).toString("base64")
      const base64 = shifted.slice(before === 0 ? 0 : before + 1).replace(/=+$/, "")
      this.addLong(base64)
      this.addLong(base64.replaceAll("+", "-").replaceAll("/", "_"))
    }
  }

  private addLong(spelling: string): void {
    if (spelling.length >= prefixLength) this.add(spelling)
  }
}

/** Where the longest of these secrets ends, which all begin here. Too many to compare hide the rest of the word. */
const longestOf = (alike: ReadonlySet<string>, folded: string, at: number): number => {
  let end = at + prefixLength
  if (alike.size > maxAlike) {
    while (end < folded.length && !/\s/.test(folded[end] ?? "")) end++
    return end
  }
  for (const secret of alike) {
    let same = prefixLength
    while (same < secret.length && folded[at + same] === secret[same]) same++
    if (at + same > end) end = at + same
  }
  return end
}

const keep = (byLength: Map<number, Set<string>>, length: number, text: string): void => {
  const others = byLength.get(length)
  if (others === undefined) byLength.set(length, new Set([text]))
  else others.add(text)
}

/** As it is, in JSON, in URLs and in forms. The scheme of a URL is no secret, and the beginning of many others. */
const spellingsOf = (text: string): ReadonlySet<string> => {
  const plain = text.replace(/^[a-z][a-z0-9+.-]*:\/\//i, "")
  const spellings = new Set([plain, JSON.stringify(plain).slice(1, -1)])
  if (!plain.isWellFormed()) return spellings
  const encoded = encodeURIComponent(plain)
  return spellings.add(encoded).add(encodeURI(plain)).add(encoded.replaceAll("%20", "+"))
}

const foreign = /[\u0080-\uffff]/

/** In lower case, with the same length. */
const fold = (text: string): string => {
  if (!foreign.test(text)) return text.toLowerCase()
  let folded = ""
  for (const character of text) {
    const lower = character.toLowerCase()
    folded += lower.length === character.length ? lower : character
  }
  return folded
}

/** Whether there is a letter, a digit or an underscore. */
const isWordAt = (text: string, at: number): boolean =>
  at >= 0 && at < text.length && /[\p{L}\p{N}_]/u.test(text[at] ?? "")
