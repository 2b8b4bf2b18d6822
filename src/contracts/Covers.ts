/**
 * Whether all that one schema writes is read by another. Where it is not, a gap says where and why. Keys that a reader
 * does not know are not read, as decoding drops them.
 */
import * as Bounds from "./Bounds.ts"
import * as Path from "./Path.ts"
import * as Shape from "./Shape.ts"

export interface Gap {
  readonly path: string
  readonly kind: "absent" | "maybe-absent" | "type" | "value" | "variant" | "check"
  /** What is written. */
  readonly writer: string
  /** What is read. */
  readonly reader: string
}

/** Two objects of the same place. */
export interface Pair {
  readonly path: string
  readonly writer: Shape.Fields
  readonly reader: Shape.Fields
}

export class Comparison {
  readonly gaps: Array<Gap> = []
  readonly pairs: Array<Pair> = []
  /** Every path that both have. */
  readonly paths = new Set<string>()
  private readonly seen = new Map<unknown, Set<unknown>>()
  private readonly writer: Shape.Document
  private readonly reader: Shape.Document

  constructor(writer: Shape.Document, reader: Shape.Document) {
    this.writer = writer
    this.reader = reader
  }

  compare(writer: unknown, reader: unknown, path: string): void {
    this.paths.add(path)
    const [written, read] = [Shape.of(writer, this.writer), Shape.of(reader, this.reader)]
    if (read.some(({ kind }) => kind === "any")) return
    const { isUnion, tag } = Shape.variantsOf([written, read])
    for (const one of written) {
      if (one.kind === "object") this.compareObject(one, read, path, tag, isUnion)
      else this.compareOne(one, written, read, path)
    }
  }

  private compareOne(
    one: Exclude<Shape.Alternative, Shape.Fields>,
    written: ReadonlyArray<Shape.Alternative>,
    read: ReadonlyArray<Shape.Alternative>,
    path: string
  ): void {
    const type = (): void => void this.gaps.push({ path, kind: "type", ...named(written, read) })
    const alike = read.filter((other) => other.type === one.type)
    if (one.kind === "any" || alike.length === 0) return type()
    if (one.kind === "literal") {
      if (alike.some((other) => accepts(other, one.value))) return
      const isKnown = alike.some((other) => other.kind === "literal")
      this.gaps.push({
        path,
        kind: isKnown ? "value" : "check",
        writer: JSON.stringify(one.value),
        reader: Shape.nameOf(read)
      })
      return
    }
    const other = alike.find(({ kind }) => kind === one.kind)
    if (other === undefined) return type()
    if (one.kind === "number" && other.kind === "number") {
      if (other.isInteger && !one.isInteger) return type()
      this.check(path, one.bounds, other.bounds)
      const coarse = other.steps.filter((step) => !one.steps.some((given) => given % step === 0))
      for (const step of coarse) this.check(path, one.steps.map(stepOf), [stepOf(step)])
    }
    if (one.kind === "string" && other.kind === "string")
      this.check(path, one.patterns.map(patternOf), other.patterns.map(patternOf))
    if (one.kind === "array" && other.kind === "array") this.compareList(one, other, path)
  }

  private check(path: string, writer: ReadonlyArray<string>, reader: ReadonlyArray<string>): void {
    for (const missing of Bounds.missing(writer, reader))
      this.gaps.push({ path, kind: "check", writer: writer.join(", "), reader: missing })
  }

  private compareList(writer: Shape.List, reader: Shape.List, path: string): void {
    if (this.wasSeen(writer.source, reader.source)) return
    const sizes = (list: Shape.List): ReadonlyArray<string> => [
      ...(list.minItems > 0 ? [`minimum ${list.minItems}`] : []),
      ...(list.maxItems < Number.POSITIVE_INFINITY ? [`maximum ${list.maxItems}`] : [])
    ]
    this.check(path, sizes(writer), sizes(reader))
    if (reader.isUnique && !writer.isUnique) this.check(path, [], ["different items"])
    const first = Math.max(writer.first.length, reader.first.length)
    for (let at = 0; at < first; at++) {
      const [written, read] = [writer.first[at] ?? writer.items, reader.first[at] ?? reader.items]
      if (written !== undefined && read !== undefined) this.compare(written, read, Path.field(path, String(at)))
    }
    if (reader.items !== undefined && writer.maxItems > first)
      this.compare(writer.items ?? {}, reader.items, Path.field(path, "*"))
  }

