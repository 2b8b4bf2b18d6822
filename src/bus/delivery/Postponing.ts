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
import * as Expiry from "./Expiry.ts"
import * as Returns from "./Returns.ts"
import * as SafeFailure from "./SafeFailure.ts"
import type { Work } from "./Work.ts"

/** From the first postponement on. */
const maxPostponedMillis = 24 * 60 * 60 * 1000

/** A claim by key is asked for again after this time: its process may have given it up by then. */
const askAgainMillis = 500

/** Why an event could not be claimed. */
export interface Unclaimed {
  /** For at most this long. */
  readonly millis: number
  /** Whether another process has it; otherwise the store did not answer. */
  readonly isHeld: boolean
}

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
    const late = Expiry.failureAt(work, now + Duration.toMillis(later.in))
    if (late !== undefined) return this.deadLettering.deadLetter(work, "Expired", late, attempts)
    work.progress = { ...work.progress, returns: 0, postponed, postponedSince }
    this.count()
    if (log.debugEnabled)
      log.debug("postponed", { subscriber: subscriber.name, event: work.event.type, id: work.event.id })
    return this.delaying.delay({ work, millis: Duration.toMillis(later.in), behind, attempts, failure: full })
  }

  /** Nothing was attempted: by key it waits in its lane, otherwise it comes again when the claim may have ended. */
  postponeClaimed(work: Work, { isHeld, millis }: Unclaimed, behind: number): Effect.Effect<Decision.Decision> {
    const keyed = this.parts.subscriber.ordering === "key"
    if (!isHeld) work.heldSince = undefined
    if (work.heldSince === undefined) this.count()
    if (keyed && isHeld) this.held(work)
    // An event that kills each process that claims it comes here in between: its copy must keep the count of
    // its returns, or it would never be dead-lettered.
    const returns = Returns.countOf(work.delivery)
    work.progress = { ...work.progress, returns }
    return Effect.flatMap(keyed ? Effect.succeed(0) : Returns.apart(returns), (apart) =>
      Effect.map(
        this.delaying.delay({
          work,
          millis: keyed && isHeld ? Math.min(millis, askAgainMillis) : millis + apart,
          behind,
          attempts: work.progress.attempt - 1,
          failure: () => claimedElsewhere,
          isClaimed: keyed && isHeld
        }),
        (decision) => (decision._tag === "Park" ? Decision.park(decision.due, false) : decision)
      )
    )
  }

  private held(work: Work): void {
    const { log, monotonic, subscriber } = this.parts
    if (work.heldSince !== undefined) return
    work.heldSince = monotonic()
    log.warning("the events of a key wait: another process has claimed the first of them", {
      subscriber: subscriber.name,
      event: work.event.type,
      id: work.event.id
    })
  }

  /** Counts one postponement. */
  count(): void {
    this.parts.counters.postponed++
    this.parts.metrics.outcome("postponed").update(1)
  }
}
