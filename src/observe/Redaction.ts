/**
 * Takes out of what is logged what must not be seen (P14): by key, what is called like a secret; by schema,
 * what some contract calls sensitive; and passwords in addresses.
 */
import { Redacted } from "effect"
import { sensitiveKeys } from "../event/Sensitive.ts"

export interface Redaction {
  /** A message, or a value within one. */
  readonly value: (value: unknown) => unknown
  /** Annotations: their names are the logger's own, so only what is called like a secret is taken out. */
  readonly fields: (fields: Readonly<Record<string, unknown>>) => Record<string, unknown>
}

const hidden = "<redacted>"
const secret =
  /pass(?:word|wd|phrase)|secret|token|authori[sz]ation|cookie|credential|api[-_]?key|private[-_]?key|signature/i
const deepest = 8
const longest = 1000

/** `keys` are more names that are secret here. */
export const make = (keys: ReadonlyArray<string> = []): Redaction => {
  const own = new Set(keys.map((key) => key.toLowerCase()))
  const isSecret = (key: string): boolean => secret.test(key) || own.has(key.toLowerCase())

  const look = (value: unknown, depth: number, seen: ReadonlySet<object>): unknown => {
    if (typeof value === "string") return clean(value)
    if (typeof value !== "object" || value === null) return value
    if (Redacted.isRedacted(value)) return hidden
    if (value instanceof Error || value instanceof Date) return value
    if (depth >= deepest || seen.has(value)) return "…"
    const below = new Set(seen).add(value)
    if (Array.isArray(value)) return value.slice(0, longest).map((item) => look(item, depth + 1, below))
    if (value instanceof Map || value instanceof Set) return look([...value], depth, below)
    const shown: Record<string, unknown> = {}
    for (const [key, field] of Object.entries(value).slice(0, longest))
      shown[key] = isSecret(key) || sensitiveKeys.has(key) ? hidden : look(field, depth + 1, below)
    return shown
  }
  const none: ReadonlySet<object> = new Set()
  return {
    value: (value) => look(value, 0, none),
    fields: (fields) => {
      const shown: Record<string, unknown> = {}
      for (const [key, value] of Object.entries(fields)) shown[key] = isSecret(key) ? hidden : look(value, 0, none)
      return shown
    }
  }
}

/** The user and the password of an address. */
const clean = (text: string): string => (text.includes("://") ? text.replace(/:\/\/[^/\s@]*@/g, `://${hidden}@`) : text)
