/**
 * What a log line says of a failed attempt beyond its error's tag and message: the key of the event, the fields of a
 * tagged error, and the line of the user's code that it came from. All of it costs more than the line itself, so it is
 * made only for lines that are written.
 */
import * as Predicate from "effect/Predicate"
import { quoted } from "../../event/EventError.ts"
import type * as Log from "../../observe/Log.ts"
import * as Redaction from "../../observe/Redaction.ts"
import { firstUserFrame } from "../../observe/UserStack.ts"
import * as Diagnosis from "../send/Diagnosis.ts"
import { HandlerTimeout, Later, Reject } from "../subscriber/HandlerError.ts"

const redaction = Redaction.make()
const maxLength = 500
/** What a line says of an error in words, or what every Error has. */
const commonFields: ReadonlySet<string> = new Set(["_tag", "name", "message", "stack", "cause"])

/** `redact` removes the sensitive values of the event that the attempt was at. */
export const of = (error: unknown, key: string | undefined, redact: (text: string) => string): Log.Fields => ({
  ...ofKey(key, redact),
  errorFields: fieldsOf(error, redact),
  at: frameOf(error)
})

export const ofKey = (key: string | undefined, redact: (text: string) => string): Log.Fields => ({
  key: key === undefined ? undefined : quoted(redact(key))
})

/** The fields of a tagged error as JSON; undefined for one without, and for those of the runtime. */
const fieldsOf = (error: unknown, redact: (text: string) => string): string | undefined =>
  Diagnosis.tryRead(() => {
    if (!Predicate.isObject(error) || !("_tag" in error) || isOfRuntime(error)) return undefined
    const own = Object.entries(error).filter(([name]) => !commonFields.has(name))
    if (own.length === 0) return undefined
    // Texts are redacted before JSON escapes them; the rest is in digits, which it does not change.
    const json = JSON.stringify(redaction.value(Object.fromEntries(own)), (_, value: unknown) =>
      Predicate.isString(value) ? redact(value) : plain(value, redact)
    )
    const clean = redact(json)
    return clean.length > maxLength ? `${clean.slice(0, maxLength)}…` : clean
  }, undefined)

const isOfRuntime = (error: unknown): boolean =>
  error instanceof Reject || error instanceof Later || error instanceof HandlerTimeout

/** What JSON cannot represent, or only as nothing. */
const plain = (value: unknown, redact: (text: string) => string): unknown => {
  if (Predicate.isBigInt(value) || Predicate.isSymbol(value) || Predicate.isFunction(value)) return String(value)
  return Predicate.isError(value) ? redact(`${value.name}: ${value.message}`) : value
}

/** Of a rejection, the line that its cause came from, or else the one that rejected. */
const frameOf = (error: unknown): string | undefined =>
  Diagnosis.tryRead(() => {
    const stack = (error instanceof Reject ? Diagnosis.stackOf(error.cause) : undefined) ?? Diagnosis.stackOf(error)
    return stack === undefined ? undefined : firstUserFrame(stack)
  }, undefined)
