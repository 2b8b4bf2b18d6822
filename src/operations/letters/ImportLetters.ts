/**
 * Brings exported letters back into the dead-letter queues that they were in. Each is confirmed before it is counted. What
 * is in its queue already is passed over, so that an import that was ended, by whatever, goes on when it is run again.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { walk } from "../../bus/deadletter/LetterWalk.ts"
import type { Broker, Outgoing } from "../../bus/port/Broker.ts"
import type { BrokerError } from "../../bus/port/BrokerError.ts"
import * as InFlightLimit from "../../bus/send/InFlightLimit.ts"
import * as Outbox from "../../bus/send/Outbox.ts"
import type { Outcome } from "../../bus/send/Outcome.ts"
import { Shipment } from "../../bus/send/Shipment.ts"
import { sizeOf } from "../../event/Body.ts"
import * as Monotonic from "../../observe/Monotonic.ts"
import * as ExportedLetter from "./ExportedLetter.ts"
import { jsonLines, type Line } from "../publish/JsonLines.ts"
import { summaryOf } from "./Letters.ts"
import { InputFailed } from "../OperationsError.ts"
import type { Refusal } from "../PublishReports.ts"

export interface ImportRequest {
  readonly bytes: AsyncIterable<Uint8Array>
  /** Stores them. Without it the report says what would be stored. */
  readonly apply: boolean
  readonly progress?: ((done: number, found: number) => void) | undefined
}

const inFlight = { count: 64, bytes: 8 * 1024 * 1024 }
const copyMillis = 15_000
const keptRefusals = 100

class ImportShipment extends Shipment {
  readonly finished: (outcome: Outcome) => void
  constructor(message: Outgoing, deadline: number, finished: (outcome: Outcome) => void) {
    super(message, sizeOf(message.body), deadline, true, true)
    this.finished = finished
  }
}

/** The letters of the queues, as far as a line of the file asks for them; each counts once. */
class Present {
  private readonly broker: Broker["Service"]
  private readonly bySource = new Map<string, Map<string, number>>()

  constructor(broker: Broker["Service"]) {
    this.broker = broker
  }

  /** Whether a letter like this is there, beyond those that were asked for before. */
  has(source: string, print: string): Effect.Effect<boolean, BrokerError> {
    const known = this.bySource.get(source)
    if (known === undefined)
      return Effect.andThen(
        this.load(source),
        Effect.suspend(() => this.has(source, print))
      )
    const count = known.get(print) ?? 0
    if (count > 0) known.set(print, count - 1)
    return Effect.succeed(count > 0)
  }

  private load(source: string): Effect.Effect<void, BrokerError> {
    const prints = new Map<string, number>()
    this.bySource.set(source, prints)
    return walk<never>(this.broker, {
      source,
      withKeys: false,
      workers: 1,
      each: (letter) =>
        Effect.sync(() => {
          const print = ExportedLetter.printOf({ ...summaryOf(letter), body: letter.body })
          prints.set(print, (prints.get(print) ?? 0) + 1)
          return true
        })
    })
  }
}

export const importLetters = Effect.fnUntraced(function* (broker: Broker["Service"], request: ImportRequest) {
  const { apply, bytes, progress } = request
  const counts = { imported: 0, present: 0, refused: 0 }
  const refusals: Array<Refusal> = []
  const refuse = (line: number, id: string | null, reason: string, message: string): void => {
    counts.refused++
    if (refusals.length < keptRefusals) refusals.push({ line, id, reason, message })
  }
  const present = new Present(broker)
  const now = Monotonic.of(yield* Clock.Clock)
  const outbox = yield* Outbox.make(broker, InFlightLimit.make(inFlight), () => {})
  const send = (message: Outgoing) =>
    Effect.callback<Outcome>((resume) => {
      const shipment = new ImportShipment(message, now() + copyMillis, (outcome) => {
        // Here and not after the effect: an interruption must not keep a confirmed letter from its count.
        if (outcome._tag === "Confirmed") counts.imported++
        resume(Effect.succeed(outcome))
      })
      outbox.submit(shipment)
      return Effect.sync(() => shipment.withdraw())
    })
  let next: number | null = null

  /** The letter of a line that is to be stored. */
  const select = ({ number, value }: Line) =>
    Effect.gen(function* () {
      const letter = Result.flatMap(value, ExportedLetter.outgoing)
      if (Result.isFailure(letter)) {
        refuse(number, null, "Invalid", letter.failure)
        return []
      }
      const { print, ...message } = letter.success
      if (message.to._tag === "DeadLetter" && (yield* present.has(message.to.subscriber, print))) {
        counts.present++
        return []
      }
      return [{ number, message }]
    })

  yield* Stream.fromAsyncIterable(jsonLines(bytes), (error) => error).pipe(
    Stream.mapError(
      (error) => new InputFailed({ line: 0, detail: error instanceof Error ? error.message : "unknown" })
    ),
    Stream.mapEffect(select),
    Stream.flattenIterable,
    Stream.takeWhile(() => next === null),
    Stream.mapEffect(
      ({ message, number }) =>
        Effect.gen(function* () {
          if (!apply) {
            counts.imported++
            return
          }
          if (next !== null) return
          const outcome = yield* send(message)
          if (outcome._tag === "Confirmed") return progress?.(counts.imported, counts.imported)
          refuse(number, message.properties.messageId, outcome._tag, outcome.message)
          next = Math.min(next ?? number, number)
        }),
      { concurrency: inFlight.count }
    ),
    Stream.runDrain
  )
  return {
    kind: "dead-letters.import" as const,
    version: 1 as const,
    dryRun: !apply,
    ...counts,
    refusals: refusals.toSorted((one, other) => one.line - other.line),
    next
  }
})
