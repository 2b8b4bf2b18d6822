/**
 * Events of a subscriber without ordering that may end their process. What came back twice leaves the subscriber's queue by
 * a confirmed copy, for a queue from which a process takes one event at a time, and only when its handler can start at
 * once. A process that dies in the first turn of a handler writes nothing down: there, its return says that it started. So
 * an event is judged by its own starts, and not by the company in which it came back.
 *
 * The first start may have company, since much that came back does no harm. What does not end is tried alone from then on.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { constVoid } from "effect/Function"
import * as Latch from "effect/Latch"
import * as Monotonic from "../../observe/Monotonic.ts"
import * as ControlMessage from "../delivery/ControlMessage.ts"
import type { Copies } from "../delivery/Copies.ts"
import * as Decision from "../delivery/Decision.ts"
import type { FailurePolicy } from "../delivery/FailurePolicy.ts"
import * as Returns from "../delivery/Returns.ts"
import { copySource, startsOf, type Work } from "../delivery/Work.ts"
import type { IsolationApi } from "../handle/IsolationApi.ts"
import type { Trial, Trials } from "../handle/Trials.ts"

/** After the last sign of a suspect: RabbitMQ may need minutes to notice that the process that held it is gone. */
const watchMillis = 5 * 60_000
/** Another process learns within this time, and the wait of a reminder, that this one is gone. */
export const remindMillis = 30_000
/** Suspects have no order. */
const noPlace = { position: 0, starts: 0 }

export interface IsolationOptions {
  readonly subscriber: { readonly name: string }
  readonly copies: Copies
  readonly policy: FailurePolicy
  readonly trials: Trials
  readonly nextId: () => string
  /** Declares the queue of suspects where it may be missing. Returns whether it is there. */
  readonly declare: Effect.Effect<boolean>
}

export class Isolation implements IsolationApi {
  /** Open while there may be suspects. */
  readonly wanted = Latch.makeUnsafe(false)
  /** Opened by each suspect that is stored. */
  readonly stored = Latch.makeUnsafe(false)
  /** The trial under which the next suspect arrives; without one it starts beside others. */
  trial: Trial | undefined
  /** Whether the queue of suspects is known to exist. */
  isThere = false
  /** Whether a suspect may be held. */
  isHolding = false
  /** Copies that are on their way. A process that ends meanwhile leaves an event twice. */
  private moving = 0
  private readonly mayMove = Latch.makeUnsafe(true)
  /** Whether suspects are to be expected that started before. */
  needsTrial = true
  private readonly options: IsolationOptions
  private readonly clock: Clock.Clock
  private readonly monotonic: Monotonic.Monotonic
  private watchedUntil = 0
  private remindedUntil = Number.NEGATIVE_INFINITY
  private lastSeen = Number.NEGATIVE_INFINITY
  /** The suspect that was lost with its consumer, not with this process, and how often it had started before. */
  private survived: { readonly id: string; readonly starts: number } | undefined

  constructor(options: IsolationOptions, clock: Clock.Clock) {
    this.options = options
    this.clock = clock
    this.monotonic = Monotonic.of(clock)
  }

  /**
   * The delivery that a process took alone came back alone, so one return suffices. But not for the first suspect: most
   * subscribers never need the queue, and each loss of a connection returns what was held.
   */
  isolates({ delivery, origin }: Work): boolean {
    return Returns.countOf(delivery) >= (origin.isolated && this.isThere ? 1 : Returns.suspiciousCount)
  }

  isolate(work: Work, isKiller: boolean): Effect.Effect<Decision.Decision> {
    const { declare, policy } = this.options
    return Effect.gen({ self: this }, function* () {
      if (!(yield* declare)) return isKiller ? yield* policy.deadLetterCrashLoop(work) : Decision.runAgain
      // It is on its way before the suspect is: if this process ends, another one learns that there is one.
      if (this.monotonic() >= this.remindedUntil) yield* this.remind
      yield* this.mayMove.await
      const decision = yield* this.store(work)
      return isKiller && decision === Decision.runAgain ? yield* policy.deadLetterCrashLoop(work) : decision
    })
  }

  arrived(work: Work, mayStart: boolean): Effect.Effect<Decision.Decision> | undefined {
    const { trials } = this.options
    const starts = this.startsOf(work)
    work.progress = { ...work.progress, tried: starts }
    this.needsTrial = starts > 0
    if (starts >= Returns.maxStarts) return this.judge(work)
    const trial = this.trial !== undefined && trials.isCurrent(this.trial) ? this.trial : undefined
    const isRight = trial === undefined ? starts === 0 && !trials.isOn : trial.work === undefined
    if (!mayStart || !isRight || trials.isJudging) return this.store(work)
    if (trial !== undefined) trial.work = work
    return undefined
  }

  undo(work: Work): Effect.Effect<Decision.Decision> | undefined {
    return work.origin.lone && !work.delivery.lost() ? this.store(work) : undefined
  }

  /** Its consumer is lost and this process lives on: that is no start that ended a process. */
  survive({ event, progress }: Work): void {
    this.survived = { id: event.id, starts: progress.tried }
  }

  /** Whether nothing moves. From this call on nothing begins to, until `letMove`. */
  isStill(): boolean {
    this.mayMove.closeUnsafe()
    return this.moving === 0
  }

  letMove(): void {
    this.mayMove.openUnsafe()
  }

  /** There may be suspects. */
  watch(): void {
    this.watchedUntil = this.monotonic() + watchMillis
    this.wanted.openUnsafe()
  }

  /** There are suspects. */
  saw(): void {
    this.lastSeen = this.monotonic()
    this.watch()
  }

  /** Whether other processes must learn that there are suspects: this one is not only looking for them. */
  mustRemind(): boolean {
    return this.isHolding || this.monotonic() - this.lastSeen < 2 * remindMillis
  }

  /** None was there. `isGone` is whether there is no queue. */
  sawNone(isGone: boolean): void {
    if (this.stored.isOpen()) return
    if (isGone || this.monotonic() >= this.watchedUntil) this.wanted.closeUnsafe()
  }

  /** Any process of the subscriber may get it. */
  readonly remind: Effect.Effect<void> = Effect.suspend(() => {
    const { copies, nextId, subscriber } = this.options
    const now = this.clock.currentTimeMillisUnsafe()
    this.remindedUntil = this.monotonic() + remindMillis
    return copies.sendControl(ControlMessage.write({ _tag: "Reminder", id: nextId() }, subscriber.name, now), true)
  })

  private store(work: Work): Effect.Effect<Decision.Decision> {
    const { copies, subscriber } = this.options
    return Effect.suspend(() => {
      const source = copySource(subscriber.name, work, { ...work.progress, returns: Returns.suspiciousCount })
      this.moving++
      return copies.tryPark(work.delivery, source, noPlace).pipe(
        Effect.ensuring(Effect.sync(() => this.moving--)),
        Effect.map((isStored) => {
          // Without the right to store it, it runs from where it is.
          if (!isStored) return work.delivery.lost() ? Decision.settled : Decision.runAgain
          this.isThere = true
          this.saw()
          this.stored.openUnsafe()
          return Decision.settled
        })
      )
    })
  }

  private startsOf(work: Work): number {
    const { survived } = this
    this.survived = undefined
    const starts = startsOf(work)
    return survived?.id === work.event.id && survived.starts === starts - 1 ? survived.starts : starts
  }

  private judge(work: Work): Effect.Effect<Decision.Decision> {
    const flush = Effect.sync(() => work.origin.flush(constVoid))
    return this.options.trials.judge(Effect.ensuring(this.options.policy.deadLetterCrashLoop(work), flush))
  }
}
