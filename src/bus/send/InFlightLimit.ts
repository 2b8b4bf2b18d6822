/**
 * A limit on what is in flight, by count and by bytes. A message that does not fit waits in order. A bus has two
 * of these: that of the callers, which is shut while the broker is away, blocks publishers or the bus drains, and
 * that of the copies, which only bounds: what settles a delivery is never refused.
 *
 * A waiter stands for itself in the queue, so that leaving it is O(1).
 */

export interface Waiter {
  readonly bytes: number
  /** Whether it may pass while the bus drains, because it belongs to a handler that is to finish. */
  readonly privileged: boolean
  /** Called when it has entered. */
  readonly admit: () => void
}

export type Phase = "open" | "handlers-only" | "shut"

export interface InFlightLimit {
  /** Enters at once if there is room and nothing waits. */
  readonly tryEnter: (bytes: number, privileged: boolean) => boolean
  readonly wait: (waiter: Waiter) => void
  readonly giveUp: (waiter: Waiter) => void
  readonly leave: (bytes: number) => void
  /** Whether the broker takes publishes now. */
  readonly setReady: (ready: boolean) => void
  readonly setPhase: (phase: Phase) => void
  readonly phase: () => Phase
  readonly inFlight: () => number
  readonly bytes: () => number
  readonly waiting: () => number
}

export interface Bounds {
  readonly count: number
  readonly bytes: number
}

export const make = (bounds: Bounds): InFlightLimit => {
  let count = 0
  let bytes = 0
  let ready = true
  let phase: Phase = "open"
  const waiters = new Set<Waiter>()

  // A message larger than the limit passes alone: it would wait for ever otherwise.
  const fits = (size: number): boolean => count < bounds.count && (bytes + size <= bounds.bytes || count === 0)
  const passes = (privileged: boolean): boolean =>
    ready && (phase === "open" || (phase === "handlers-only" && privileged))
  const enter = (size: number): void => {
    count++
    bytes += size
  }
  let admitting = false
  const admit = (): void => {
    // A waiter that is answered within its send leaves at once: the loop below sees the room that it made.
    if (waiters.size === 0 || admitting) return
    admitting = true
    for (const waiter of waiters) {
      if (!fits(waiter.bytes)) break
      if (!passes(waiter.privileged)) continue
      waiters.delete(waiter)
      enter(waiter.bytes)
      waiter.admit()
    }
    admitting = false
  }

  return {
    tryEnter: (size, privileged) => {
      if (waiters.size > 0 || !passes(privileged) || !fits(size)) return false
      enter(size)
      return true
    },
    wait: (waiter) => {
      waiters.add(waiter)
      admit()
    },
    giveUp: (waiter) => {
      if (waiters.delete(waiter)) admit()
    },
    leave: (size) => {
      count--
      bytes -= size
      admit()
    },
    setReady: (value) => {
      ready = value
      admit()
    },
    setPhase: (value) => {
      phase = value
      admit()
    },
    phase: () => phase,
    inFlight: () => count,
    bytes: () => bytes,
    waiting: () => waiters.size
  }
}
