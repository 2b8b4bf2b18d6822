/**
 * Trials of events that may end the process. Each start of such an event is known to the next process, because it is written
 * down or because the event is held for nothing else, and an event whose starts never end is dead-lettered. So while one is tried, nothing that came back before starts in any subscriber of the
 * process: an innocent event would be judged by the deaths that another one causes.
 *
 * What never came back may end the process, too. So for a second a trial waits until nothing else runs, and for a second
 * nothing else starts beside it. Longer no event is held back by another.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Monotonic from "../../observe/Monotonic.ts"
import * as Returns from "../delivery/Returns.ts"
import { startsOf, type Work } from "../delivery/Work.ts"

/** A start of an event that the next process learns of, from its turn until its handler ends. */
export interface Trial {
  /** The delivery that runs, as soon as it is here. */
  work: Work | undefined
  /** Lets others start beside it after a while. */
  timer: Fiber.Fiber<void> | undefined
}

/** What a trial asks of each subscriber. */
export interface TrialRunner {
  readonly running: Iterable<Work>
  readonly pump: () => void
}

interface Waiter {
  readonly trial: Trial
  readonly begin: () => void
}

/** A trial whose handler did not start by then is none. */
const startMillis = 10_000
/** Until the handlers that run have ended. */
const pollMillis = 5

export class Trials {
  private readonly runners = new Set<TrialRunner>()
  private readonly waiting = new Set<Waiter>()
  private current: Trial | undefined
  private isAlone = false
  /** Events that are being dead-lettered as killers. */
  private judged = 0

  /** Suspects that leave this process by a copy. */
  private leaving = 0

  /** Whether there is one: nothing else of this is asked for otherwise. */
  get isOn(): boolean {
    return this.current !== undefined || this.judged > 0 || this.leaving > 0
  }

  /** Returns what removes it. */
  add(runner: TrialRunner): () => void {
    this.runners.add(runner)
    return () => this.runners.delete(runner)
  }

  isCurrent(trial: Trial): boolean {
    return this.current === trial
  }

  mayStart(work: Work): boolean {
    const { current, isAlone, judged, leaving } = this
    if (judged > 0 || (leaving > 0 && cameBack(work))) return false
    return current === undefined || current.work === work || !(isAlone || cameBack(work))
  }

  /**
   * Nothing starts while an event is dead-lettered: another one may end the process at once, and this one would come back
   * and become a second letter. Not for longer than a second.
   */
  judge<A>(verdict: Effect.Effect<A>): Effect.Effect<A> {
    return this.during(verdict, (more) => void (this.judged += more))
  }

  /** Nothing that came back starts while a suspect leaves by a copy: it would come back as well. Not for longer than a second. */
  leave<A>(copy: Effect.Effect<A>): Effect.Effect<A> {
    return this.during(copy, (more) => void (this.leaving += more))
  }

  private during<A>(effect: Effect.Effect<A>, count: (more: 1 | -1) => void): Effect.Effect<A> {
    let isOver = false
    const end = (): void => {
      if (isOver) return
      isOver = true
      count(-1)
      this.pumpAll()
    }
    const begin = Effect.suspend(() => {
      count(1)
      return Effect.forkDetach(Effect.delay(Effect.sync(end), Returns.aloneMillis))
    })
    return Effect.acquireUseRelease(
      begin,
      () => effect,
      (timer) =>
        Effect.sync(() => {
          timer.interruptUnsafe()
          end()
        })
    )
  }

  /**
   * Begins the trial of an event that is held only if it starts at once, and may not wait until others have ended. Returns
   * undefined while there is another trial.
   */
  beginNow(work: Work, fork: (limits: Effect.Effect<void>) => Fiber.Fiber<void>): Trial | undefined {
    if (this.current !== undefined || this.judged > 0 || this.waiting.size > 0) return undefined
    const trial: Trial = { work, timer: undefined }
    this.current = trial
    this.isAlone = true
    trial.timer = fork(this.limits(trial))
    return trial
  }

  /** Completes when every other suspect that arrived with this one has had time to leave. */
  get quiet(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      do yield* Effect.sleep(Returns.quietMillis)
      while (this.leaving > 0)
    })
  }

  /** Completes when nothing else that came back runs. The trial goes on until `end`. */
  begin(trial: Trial): Effect.Effect<void> {
    const turn = Effect.callback<void>((resume) => {
      const waiter: Waiter = { trial, begin: () => resume(Effect.void) }
      this.waiting.add(waiter)
      this.next()
      return Effect.sync(() => this.waiting.delete(waiter))
    })
    return Effect.gen({ self: this }, function* () {
      yield* turn
      const now = Monotonic.of(yield* Clock.Clock)
      const until = now() + Returns.aloneMillis
      while (this.runs(() => true) && now() < until) yield* Effect.sleep(pollMillis)
      this.share(trial)
      while (this.runs(cameBack)) yield* Effect.sleep(pollMillis)
      this.isAlone = true
      // Detached, so that no drain waits for it.
      trial.timer = yield* Effect.forkDetach(this.limits(trial))
    })
  }

  /** No other event waits for long for this one, nor for one that does not start, such as while its subscriber is paused. */
  private limits(trial: Trial): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      yield* Effect.sleep(Returns.aloneMillis)
      this.share(trial)
      yield* Effect.sleep(startMillis)
      if (!this.runs((work) => work === trial.work)) this.end(trial)
    })
  }

  /** Called when a handler is given up. */
  ended(work: Work): void {
    if (this.current?.work === work) this.end(this.current)
  }

  /**
   * Called when a handler ended. Its trial ends when its delivery is settled: the next suspect may end the process at once,
   * and this one would come back as if it had done that.
   */
  settling(work: Work, isSettled: () => boolean, fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>): void {
    const trial = this.current
    if (trial?.work !== work) return
    if (isSettled()) return this.end(trial)
    trial.timer?.interruptUnsafe()
    trial.timer = fork(this.untilSettled(trial, isSettled))
  }

  private untilSettled(trial: Trial, isSettled: () => boolean): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const now = Monotonic.of(yield* Clock.Clock)
      const until = now() + Returns.aloneMillis
      while (!isSettled() && now() < until) yield* Effect.sleep(pollMillis)
      trial.timer = undefined
      this.end(trial)
    })
  }

  end(trial: Trial): void {
    if (this.current !== trial) return
    this.current = undefined
    this.isAlone = false
    trial.timer?.interruptUnsafe()
    // Others first, so that trials in a row do not keep them from starting.
    this.pumpAll()
    this.next()
  }

  private next(): void {
    const [first] = this.waiting
    if (this.current !== undefined || first === undefined) return
    this.waiting.delete(first)
    this.current = first.trial
    this.isAlone = true
    first.begin()
  }

  private share(trial: Trial): void {
    if (this.current !== trial || !this.isAlone) return
    this.isAlone = false
    this.pumpAll()
  }

  private runs(which: (work: Work) => boolean): boolean {
    for (const { running } of this.runners) for (const work of running) if (!work.zombie && which(work)) return true
    return false
  }

  private pumpAll(): void {
    for (const { pump } of this.runners) pump()
  }
}

/** Whether a process may have ended while it ran. */
export const cameBack = (work: Work): boolean => Returns.countOf(work.delivery) > 0 || startsOf(work) > 0
