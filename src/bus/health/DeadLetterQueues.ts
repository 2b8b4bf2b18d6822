/**
 * The dead-letter queues of this bus, whose depths are inspected now and then, for the metrics and for health. The
 * queue of undeliverable events is one of them.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Monotonic from "../../observe/Monotonic.ts"
import type { Health } from "../../observe/Health.ts"
import * as LookPace from "../support/LookPace.ts"
import type { Broker, DeadLetterSource } from "../port/Broker.ts"

const inspectEveryMillis = 15_000
/** Health stays degraded for this long after a queue grew. */
const freshMillis = 5 * 60_000

export interface DeadLetterQueue {
  depth: number
  /** When it was last seen to grow. */
  grewAt: number | undefined
}

export class DeadLetterQueues {
  readonly undeliverable: DeadLetterQueue = { depth: 0, grewAt: undefined }
  readonly probe: Health.Probe
  private readonly broker: Broker["Service"]
  private readonly now: Monotonic.Monotonic
  private readonly scope: Scope.Scope
  private readonly ofSubscribers = new Map<string, DeadLetterQueue>()

  constructor(broker: Broker["Service"], clock: Clock.Clock, scope: Scope.Scope) {
    this.broker = broker
    this.now = Monotonic.of(clock)
    this.scope = scope
    this.probe = { name: "dead letters", critical: false, check: Effect.sync(() => this.check()) }
  }

  /** Adds the queue of a subscriber and inspects it at once, in the background. */
  add(subscriber: string): Effect.Effect<DeadLetterQueue> {
    return Effect.suspend(() => {
      const queue: DeadLetterQueue = { depth: 0, grewAt: undefined }
      this.ofSubscribers.set(subscriber, queue)
      return Effect.as(Effect.forkIn(this.inspect({ _tag: "Subscriber", name: subscriber }, queue), this.scope), queue)
    })
  }

  remove(subscriber: string): void {
    this.ofSubscribers.delete(subscriber)
  }

  /** Skipped while there is no subscriber: a service that only publishes needs no connection for consuming. */
  inspectAll(): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.ofSubscribers.size === 0
        ? Effect.void
        : Effect.andThen(
            this.inspect({ _tag: "Undeliverable" }, this.undeliverable),
            Effect.forEach(
              [...this.ofSubscribers],
              ([name, queue]) => this.inspect({ _tag: "Subscriber", name }, queue),
              {
                discard: true
              }
            )
          )
    )
  }

  private inspect(source: DeadLetterSource, queue: DeadLetterQueue): Effect.Effect<void> {
    return Effect.map(Effect.option(this.broker.deadLetterDepth(source)), (found) => {
      if (Option.isNone(found)) return
      if (found.value > queue.depth) queue.grewAt = this.now()
      queue.depth = found.value
    })
  }

  private isFresh({ grewAt }: DeadLetterQueue): boolean {
    return grewAt !== undefined && this.now() - grewAt < freshMillis
  }

  private check(): Health.ProbeResult {
    const { depth: undeliverable } = this.undeliverable
    const full = [...this.ofSubscribers].filter(([, { depth }]) => depth > 0)
    const isGrowing = full.some(([, queue]) => this.isFresh(queue))
    const depths = full.map(([name, { depth }]) => `${name}: ${depth}`).join(", ")
    const details = [
      ...(undeliverable > 0
        ? [`${undeliverable} delayed events had no subscriber when they were due: replay or discard them`]
        : []),
      ...(full.length > 0 ? [`dead letters of ${depths}${isGrowing ? ", growing" : ""}`] : [])
    ]
    return {
      status: undeliverable > 0 || isGrowing ? "degraded" : "up",
      detail: details.length === 0 ? "none" : details.join("; ")
    }
  }
}

/** Inspects the queues until the scope ends. */
export const start = Effect.fnUntraced(function* (broker: Broker["Service"]) {
  const queues = new DeadLetterQueues(broker, yield* Clock.Clock, yield* Effect.scope)
  const inspectEvery = yield* LookPace.between(inspectEveryMillis)
  yield* Effect.forkScoped(Effect.repeat(queues.inspectAll(), Schedule.spaced(inspectEvery)))
  return queues
})
