/** A close that may never be answered, such as one on a connection that hangs. */
import * as Effect from "effect/Effect"

/**
 * Starts the close and waits for it up to this long, whatever comes of it. It is raced with a timer outside of
 * fibers, because finalizers cannot be interrupted.
 */
export const closeWithin = (millis: number, close: () => Promise<unknown>): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const timer = setTimeout(() => resume(Effect.void), millis)
    const end = (): void => {
      clearTimeout(timer)
      resume(Effect.void)
    }
    try {
      close().then(end, end)
    } catch {
      end()
    }
  })
