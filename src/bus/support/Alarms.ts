/**
 * Calls back at a time each: one sleeping fiber for all of them instead of a timer for each. Most alarms are taken back long
 * before they are due, and most are due in the order in which they were set, so that setting one costs an entry of a set.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Monotonic from "../../observe/Monotonic.ts"

export interface Alarm {
  /** Monotonic time, in milliseconds. */
  readonly due: number
  /** Called once, unless the alarm is taken back before. Never throws. */
  readonly ring: () => void
}

export class Alarms {
  /** Monotonic time, in milliseconds. */
  readonly now: Monotonic.Monotonic
  private readonly alarms = new Set<Alarm>()
  private readonly context: Context.Context<never>
  private sleeper: Fiber.Fiber<void> | undefined
  private wakesAt = Number.POSITIVE_INFINITY
  private isClosed = false

  constructor(context: Context.Context<never>) {
    this.context = context
    this.now = Monotonic.of(Context.get(context, Clock.Clock))
  }

  set(alarm: Alarm): void {
    this.alarms.add(alarm)
    if (alarm.due < this.wakesAt) this.sleepUntil(alarm.due)
  }

  takeBack(alarm: Alarm): void {
    if (this.alarms.delete(alarm) && this.isClosed) this.rest()
  }

  /** From now on no sleep outlasts its alarms: it would keep the process alive. What is set still rings. */
  close(): void {
    this.isClosed = true
    this.rest()
  }

  private rest(): void {
    if (this.alarms.size > 0) return
    this.sleeper?.interruptUnsafe()
    this.wakesAt = Number.POSITIVE_INFINITY
  }

  private sleepUntil(due: number): void {
    this.sleeper?.interruptUnsafe()
    this.wakesAt = due
    this.sleeper = Effect.runForkWith(this.context)(
      Effect.andThen(Effect.sleep(Duration.millis(Math.max(0, due - this.now()))), Effect.sync(this.ring))
    )
  }

  private readonly ring = (): void => {
    this.sleeper = undefined
    this.wakesAt = Number.POSITIVE_INFINITY
    const now = this.now()
    let next = Number.POSITIVE_INFINITY
    for (const alarm of this.alarms) {
      if (alarm.due > now) next = Math.min(next, alarm.due)
      else {
        this.alarms.delete(alarm)
        alarm.ring()
      }
    }
    if (next < this.wakesAt) this.sleepUntil(next)
  }
}

/** Alarms of the current scope. */
export const make = Effect.contextWith((context: Context.Context<never>) =>
  Effect.acquireRelease(
    Effect.sync(() => new Alarms(context)),
    (alarms) => Effect.sync(() => alarms.close())
  )
)
