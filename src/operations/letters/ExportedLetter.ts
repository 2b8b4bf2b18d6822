/**
 * A dead letter as `export` writes it with everything, and the message that `import` makes of it. Bodies that are shown have
 * lost what is sensitive, and the order of their fields: only an export that says that it is complete can come back.
 */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { createHash } from "node:crypto"
import type { DeadLetter } from "../../bus/deadletter/DeadLetter.ts"
import type { Delivery, Outgoing } from "../../bus/port/Broker.ts"
import * as Diagnosis from "../../bus/send/Diagnosis.ts"
import * as RuntimeHeaders from "../../bus/send/RuntimeHeaders.ts"
import * as Limits from "../../event/Limits.ts"
import * as WireFormat from "../../event/WireFormat.ts"
import type * as ReportForm from "../ReportForm.ts"
import * as Reports from "../Reports.ts"

type Exported = typeof Reports.LetterDetail.Type
type Message = typeof Reports.Message.Type

/** What a message has beside what its letter says. */
export const messageOf = (delivery: Delivery, { firstSpan, replayId }: DeadLetter): Message => ({
  contentType: delivery.properties.contentType ?? null,
  contentEncoding: delivery.properties.contentEncoding ?? null,
  appId: delivery.properties.appId ?? null,
  correlationId: delivery.properties.correlationId ?? null,
  headers: { ...RuntimeHeaders.userHeaders(delivery), ...RuntimeHeaders.contextHeaders(delivery) },
  replayId: replayId ?? null,
  firstSpan: firstSpan ?? null
})

/** The bytes of a body, exactly. */
export const exactBody = (body: Buffer): typeof ReportForm.Body.Type => {
  const text = body.toString("utf8")
  return Buffer.from(text).equals(body)
    ? { encoding: "text", value: text }
    : { encoding: "base64", value: body.toString("base64") }
}

const decodeLine = Schema.decodeUnknownResult(Reports.LetterDetail)

/** The exported letter in a value; fails with words that quote none of it. */
export const read = (value: unknown): Result.Result<Exported & { readonly message_: Message }, string> => {
  const decoded = decodeLine(value)
  if (Result.isFailure(decoded)) return Result.fail("it is no dead letter as `eventbus dead-letters export` writes it")
  const { success: letter } = decoded
  if (letter.original === null || letter.body === null || !Predicate.isString(letter.body.value))
    return Result.fail("it was exported without everything that it had: export it with --complete")
  if (letter.body.encoding === "json") return Result.fail("its body is not as it was: export it with --complete")
  return Result.succeed({ ...letter, message_: letter.original })
}

/** Why a letter cannot come back, or the message that it becomes. */
export const outgoing = (value: unknown): Result.Result<Outgoing & { readonly print: string }, string> =>
  Result.gen(function* () {
    const letter = yield* read(value)
    const { message_: original } = letter
    if (letter.source === "undeliverable")
      return yield* Result.fail("it had no subscriber, so there is no dead-letter queue for it: publish it instead")
    const body = bytesOf(letter)
    if (body.length > Limits.defaults.bodyBytes) return yield* Result.fail("its body is larger than any event")
    const faulty = Object.keys(original.headers).find((name) => !isContext(name) && isForbidden(name))
    if (faulty !== undefined) return yield* Result.fail(`it has a header "${faulty}", which no publisher may set`)
    return {
      print: printOf({ ...letter, reason: reasonOf(letter), body }),
      to: { _tag: "DeadLetter", subscriber: letter.source },
      // One after the other, as they stand in the file.
      key: letter.source,
      body,
      properties: {
        messageId: letter.id,
        type: letter.event,
        timestamp: millisOf(letter.publishedAt) ?? 0,
        appId: original.appId ?? "",
        correlationId: original.correlationId ?? undefined,
        contentType: original.contentType ?? WireFormat.foreignContentType,
        contentEncoding: original.contentEncoding ?? undefined
      },
      headers: { ...original.headers, ...Diagnosis.write(diagnosisOf(letter, original)) }
    }
  })

const contextNames: ReadonlySet<string> = new Set(["traceparent", "tracestate", "baggage"])
const isContext = (name: string): boolean => contextNames.has(name)
const isForbidden = (name: string): boolean => RuntimeHeaders.userHeaderFault(name) !== undefined

const bytesOf = ({ body }: Exported): Buffer =>
  Buffer.from(String(body?.value), body?.encoding === "base64" ? "base64" : "utf8")

/** What was not believed before is signed anew when it is imported, and must not be believed for that. */
const reasonOf = ({ reason, signed }: Pick<Exported, "reason" | "signed">): string =>
  signed === false ? "Unsigned" : reason

const diagnosisOf = (letter: Exported, original: Message): Diagnosis.Diagnosis => ({
  subscriber: letter.source,
  reason: Diagnosis.reasonOf(reasonOf(letter)),
  error: { tag: letter.errorTag, message: letter.message, stack: letter.stack ?? undefined },
  attempts: letter.attempts,
  firstFailure: millisOf(letter.firstFailure),
  lastFailure: millisOf(letter.lastFailure),
  failures: letter.failures.slice(-RuntimeHeaders.keptFailures).map((failure) => ({
    ...failure,
    at: millisOf(failure.at) ?? 0
  })),
  eventId: letter.id,
  eventType: letter.event,
  host: letter.host,
  library: letter.library,
  replays: letter.replays,
  replayId: original.replayId ?? undefined,
  firstSpan: original.firstSpan ?? undefined,
  edits: letter.edits.map(({ at, paths }) => ({ at: millisOf(at) ?? 0, paths }))
})

const millisOf = (time: string | null): number | undefined => {
  const millis = time === null ? Number.NaN : Date.parse(time)
  return Number.isNaN(millis) ? undefined : millis
}

interface Printed {
  readonly id: string
  readonly event: string
  readonly reason: string
  readonly errorTag: string
  readonly attempts: number
  readonly lastFailure: string | null
  readonly replays: number
  readonly body: Buffer
}

/** What tells one letter from another, also from one of the same event: SHA-256, so that a queue of any length can be compared. */
export const printOf = ({ attempts, body, errorTag, event, id, lastFailure, reason, replays }: Printed): string =>
  createHash("sha256")
    .update(JSON.stringify([id, event, reason, errorTag, attempts, lastFailure, replays]))
    .update(body)
    .digest("base64url")
