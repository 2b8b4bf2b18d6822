/** Dead letters that did not come back after a look, and queues whose letters cannot be stored anew. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { BrokerProbe } from "../../bus/port/Broker.ts"
import type { BrokerError } from "../../bus/port/BrokerError.ts"

/** A queue is left alone for this long after a letter of it could not be stored anew; without the right to, for good. */
const refusedMillis = 30_000
const deniedMillis = Number.POSITIVE_INFINITY
/** The broker takes letters back within milliseconds, on a machine that is not overloaded. */
const laterMillis = 5000
const largestMillis = 60 * 60_000
/** Health stays degraded for this long. */
const freshMillis = 60 * 60_000

export class LetterLosses {
  readonly probe: BrokerProbe
  private readonly now: () => number
  private readonly refusals = new Map<string, { readonly until: number; readonly error: BrokerError }>()
  private largest = { bytes: 0, until: 0 }
  private readonly lost = new Map<string, { readonly at: number; readonly count: number }>()

  /** How often a reader was opened. */
  private readonly readers = new Map<string, number>()
  private readonly scope: Scope.Scope

  /** What it does in the background ends with the scope. */
  constructor(now: () => number, scope: Scope.Scope) {
    this.now = now
    this.scope = scope
    this.probe = { name: "looks at dead letters", check: Effect.sync(() => this.check()) }
  }

  /** Fails while the letters of this queue cannot be stored anew: each look would bring them nearer to their end. */
  mayTake(queue: string): Effect.Effect<void, BrokerError> {
    return Effect.suspend(() => {
      const refusal = this.refusals.get(queue)
      if (refusal === undefined) return Effect.void
      if (refusal.until > this.now()) return Effect.fail(refusal.error)
      this.refusals.delete(queue)
      return Effect.void
    })
  }

  /** The size of the largest letter that the broker takes; it may change, so it is not kept for long. */
  get maxBytes(): number {
    return this.largest.until > this.now() ? this.largest.bytes : Number.POSITIVE_INFINITY
  }

  /** Only the letters above this size cannot be stored anew: the queue may be read again. */
  tooLarge(bytes: number): void {
    this.largest = { bytes, until: this.now() + largestMillis }
  }

  refused(queue: string, error: BrokerError): void {
    if (this.maxBytes !== Number.POSITIVE_INFINITY && error.reason._tag === "Refused") return
    const millis = error.reason._tag === "Permission" ? deniedMillis : refusedMillis
    this.refusals.set(queue, { until: this.now() + millis, error })
  }

  opened(queue: string): void {
    this.readers.set(queue, this.opens(queue) + 1)
  }

  /** Letters did not come back at once: counts later what is missing, unless someone reads them meanwhile. */
  lookLater(queue: string, missing: Effect.Effect<number, unknown>): Effect.Effect<void> {
    return Effect.suspend(() => {
      const opens = this.opens(queue)
      return Effect.sleep(laterMillis).pipe(
        Effect.andThen(Effect.suspend(() => (this.opens(queue) === opens ? missing : Effect.succeed(0)))),
        Effect.flatMap((count) => (this.opens(queue) === opens ? this.missed(queue, count) : Effect.void)),
        Effect.ignore,
        Effect.forkIn(this.scope),
        Effect.asVoid
      )
    })
  }

  private opens(queue: string): number {
    return this.readers.get(queue) ?? 0
  }

  private missed(queue: string, count: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (count <= 0) return Effect.void
      const before = this.lost.get(queue)?.count ?? 0
      this.lost.set(queue, { at: this.now(), count: before + count })
      return Effect.annotateLogs(Effect.logError(`dead letters did not come back after a look: ${remedy}`), {
        queue,
        count
      })
    })
  }

  private check(): Effect.Success<BrokerProbe["check"]> {
    const fresh = [...this.lost].filter(([, { at }]) => this.now() - at < freshMillis)
    if (fresh.length === 0) return { status: "up", detail: "all came back" }
    const places = fresh.map(([queue, { count }]) => `${count} of ${queue}`).join(", ")
    return { status: "degraded", detail: `${places} did not come back: ${remedy}` }
  }
}

const remedy =
  "a policy sets a delivery-limit (or a length or time limit) on the queue, which drops what it covers: take it away (rabbitmqctl list_policies)"
