/**
 * Hands the role of the active process over. RabbitMQ gives a keyed subscriber's events to one process at a time, and
 * in a deploy that may be one that does not know an event yet. So this process stores what waits, closes its consumer
 * and consumes again, behind the others: the next one becomes active. RabbitMQ does not report whether there is one,
 * so this is tried again with growing pauses while an event waits here.
 *
 * Closing returns the deliveries that did not start, a life each. It is not done while one of them came back before:
 * those run first, so that an event loses one life at most to handovers in a row.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Monotonic from "../../observe/Monotonic.ts"
import type * as Log from "../../observe/Log.ts"
import type { Runner } from "../handle/RunnerApi.ts"
import type { Parking } from "../park/Parking.ts"
import { within } from "../support/DrainBudget.ts"

/** Meanwhile what arrived together is read, and what waits begins to be stored. */
const firstPauseMillis = 100
const maxPauseMillis = 5000
/** A pause is this much longer than handlers had to wait for the last try: other keys go on. */
const pauseFactor = 10
/** After this time without an event that this process does not know, the next one is handed over at once again. */
const forgetMillis = 5 * 60 * 1000
/** The first time that nothing starts, while running handlers end. Doubled as long as that was too short. */
const patienceMillis = 1000
const settlementMillis = 4000
const pollEvery = "200 millis"

export interface HandoverParts {
  readonly subscriber: { readonly name: string; readonly deadlineMillis: number }
  readonly runner: Runner
  readonly parking: Parking
  readonly clock: Clock.Clock
  readonly log: Log.Log
}

export class Handover {
  /** Completes when the consumer is to be closed: nothing runs, and what waited is stored. */
  readonly ready: Effect.Effect<void>
  private readonly parts: HandoverParts
  private readonly wanted = Latch.makeUnsafe(false)
  private readonly isAllowed: () => boolean
  private readonly now: Monotonic.Monotonic
  private lastAsked = 0
  private tries = 0
  private patience = patienceMillis
  private heldMillis = 0
  private isLogged = false

  /** `isAllowed` is whether all that is parked has arrived, and the subscriber is neither paused nor draining. */
  constructor(parts: HandoverParts, isAllowed: () => boolean) {
    this.parts = parts
    this.isAllowed = isAllowed
    this.now = Monotonic.of(parts.clock)
    this.ready = Effect.gen({ self: this }, function* () {
      do yield* this.untilTime()
      while (!(yield* this.prepare()))
    }).pipe(Effect.onInterrupt(() => Effect.sync(() => this.end())))
  }

  /** An event waits that another process may know. */
  ask(): void {
    const now = this.now()
    if (now - this.lastAsked > forgetMillis) {
      this.tries = 0
      this.heldMillis = 0
      this.isLogged = false
    }
    this.lastAsked = now
    this.wanted.openUnsafe()
  }

  /** The consumer is closed: handlers may start when there is another one. */
  end(): void {
    this.parts.runner.hold("handover", false)
  }

  private untilTime(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      yield* this.wanted.await
      yield* Effect.sleep(
        Math.max(Math.min(firstPauseMillis * 4 ** this.tries, maxPauseMillis), pauseFactor * this.heldMillis)
      )
      while (!this.mayClose()) yield* Effect.sleep(pollEvery)
    })
  }

  private mayClose(): boolean {
    return this.isAllowed() && !this.parts.runner.returnsAgain()
  }

  /** Returns whether nothing runs any more and the consumer may be closed. */
  private prepare(): Effect.Effect<boolean> {
    const { log, parking, runner, subscriber } = this.parts
    return Effect.gen({ self: this }, function* () {
      const begunAt = this.now()
      runner.hold("handover", true)
      const isQuiet = yield* Effect.map(
        Effect.timeoutOption(runner.quiet, this.patience),
        ({ _tag }) => _tag === "Some"
      )
      this.heldMillis = this.now() - begunAt
      if (!isQuiet) this.patience = Math.min(2 * this.patience, subscriber.deadlineMillis + patienceMillis)
      // Asked again: deliveries have arrived meanwhile.
      if (!isQuiet || !this.mayClose()) {
        if (!isQuiet) this.tries++
        runner.hold("handover", false)
        return false
      }
      this.tries++
      // Once: with no other process the next try is in seconds, again and again.
      if (!this.isLogged)
        log.info("another process may become active: an event waits that this one does not know", {
          subscriber: subscriber.name
        })
      this.isLogged = true
      this.wanted.closeUnsafe()
      this.patience = patienceMillis
      parking.leave()
      runner.wake(() => true, "Drain")
      runner.parkAttempted()
      yield* within(settlementMillis, runner.settledAll)
      parking.hasLeft()
      return true
    })
  }
}
