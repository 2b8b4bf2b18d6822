/**
 * Which handlers ran at a moment in the past: those that still run, and the last ones that ended after half a second
 * or more. When the event loop was blocked for a second, the handler that did it is one of them. A handler that is
 * faster costs a comparison here.
 */
export interface Running {
  readonly event: { readonly type: string; readonly id: string }
  /** When it began, in seconds of the subscriber's stopwatch. */
  readonly began: number
}

/** A handler that may have blocked the event loop. */
export interface Suspect {
  readonly subscriber: string
  readonly event: string
  readonly id: string
  readonly began: number
  /** Undefined while it runs. */
  readonly ended: number | undefined
}

/** A handler that took fewer seconds blocked nothing for long. */
export const longSeconds = 0.5
const maxEnded = 64
const maxSuspects = 5
/** A block is measured by a timer, which knows its length and not exactly when it was. */
const share = 0.8

export class LongHandlers {
  private readonly running = new Map<string, Set<() => Iterable<Running>>>()
  private ended: Array<Suspect> = []

  /** Adds the running handlers of a subscriber. Returns how to remove them. */
  add(subscriber: string, running: () => Iterable<Running>): () => void {
    const own = this.running.get(subscriber) ?? new Set()
    this.running.set(subscriber, own.add(running))
    return () => {
      own.delete(running)
      if (own.size === 0) this.running.delete(subscriber)
    }
  }

  /** A handler that took at least `longSeconds` has ended. */
  end(subscriber: string, { began, event }: Running, seconds: number): void {
    if (this.ended.length >= maxEnded) this.ended = this.ended.slice(-maxEnded / 2)
    this.ended.push({ subscriber, event: event.type, id: event.id, began, ended: began + seconds })
  }

  /**
   * Who may have blocked the event loop for `seconds` until now; alone, where it is certain. Nothing starts and nothing
   * ends while the loop is blocked. So a handler that began last before it and ended first after it is the one; without
   * such a handler, it is one of those that ran through it.
   */
  suspects(now: number, seconds: number): ReadonlyArray<Suspect> {
    const until = now - seconds * share
    const through = [...this.ended.filter(({ ended = 0 }) => ended > until), ...this.stillRunning()].filter(
      ({ began, ended = now }) => began <= until && ended - began >= seconds * share
    )
    const last = through.reduce<Suspect | undefined>(
      (best, one) => (best === undefined || one.began >= best.began ? one : best),
      undefined
    )
    const [first] = through
    if (last !== undefined && last === first && last.ended !== undefined && last.began >= now - seconds / share) {
      return [last]
    }
    return distinct(through).slice(0, maxSuspects)
  }

  private *stillRunning(): Iterable<Suspect> {
    for (const [subscriber, all] of this.running) {
      for (const running of all) {
        for (const { began, event } of running()) {
          yield { subscriber, event: event.type, id: event.id, began, ended: undefined }
        }
      }
    }
  }
}

/** One of each subscriber and event. */
const distinct = (suspects: ReadonlyArray<Suspect>): ReadonlyArray<Suspect> => [
  ...new Map(suspects.map((suspect) => [`${suspect.subscriber}\n${suspect.event}`, suspect])).values()
]
