/**
 * The turns of the embedded broker. Each hop of a message (into the broker, out to a consumer) takes one turn of the
 * event loop, so that interleavings exist as they do over a network.
 */
import * as Effect from "effect/Effect"
import type { MemoryQueue } from "./MemoryQueue.ts"

// As it was at the start: a test that fakes the timers of Node still has a broker.
const { setImmediate: nextTurn } = globalThis

export class Turns {
  /** Takes what clients have sent; returns whether there is more for the next turn. */
  private readonly takeSends: () => boolean
  private awake = new Set<MemoryQueue>()
  private isScheduled = false
  private readonly watchers = new Set<() => void>()

  constructor(takeSends: () => boolean) {
    this.takeSends = takeSends
  }

  /** Asks for a turn. */
  readonly schedule = (): void => {
    if (this.isScheduled) return
    this.isScheduled = true
    nextTurn(this.run)
  }

  /** Has a queue deliver in the next turn. */
  readonly wake = (queue: MemoryQueue): void => {
    this.awake.add(queue)
    this.schedule()
  }

  /** Completes after a turn at whose end the condition holds and no turn is to come. */
  until(condition: () => boolean): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      const watcher = (): void => {
        if (this.isScheduled || !condition()) return
        this.watchers.delete(watcher)
        resume(Effect.void)
      }
      this.watchers.add(watcher)
      this.schedule()
      return Effect.sync(() => void this.watchers.delete(watcher))
    })
  }

  private readonly run = (): void => {
    this.isScheduled = false
    const queues = this.awake
    this.awake = new Set()
    for (const queue of queues) queue.pump()
    const more = this.takeSends()
    if (this.awake.size > 0 || more) this.schedule()
    for (const watcher of this.watchers) watcher()
  }
}
