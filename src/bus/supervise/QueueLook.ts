/**
 * Looks at the queue of a subscriber now and then: how many events wait there, and whether it answers. RabbitMQ keeps a
 * consumer whose queue has a leader that hangs, so nothing else shows that nothing can arrive.
 */
import * as Effect from "effect/Effect"
import type * as Monotonic from "../../observe/Monotonic.ts"
import type * as Log from "../../observe/Log.ts"
import * as LookPace from "../support/LookPace.ts"
import type { Broker, Depth } from "../port/Broker.ts"
import type { BrokerError } from "../port/BrokerError.ts"

const lookEveryMillis = 15_000
/** A queue that does not answer is looked at again after this time. */
const lookAgainAfter = "2 seconds"
/** A busy broker may take this long to answer. */
const patienceMillis = 5_000

export interface QueueLookParts {
  readonly broker: Pick<Broker["Service"], "depth">
  readonly subscriber: string
  readonly log: Log.Log
  /** Whether a consumer of this process should read the queue. */
  readonly isConsuming: () => boolean
}

export class QueueLook {
  /** Looks until it is interrupted. */
  readonly run: Effect.Effect<never>
  /** Called after each look. */
  onLook: () => void = () => {}
  private readonly parts: QueueLookParts
  private readonly now: Monotonic.Monotonic
  private last: Depth | undefined
  /** Since when there is no answer; set while a look is on its way, too. */
  private silentSince: number | undefined
  private why = "no answer so far"
  private isReported = false

  constructor(parts: QueueLookParts, now: Monotonic.Monotonic) {
    this.parts = parts
    this.now = now
    const look = Effect.suspend(() => this.look())
    this.run = Effect.flatMap(LookPace.between(lookEveryMillis), (lookEvery) => {
      const pause = Effect.suspend(() => Effect.sleep(this.silentSince === undefined ? lookEvery : lookAgainAfter))
      return Effect.forever(Effect.andThen(look, pause))
    })
  }

  /** Its queue at the last look; undefined when that failed. */
  depth(): Depth | undefined {
    return this.last
  }

  /** Why nothing can arrive from its queue; undefined while it answers. */
  fault(): string | undefined {
    if (this.silentSince === undefined) return undefined
    const millis = this.now() - this.silentSince
    if (millis < patienceMillis) return undefined
    return `its queue has not answered for ${Math.floor(millis / 1000)} s (${this.why}): see whether the leader of the queue hangs, and whether RabbitMQ has a majority of its nodes`
  }

  private look(): Effect.Effect<void> {
    const { broker, subscriber } = this.parts
    return Effect.suspend(() => {
      const wasConsuming = this.parts.isConsuming()
      this.silentSince ??= this.now()
      return broker.depth(subscriber).pipe(
        Effect.match({
          onSuccess: (depth) => this.answered(depth, wasConsuming),
          onFailure: (error) => this.failed(error)
        }),
        Effect.andThen(Effect.sync(() => this.report()))
      )
    })
  }

  private answered(depth: Depth, wasConsuming: boolean): void {
    this.last = depth
    // A node that asks the leader in vain counts nobody, although this process consumes.
    if (depth.consumers === 0 && wasConsuming && this.parts.isConsuming()) {
      this.why = "its node knows no consumer of it, although this process is one"
      return
    }
    this.silentSince = undefined
  }

  private failed({ message, reason }: BrokerError): void {
    this.last = undefined
    // Other failures say something: a connection that is away has a probe of its own.
    if (reason._tag === "Refused") this.why = message
    else this.silentSince = undefined
  }

  private report(): void {
    this.onLook()
    const fault = this.fault()
    if ((fault !== undefined) === this.isReported) return
    this.isReported = fault !== undefined
    const { log, subscriber } = this.parts
    if (fault === undefined) log.info("the queue of a subscriber answers again", { subscriber })
    else log.warning("the queue of a subscriber does not answer", { subscriber, detail: fault })
  }
}
