/**
 * The reminder of a keyed subscriber: one message that comes back every half minute while events are parked,
 * to whichever process is active then. It is on the broker before the first event is parked, and is not sent
 * on when nothing is parked any more.
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

export interface ReminderOptions {
  /** Whether anything is parked. */
  readonly isNeeded: () => boolean
  /** It arrives after half a minute, or at once. */
  readonly send: (id: string, atOnce: boolean) => Effect.Effect<void>
  readonly nextId: () => string
  readonly run: (effect: Effect.Effect<void>) => Fiber.Fiber<unknown, unknown>
}

export class ParkedReminder {
  private readonly options: ReminderOptions
  /** The id of the one on its way. */
  private current: string | undefined
  /** Keys that are about to be parked. */
  private beginning = 0

  constructor(options: ReminderOptions) {
    this.options = options
  }

  /** Completes when one is on its way. */
  readonly ensure: Effect.Effect<void> = Effect.suspend(() => {
    this.beginning++
    return Effect.ensuring(
      this.current === undefined ? this.sendOne : Effect.void,
      Effect.sync(() => {
        this.beginning--
      })
    )
  })

  /** One more, at once: the process that becomes active may have nothing else to learn it from. */
  readonly remind: Effect.Effect<void> = Effect.suspend(() => this.options.send(this.options.nextId(), true))

  /** `done` is called when the one that arrived may be acknowledged. */
  arrived(id: string, done: () => void): void {
    // Another one is on its way, and one is enough.
    if (this.current !== undefined && this.current !== id) return done()
    this.current = undefined
    if (this.options.isNeeded() || this.beginning > 0) {
      this.options.run(Effect.andThen(this.sendOne, Effect.sync(done)))
    } else done()
  }

  /** From here on, the next one that arrives counts as the one on its way. */
  forget(): void {
    this.current = undefined
  }

  private readonly sendOne: Effect.Effect<void> = Effect.suspend(() => {
    const id = this.options.nextId()
    return Effect.andThen(
      this.options.send(id, false),
      Effect.sync(() => {
        this.current = id
      })
    )
  })
}
