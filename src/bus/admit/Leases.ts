/**
 * The claims of this process. A claim lasts ten seconds, so that the event of a process that died is handled soon. While
 * its handler runs it is renewed: one timer and one call to the store serve all claims, and most handlers end before
 * their claim is renewed at all. A claim is no longer renewed after the deadline of its handler: one that ignores its
 * interruption must not keep its event for ever.
 *
 * Claims whose attempt has ended while the store did not answer may still stand there. They are remembered until they
 * have expired: this process gives them up when the event comes back to it.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Monotonic from "../../observe/Monotonic.ts"
import * as Identity from "../../event/Identity.ts"
import type * as Log from "../../observe/Log.ts"
import type { ClaimStore, HeldClaim, Subject } from "../port/ClaimStore.ts"
import * as RenewedSet from "../support/RenewedSet.ts"

/** How long a claim outlives its process. */
export const leaseMillis = 10_000
/** Three turns fit into a lease. */
const everyMillis = 2_500
/** A younger claim is left for the next turn. */
const youngMillis = 1_000
const maxLeft = 10_000
/** Of one event: one for each attempt while the store hung. */
const maxClaimants = 16

/** A claim that is renewed. */
export interface Lease extends HeldClaim {
  readonly since: number
  /** It is not renewed after that. */
  readonly until: number
}

interface Left {
  readonly subject: Subject
  readonly claimants: ReadonlyArray<string>
  readonly expires: number
}

export class Leases {
  readonly store: ClaimStore["Service"]
  private readonly log: Log.Log
  private readonly now: Monotonic.Monotonic
  private readonly kept = RenewedSet.make<Lease>()
  private readonly some = Latch.makeUnsafe(false)
  /** The claims of each event that may stand in the store although their attempts have ended. */
  private readonly left = new Map<string, Left>()

  constructor(store: ClaimStore["Service"], log: Log.Log, clock: Clock.Clock) {
    this.store = store
    this.log = log
    this.now = Monotonic.of(clock)
  }

  /** Renews this claim from now on, for at most `millis`. */
  keep(claim: HeldClaim, millis: number): Lease {
    const since = this.now()
    const lease: Lease = { ...claim, since, until: since + millis }
    this.kept.add(lease)
    this.some.openUnsafe()
    return lease
  }

  /** Its attempt has ended. */
  end(lease: Lease): void {
    this.kept.delete(lease)
  }

  /** The store may have this claim, whose attempt has ended: it did not answer. */
  leave(subject: Subject, claimant: string): void {
    const now = this.now()
    const name = nameOf(subject)
    const claimants = [...(this.left.get(name)?.claimants ?? []), claimant].slice(-maxClaimants)
    this.left.delete(name)
    this.left.set(name, { subject, claimants, expires: now + leaseMillis })
    for (const [oldest, { expires }] of this.left) {
      if (expires > now && this.left.size <= maxLeft) break
      this.left.delete(oldest)
    }
  }

  /** Gives up what an ended attempt of this process may have left of this event. */
  reclaim(subject: Subject): Effect.Effect<void> | undefined {
    if (this.left.size === 0) return undefined
    const name = nameOf(subject)
    const left = this.left.get(name)
    if (left === undefined) return undefined
    return Effect.forEach(left.claimants, (claimant) => this.store.release(left.subject, claimant)).pipe(
      Effect.andThen(
        Effect.sync(() => {
          if (this.left.get(name) === left) this.left.delete(name)
        })
      ),
      Effect.ignore
    )
  }

  /** Renews what is kept, turn by turn. */
  readonly run: Effect.Effect<never> = Effect.forever(
    Effect.suspend(() => {
      if (this.kept.size === 0) this.some.closeUnsafe()
      return Effect.andThen(this.some.await, Effect.andThen(Effect.sleep(everyMillis), this.renew))
    })
  )

  private readonly renew = Effect.suspend((): Effect.Effect<void> => {
    const now = this.now()
    const due: Array<Lease> = []
    for (const lease of this.kept) if (now - lease.since >= youngMillis && now < lease.until) due.push(lease)
    if (due.length === 0) return Effect.void
    return Effect.match(this.store.renew(due, leaseMillis), {
      onFailure: ({ message }) =>
        this.log.warning("claims are not renewed: the store does not answer", { detail: message }),
      onSuccess: (held) => held.forEach((isHeld, i) => isHeld || this.lost(due[i]))
    })
  })

  private lost(lease: Lease | undefined): void {
    if (lease === undefined || !this.kept.delete(lease)) return
    const { id, subscriber, type } = lease.subject
    this.log.warning("a claim was not renewed in time: another process handles the event as well", {
      subscriber,
      event: type,
      id
    })
  }
}

/** Lives as long as the current scope. */
export const make = Effect.fnUntraced(function* (store: ClaimStore["Service"], log: Log.Log) {
  const leases = new Leases(store, log, yield* Clock.Clock)
  yield* Effect.forkScoped(leases.run)
  return leases
})

const nameOf = (subject: Subject): string =>
  `${subject.subscriber.length}:${subject.subscriber}${Identity.textOf(subject)}`
