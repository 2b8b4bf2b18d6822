/**
 * Postponements: nothing was attempted, so the event waits and its attempt does not count.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Later } from "../subscriber/HandlerError.ts"
import type { DeadLettering } from "./DeadLettering.ts"
import * as Decision from "./Decision.ts"
import type { Delaying } from "./Delaying.ts"
import type { PolicyParts } from "./PolicyParts.ts"
import * as Returns from "./Returns.ts"
import * as SafeFailure from "./SafeFailure.ts"
import type { Work } from "./Work.ts"

/** From the first postponement on. */
const maxPostponedMillis = 24 * 60 * 60 * 1000

const claimedElsewhere = { tag: "HeldElsewhere", message: "another process had claimed it for too long" }

export class Postponing {
  private readonly parts: PolicyParts<never>
  private readonly deadLettering: DeadLettering
  private readonly delaying: Delaying

  constructor(parts: PolicyParts<never>, deadLettering: DeadLettering, delaying: Delaying) {
    this.parts = parts
    this.deadLettering = deadLettering
    this.delaying = delaying
  }

  /** The handler failed with `Later`. */
  postpone(work: Work, later: Later, behind: number): Effect.Effect<Decision.Decision> {
    const { clock, log, subscriber } = this.parts
    const now = clock.currentTimeMillisUnsafe()
    const attempts = work.progress.attempt - 1
    const postponed = work.progress.postponed + 1
    const postponedSince = work.progress.postponedSince ?? now
    const { full } = SafeFailure.describe(subscriber, work, later)
    if (postponed > subscriber.maxPostponed || now - postponedSince >= maxPostponedMillis) {
      return this.deadLettering.deadLetter(work, "PostponedTooOften", full(), attempts)
    }
    work.progress = { ...work.progress, returns: 0, postponed, postponedSince }
    this.count()
    if (log.debugEnabled)
      log.debug("postponed", { subscriber: subscriber.name, event: work.event.type, id: work.event.id })
    return this.delaying.delay({ work, millis: Duration.toMillis(later.in), behind, attempts, failure: full })
  }

  /** Another process holds the event's claim for `millis` more. */
  postponeClaimed(work: Work, millis: number, behind: number): Effect.Effect<Decision.Decision> {
    this.count()
    // An event that kills each process that claims it comes here in between: its copy must keep the count of
    // its returns, or it would never be dead-lettered.
    const returns = Returns.countOf(work.delivery)
    work.progress = { ...work.progress, returns }
    const keyed = this.parts.subscriber.ordering === "key"
    return Effect.flatMap(keyed ? Effect.succeed(0) : Returns.apart(returns), (apart) =>
      Effect.map(
        this.delaying.delay({
          work,
          millis: millis + apart,
          behind,
          attempts: work.progress.attempt - 1,
          failure: () => claimedElsewhere
        }),
        (decision) => (decision._tag === "Park" ? Decision.park(decision.due, false) : decision)
      )
    )
  }

  /** Counts one postponement. */
  count(): void {
    this.parts.counters.postponed++
    this.parts.metrics.outcome("postponed").update(1)
  }
}
