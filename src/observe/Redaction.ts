/**
 * Removes secrets from logs and traces: values whose keys suggest a secret, fields that a contract marks as sensitive,
 * and credentials in URLs, also within errors and causes.
 */
import * as Cause from "effect/Cause"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import { redactedText } from "../event/sensitive/Secrets.ts"
import { sensitiveKeys } from "../event/sensitive/Sensitive.ts"

export interface Redaction {
  /** Redacts a message, or a value within one. */
  readonly value: (value: unknown) => unknown
  /** Redacts annotations. The code that logs chooses their names, so only names that suggest a secret are redacted. */
  readonly fields: (fields: Readonly<Record<string, unknown>>) => Record<string, unknown>
  /** Redacts every failure and defect of a cause. */
  readonly cause: (cause: Cause.Cause<unknown>) => Cause.Cause<unknown>
  /** Redacts one text field; the same text when there is nothing to redact. */
  readonly textField: (key: string, text: string) => string
}

const secretKey =
  /pass(?:word|wd|phrase)|secret|token|authori[sz]ation|cookie|credential|api[-_]?key|private[-_]?key|signature/i
const maxDepth = 8
const maxEntries = 1000
const maxKnownKeys = 1000

/** `keys` are further names whose values are secret, compared without regard to case. */
export const make = (keys: ReadonlyArray<string> = []): Redaction =>
  new Redactor(new Set(keys.map((key) => key.toLowerCase())))

const none: ReadonlySet<object> = new Set()

class Redactor implements Redaction {
  private readonly further: ReadonlySet<string>
  /** Keys repeat: spans have the same attributes again and again. */
  private readonly known = new Map<string, boolean>()

  constructor(further: ReadonlySet<string>) {
    this.further = further
  }

  private isSecret(key: string): boolean {
    const known = this.known.get(key)
    if (known !== undefined) return known
    const secret = secretKey.test(key) || this.further.has(key.toLowerCase())
    if (this.known.size < maxKnownKeys) this.known.set(key, secret)
    return secret
  }

  readonly value = (value: unknown): unknown => this.redact(value, 0, none)

  readonly fields = (fields: Readonly<Record<string, unknown>>): Record<string, unknown> => {
    const shown: Record<string, unknown> = {}
    for (const [key, value] of Object.entries(fields))
      shown[withoutCredentials(key)] = this.isSecret(key) ? redactedText : this.value(value)
    return shown
  }

  readonly cause = (cause: Cause.Cause<unknown>): Cause.Cause<unknown> =>
    Cause.fromReasons(
      cause.reasons.map((reason) => {
        const annotations = Cause.reasonAnnotations(reason)
        switch (reason._tag) {
          case "Interrupt":
            return reason
          case "Fail":
            return Cause.makeFailReason(this.value(reason.error)).annotate(annotations)
          case "Die":
            return Cause.makeDieReason(this.value(reason.defect)).annotate(annotations)
        }
      })
    )

  readonly textField = (key: string, text: string): string =>
    this.isSecret(key) ? redactedText : withoutCredentials(text)

  private redact(value: unknown, depth: number, seen: ReadonlySet<object>): unknown {
    if (Predicate.isString(value)) return withoutCredentials(value)
    if (!Predicate.isObjectOrArray(value)) return value
    if (Redacted.isRedacted(value)) return redactedText
    if (Predicate.isDate(value)) return value
    if (value instanceof URL) return withoutCredentials(value.href)
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `<${value.byteLength} bytes>`
    if (depth >= maxDepth || seen.has(value)) return "…"
    try {
      return this.redactParts(value, depth, new Set(seen).add(value))
    } catch {
      // A getter or a proxy may throw.
      return "<unreadable>"
    }
  }

  private redactParts(value: object, depth: number, seen: ReadonlySet<object>): unknown {
    if (Predicate.isError(value)) return this.redactError(value, depth, seen)
    if (Array.isArray(value)) return value.slice(0, maxEntries).map((item) => this.redact(item, depth + 1, seen))
    if (Predicate.isSet(value)) return this.redact([...value], depth, seen)
    if (Predicate.isMap(value)) {
      const entries = [...value].filter((entry): entry is [string, unknown] => Predicate.isString(entry[0]))
      return entries.length === value.size
        ? this.redactEntries(entries, depth, seen)
        : this.redact([...value], depth, seen)
    }
    return this.redactEntries(Object.entries(value), depth, seen)
  }

  private redactEntries(entries: ReadonlyArray<[string, unknown]>, depth: number, seen: ReadonlySet<object>): unknown {
    const shown: Record<string, unknown> = {}
    for (const [key, field] of entries.slice(0, maxEntries))
      shown[withoutCredentials(key)] =
        this.isSecret(key) || sensitiveKeys.has(key) ? redactedText : this.redact(field, depth + 1, seen)
    return shown
  }

  /** An error that says the same, and has no fields: drivers keep their arguments there. */
  private redactError(error: Error, depth: number, seen: ReadonlySet<object>): Error {
    const { cause, message, name, stack } = error
    const shown = new Error(
      withoutCredentials(String(message)),
      cause === undefined ? undefined : { cause: this.redact(cause, depth + 1, seen) }
    )
    shown.name = withoutCredentials(String(name))
    shown.stack = stack === undefined ? `${shown.name}: ${shown.message}` : withoutCredentials(String(stack))
    return shown
  }
}

/**
 * User and password of a URL. A password may have a "/" or "@" that nobody encoded, so what follows a ":" goes up to the
 * last "@". The lengths bound the search.
 */
const login = /:\/\/(?:[^\s/@:"'`<>]{0,256}:[^\s,"'`<>]{0,4096}|[^\s/@"'`<>]{0,4096})@/g
/** Parameters of a URL whose names suggest a secret, such as `sentinelPassword`. */
const parameter = new RegExp(`([?&][\\w.-]{0,64}(?:${secretKey.source})[\\w.-]{0,64}=)[^\\s&#"'\`<>]+`, "gi")

/** Without the credentials in URLs. */
const withoutCredentials = (text: string): string =>
  text.includes("://") ? text.replace(login, `://${redactedText}@`).replace(parameter, `$1${redactedText}`) : text
