/**
 * Runs a bus until it comes to rest, or until a condition holds: turns of the event loop as long as something changes
 * by itself, then steps of the test clock.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as Monotonic from "../observe/Monotonic.ts"
import type { BusInternals } from "../bus/BusInternals.ts"
import type { EventBus } from "../bus/EventBus.ts"
import { TaggedError } from "../event/Tagged.ts"
import type { MemoryServer } from "../memory/index.ts"
import { pause, turn } from "./RealTimers.ts"
import type { RealWork } from "./RealWork.ts"

/** Something goes on without end: a handler that never returns, or events that cause each other for ever. */
export class NotSettled extends TaggedError<NotSettled>()("NotSettled", (Schema) => ({
  steps: Schema.Int,
  running: Schema.Int,
  held: Schema.Int,
  delayed: Schema.Int
})) {
  override get message(): string {
    return (
      `the bus did not come to rest in ${this.steps} steps: ${this.running} handlers run, ${this.held} deliveries are held, ` +
      `${this.delayed} are delayed. Look for a handler that never ends or events that cause each other for ever`
    )
  }
}

const maxSteps = 100_000
/** Waits in the process are passed in steps: small ones, or a part of the time that passed without any change. */
const stepMillis = 100
const stepShare = 16
/** The step while something ends. A drain is given up after 25 seconds of the clock. */
const endingStepMillis = 1_000
/** Turns of the event loop without a change after which nothing more changes by itself. */
const calmTurns = 4
/** Real milliseconds that handlers get for real work before the clock moves on. */
const patienceMillis = 20

interface View {
  readonly running: number
  readonly held: number
  readonly settled: number
  readonly sending: number
  readonly unacked: number
  readonly delayed: number
  readonly ready: number
}

export class Quiescence {
  private readonly bus: EventBus["Service"]
  private readonly internals: BusInternals["Service"]
  private readonly server: MemoryServer["Service"]
  private readonly realWork: RealWork

  constructor(
    bus: EventBus["Service"],
    internals: BusInternals["Service"],
    server: MemoryServer["Service"],
    realWork: RealWork
  ) {
    this.bus = bus
    this.internals = internals
    this.server = server
    this.realWork = realWork
  }

  /** Runs everything to its end, delays included. */
  settle(): Effect.Effect<void, NotSettled> {
    return Effect.flatMap(Clock.Clock, (clock) =>
      // The live clock cannot be moved.
      "adjust" in clock ? this.until(Effect.succeed(false)) : this.server.idle
    )
  }

  /** Runs until the condition holds, or there is nothing left to do. With the live clock it waits for the condition alone. */
  until(condition: Effect.Effect<boolean>): Effect.Effect<void, NotSettled> {
    return Effect.gen({ self: this }, function* () {
      const isTestClock = "adjust" in (yield* Clock.Clock)
      let last: View | undefined
      /** Seen while its handlers did no real work: they wait for the clock. */
      let idle: View | undefined
      let stillSince = 0
      for (let step = 0; step < maxSteps; step++) {
        let view = yield* this.calm()
        if (yield* condition) return
        if (!isTestClock) {
          yield* pause(patienceMillis)
          continue
        }
        const now = (yield* Monotonic.make)()
        if (last === undefined || !same(last, view)) stillSince = now
        last = view
        if (view.running > 0 && (idle === undefined || !same(idle, view) || this.realWork.isVisible())) {
          // It may do real work, which no clock hurries.
          this.realWork.begin()
          yield* pause(patienceMillis)
          const hasComputed = this.realWork.hasComputed()
          const later = yield* this.calm()
          if (!same(view, later)) continue
          view = later
          idle = hasComputed || this.realWork.isVisible() ? undefined : view
        }
        const due = this.server.nextDue()
        const waits = view.sending + view.unacked + view.ready + view.held + (yield* this.pending()) > 0
        if (!waits && due === undefined) return
        // What is overdue began its sleep when the clock had moved on: it ends later.
        const isNext = !waits && due !== undefined && due > now
        // Whole milliseconds: what is less than a nanosecond would never pass.
        yield* TestClock.adjust(
          isNext ? Math.ceil(due - now) : Math.max(stepMillis, Math.ceil((now - stillSince) / stepShare))
        )
      }
      return yield* this.notSettled(maxSteps)
    })
  }

  /**
   * Moves the clock until an end has come, of a subscriber or of the bus: it may wait for a handler that waits for the
   * clock, or for ever. What may be real work gets more time, and not without bound: a server that listens looks like work.
   */
  untilEnded(ended: Promise<unknown>): Effect.Effect<void> {
    const move = Effect.gen({ self: this }, function* () {
      while (true) {
        yield* pause(patienceMillis)
        yield* TestClock.adjust(this.realWork.isVisible() ? stepMillis : endingStepMillis)
      }
    })
    return Effect.raceFirst(
      Effect.promise(() => ended.then(noop, noop)),
      move
    )
  }

  notSettled(steps: number): Effect.Effect<never, NotSettled> {
    return Effect.flatMap(this.view(), ({ delayed, held, running }) =>
      Effect.fail(new NotSettled({ steps, running, held, delayed }))
    )
  }

  /** Waits until nothing changes by itself any more. */
  private calm(): Effect.Effect<View> {
    return Effect.gen({ self: this }, function* () {
      let view = yield* this.view()
      for (let turns = 0; turns < calmTurns;) {
        yield* turn
        const next = yield* this.view()
        turns = same(view, next) ? turns + 1 : 0
        view = next
      }
      return view
    })
  }

  private view(): Effect.Effect<View> {
    return Effect.gen({ self: this }, function* () {
      let [running, held, settled] = [0, 0, 0]
      for (const subscription of yield* this.internals.subscriptions) {
        const stats = yield* subscription.stats
        running += stats.inFlight
        held += stats.held
        settled += stats.handled + stats.deadLettered + stats.retried + stats.postponed + stats.skipped
      }
      return { running, held, settled, ...this.server.counts() }
    })
  }

  /** Publishes and copies without an outcome, and subscribers that are about to run. */
  private pending(): Effect.Effect<number> {
    return Effect.map(this.bus.tree, ({ publishing, settling, subscribers }) => {
      const starting = subscribers.filter(({ _tag }) => _tag !== "Running" && _tag !== "Stopped" && _tag !== "Failed")
      return publishing.inFlight + publishing.waiting + settling.inFlight + settling.waiting + starting.length
    })
  }
}

const noop = (): void => {}

const same = (a: View, b: View): boolean => JSON.stringify(a) === JSON.stringify(b)