  private compareObject(
    one: Shape.Fields,
    read: ReadonlyArray<Shape.Alternative>,
    path: string,
    tag: string | undefined,
    isUnion: boolean
  ): void {
    const objects = read.filter((other) => other.kind === "object")
    const [only] = objects
    if (only === undefined) {
      this.gaps.push({ path, kind: "type", writer: "object", reader: Shape.nameOf(read) })
    } else if (tag !== undefined) {
      const label = Path.variant(path, one.literals.get(tag))
      const other = objects.find(({ literals }) => literals.get(tag) === one.literals.get(tag))
      if (other === undefined) this.gaps.push({ path: label, kind: "variant", writer: label, reader: "" })
      else this.compareFields(one, other, label)
    } else if (!isUnion) this.compareFields(one, only, path)
    else if (!objects.some((other) => this.tries(one, other, path)))
      this.gaps.push({ path, kind: "variant", writer: Object.keys(one.properties).join(", "), reader: "" })
  }

  /** Whether all of this variant is read as that one. */
  private tries(one: Shape.Fields, other: Shape.Fields, path: string): boolean {
    const attempt = new Comparison(this.writer, this.reader)
    attempt.compareFields(one, other, path)
    for (const known of attempt.paths) this.paths.add(known)
    return attempt.gaps.length === 0
  }

  private compareFields(writer: Shape.Fields, reader: Shape.Fields, path: string): void {
    if (this.wasSeen(writer.source, reader.source)) return
    this.pairs.push({ path, writer, reader })
    this.paths.add(path)
    for (const name of reader.required) {
      if (writer.required.has(name)) continue
      const kind = writer.properties[name] === undefined ? "absent" : "maybe-absent"
      this.gaps.push({ path: Path.field(path, name), kind, writer: "", reader: "" })
    }
    for (const [name, written] of Object.entries(writer.properties)) {
      const read = reader.properties[name] ?? reader.others
      if (read === false) this.gaps.push({ path, kind: "check", writer: name, reader: "no other keys" })
      else if (read !== undefined) this.compare(written, read, Path.field(path, name))
    }
    if (writer.others !== undefined && writer.others !== false) {
      for (const [name, read] of Object.entries(reader.properties))
        if (writer.properties[name] === undefined) this.compare(writer.others, read, Path.field(path, name))
      if (reader.others !== undefined && reader.others !== false)
        this.compare(writer.others, reader.others, Path.field(path, "*"))
    }
    for (const [pattern, read] of Object.entries(reader.patterns)) {
      const written = writer.patterns[pattern]
      if (written === undefined) this.check(path, [], [`keys ${patternOf(pattern)}`])
      else this.compare(written, read, Path.field(path, "*"))
    }
    this.check(path, writer.bounds, reader.bounds)
  }

  /** A recursion is equal unless something outside of it differs. */
  private wasSeen(writer: unknown, reader: unknown): boolean {
    const readers = this.seen.get(writer) ?? new Set()
    this.seen.set(writer, readers)
    if (readers.has(reader)) return true
    readers.add(reader)
    return false
  }
}

const named = (written: ReadonlyArray<Shape.Alternative>, read: ReadonlyArray<Shape.Alternative>) => ({
  writer: Shape.nameOf(written),
  reader: Shape.nameOf(read)
})

const stepOf = (step: number): string => `multiple of ${step}`
const patternOf = (pattern: string): string => `/${pattern}/u`

/** Patterns of other libraries may be none with the flag that JSON Schema asks for. */
const expression = (pattern: string): RegExp => {
  try {
    return new RegExp(pattern, "u")
  } catch {
    return new RegExp(pattern)
  }
}

/** Whether a literal is read. */
const accepts = (other: Shape.Alternative, value: unknown): boolean => {
  switch (other.kind) {
    case "literal":
      return other.value === value
    case "string":
      return other.patterns.every((pattern) => expression(pattern).test(String(value)))
    case "number":
      return (
        (!other.isInteger || Number.isInteger(value)) &&
        Bounds.missing([`minimum ${String(value)}`, `maximum ${String(value)}`], other.bounds).length === 0
      )
    default:
      return true
  }
}
