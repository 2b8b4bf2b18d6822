/** Dead letters as reports: texts and numbers, without what their contracts mark as sensitive. */
import * as Result from "effect/Result"
import type { DeadLetter } from "../../bus/deadletter/DeadLetter.ts"
import type { Delivery } from "../../bus/port/Broker.ts"
import type * as Event from "../../event/Event.ts"
import { exactBody, messageOf } from "./ExportedLetter.ts"
import type * as ReportForm from "../ReportForm.ts"
import type * as Reports from "../Reports.ts"

/** Whether bodies are part of a report, and the contracts that say what is sensitive in them. */
export interface Bodies {
  readonly shown: boolean
  /** Whether letters are written with everything that they have, sensitive or not. */
  readonly complete?: boolean | undefined
  readonly contracts: ReadonlyMap<string, Event.Any>
}

const timeOf = (date: Date | undefined): string | null =>
  date === undefined || Number.isNaN(date.getTime()) ? null : date.toISOString()

export const summaryOf = (letter: DeadLetter): typeof Reports.Letter.Type => ({
  id: letter.eventId,
  event: letter.eventType,
  key: letter.key ?? null,
  reason: letter.reason,
  errorTag: letter.error.tag,
  message: letter.error.message,
  attempts: letter.attempts,
  firstFailure: timeOf(letter.firstFailure),
  lastFailure: timeOf(letter.lastFailure),
  replays: letter.replays,
  signed: letter.signed ?? null,
  bytes: letter.body.length
})

export const detailOf = (
  source: string,
  letter: DeadLetter,
  { complete = false, contracts, shown }: Bodies,
  delivery?: Delivery
): typeof Reports.LetterDetail.Type => ({
  kind: "dead-letters.letter",
  version: 1,
  source,
  ...summaryOf(letter),
  stack: letter.error.stack ?? null,
  failures: letter.failures.map(({ at, ...rest }) => ({ ...rest, at: timeOf(at) ?? "" })),
  host: letter.host,
  library: letter.library,
  publishedAt: timeOf(letter.publishedAt),
  traceparent: letter.traceparent ?? null,
  edits: letter.edits.map(({ at, paths }) => ({ at: timeOf(at) ?? "", paths })),
  body: complete ? exactBody(letter.body) : shown ? bodyOf(letter.body, contracts.get(letter.eventType)) : null,
  original: complete && delivery !== undefined ? messageOf(delivery, letter) : null
})

/** The body without what its contract marks as sensitive. */
export const bodyOf = (body: Buffer, contract: Event.Any | undefined): typeof ReportForm.Body.Type => {
  const text = body.toString("utf8")
  if (!Buffer.from(text).equals(body)) return { encoding: "base64", value: body.toString("base64") }
  const parsed = parse(text)
  if (parsed === undefined) return { encoding: "text", value: text }
  const clean = hideSensitive(text, parsed.value, contract)
  // What is hidden may leave no JSON: a number for example.
  const shown = parse(clean)
  return shown === undefined ? { encoding: "text", value: clean } : { encoding: "json", value: shown.value }
}

const parse = (text: string): { readonly value: unknown } | undefined => {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return undefined
  }
}

const hideSensitive = (text: string, value: unknown, contract: Event.Any | undefined): string => {
  if (contract === undefined) return text
  const data: unknown = typeof value === "object" && value !== null && "data" in value ? value.data : value
  const decoded = contract.dataCodec.decode(contract.version, data)
  // Decoded it may be of another form, which the body has only where it is encoded the same way.
  const clean = contract.dataCodec.redact(text, data)
  return Result.isSuccess(decoded) ? contract.dataCodec.redact(clean, decoded.success) : clean
}
