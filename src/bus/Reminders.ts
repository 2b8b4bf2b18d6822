/**
 * The reminder of a keyed subscriber: one message that comes back every half minute while anything is
 * parked, to whichever process is active then. It is on the broker before the first event is parked, and
 * is not sent on when nothing is.
 */
import { Effect, type Fiber } from "effect"

export const make = (options: {
  readonly needed: () => boolean
  readonly send: (id: string) => Effect.Effect<void>
  readonly nextId: () => string
  readonly run: (effect: Effect.Effect<void>) => Fiber.Fiber<unknown, unknown>
}) => {
  const { needed, nextId, run, send } = options
  let current: string | undefined
  const sendOne = Effect.suspend(() => {
    const id = nextId()
    return Effect.andThen(
      send(id),
      Effect.sync(() => {
        current = id
      })
    )
  })
  return {
    /** Completes when one is under way. */
    ensure: Effect.suspend(() => (current === undefined ? sendOne : Effect.void)),
    /** `done` when it may be acknowledged. */
    arrived: (id: string, done: () => void): void => {
      // Another one is under way: of two that tell the same one is enough.
      if (current !== undefined && current !== id) return done()
      current = undefined
      if (needed()) run(Effect.andThen(sendOne, Effect.sync(done)))
      else done()
    },
    /** Whichever is under way is adopted when it comes. */
    forget: (): void => {
      current = undefined
    }
  }
}
