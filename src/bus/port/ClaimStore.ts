/**
 * PORT: which process handles an event, and whether it was handled, for subscribers that must not apply an event
 * twice. A claim is a lease, which its holder renews: when the holder dies the claim expires and another process handles
 * the event, so a crash never leaves it unhandled. Only the holder turns its claim into a done mark, after the handler.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { CacheError } from "./CacheError.ts"

/** One event, which has an id, for one subscriber. Each subscriber has claims and done marks of its own. */
export interface Subject {
  readonly subscriber: string
  readonly source: string
  readonly type: string
  readonly id: string
  /** A digest of its data, which is no part of its identity: it is kept with the done mark. */
  readonly digest?: string | undefined
}

export type Claim =
  /** `fence` grows with each claim: other stores can refuse what a handler writes after a newer claim. */
  | { readonly _tag: "Claimed"; readonly fence: number }
  /** It was handled, or another event of this identity was: then `digest` is another one. Absent where none was kept. */
  | { readonly _tag: "Done"; readonly digest?: string | undefined }
  /** Another claimant has it, for at most this long. */
  | { readonly _tag: "Held"; readonly millis: number }

/** A claim that a claimant has. */
export interface HeldClaim {
  readonly subject: Subject
  readonly claimant: string
  readonly fence: number
}

export class ClaimStore extends Context.Service<
  ClaimStore,
  {
    /** Asking again with the same claimant gives the same claim, because the first answer may have been lost. */
    readonly claim: (subject: Subject, claimant: string, leaseMillis: number) => Effect.Effect<Claim, CacheError>
    /**
     * Lets these claims last for `leaseMillis` from now on, in one round trip. One that has expired is made anew, with its
     * fence, if nobody has taken it since. Returns for each, by its position, whether its claimant has it.
     */
    readonly renew: (
      claims: ReadonlyArray<HeldClaim>,
      leaseMillis: number
    ) => Effect.Effect<ReadonlyArray<boolean>, CacheError>
    /** Remembers that it was handled. Returns false when another claimant holds it by now. */
    readonly done: (subject: Subject, claimant: string, ttlMillis: number) => Effect.Effect<boolean, CacheError>
    /** Gives the claim up, if this claimant has it. */
    readonly release: (subject: Subject, claimant: string) => Effect.Effect<void, CacheError>
  }
>()("@eduflow/events/bus/ClaimStore") {}
