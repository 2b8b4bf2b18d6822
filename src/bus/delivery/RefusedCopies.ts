/** Copies that the broker does not take: too large for it, or without the right to write there. Health names them. */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Monotonic from "../../observe/Monotonic.ts"
import type { Health } from "../../observe/Health.ts"

interface RefusedCopy {
  readonly subscriber: string
  readonly id: string
  readonly detail: string
}

/** Health stays degraded for this long after an event was left to the broker. */
const freshMillis = 5 * 60_000

export class RefusedCopies {
  readonly probe: Health.Probe
  private readonly now: Monotonic.Monotonic
  /** Still tried, by any object that stands for them. */
  private readonly waiting = new Map<object, RefusedCopy>()
  private last: (RefusedCopy & { readonly at: number }) | undefined
  private leftToBroker = 0

  constructor(clock: Clock.Clock) {
    this.now = Monotonic.of(clock)
    this.probe = { name: "refused copies", critical: false, check: Effect.sync(() => this.check()) }
  }

  waits(copy: object, refused: RefusedCopy): void {
    this.waiting.set(copy, refused)
  }

  ended(copy: object): void {
    this.waiting.delete(copy)
  }

  /** The broker dead-letters the event of this copy itself. */
  left(copy: object, refused: RefusedCopy): void {
    this.ended(copy)
    this.leftToBroker++
    this.last = { ...refused, at: this.now() }
  }

  private check(): Health.ProbeResult {
    const { last } = this
    const [first] = this.waiting.values()
    const isFresh = last !== undefined && this.now() - last.at < freshMillis
    const details = [
      ...(first === undefined ? [] : [`${this.waiting.size} copies are refused, the first is ${named(first)}`]),
      ...(last === undefined
        ? []
        : [
            `${this.leftToBroker} events were dead-lettered by the broker without a diagnosis, the last is ${named(last)}`
          ])
    ]
    return {
      status: first !== undefined || isFresh ? "degraded" : "up",
      detail: details.length === 0 ? "none" : details.join("; ")
    }
  }
}

const named = ({ detail, id, subscriber }: RefusedCopy): string => `${id} of ${subscriber}: ${detail}`
