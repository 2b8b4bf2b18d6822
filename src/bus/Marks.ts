/**
 * PORT: who handles an event, and that it was handled; for subscribers that must not apply one twice. A
 * claim is a lease: when its holder dies it ends by itself and somebody else handles the event, so a
 * crash never means that it is handled by nobody. Only the holder turns it into a mark, after the handler.
 */
import { Context, type Effect } from "effect"
import type { CacheError } from "./EventCache.ts"

/** One event for one subscriber; another subscriber's mark is another one. */
export interface Subject {
  readonly subscriber: string
  readonly id: string
}

export type Claim =
  /** `fence` grows with each claim: what a handler writes elsewhere can be refused when a newer one was there. */
  | { readonly _tag: "Claimed"; readonly fence: number }
  /** It was handled. */
  | { readonly _tag: "Done" }
  /** Somebody else has it, for at most so long. */
  | { readonly _tag: "Held"; readonly millis: number }

export interface MarkStore {
  /** Asking again with the same claimant gives the same claim: the answer of the first may have been lost. */
  readonly claim: (subject: Subject, claimant: string, leaseMillis: number) => Effect.Effect<Claim, CacheError>
  /** Remembers that it was handled. False when somebody else holds it by now. */
  readonly done: (subject: Subject, claimant: string, ttlMillis: number) => Effect.Effect<boolean, CacheError>
  /** Gives the claim up, if the claimant has it. */
  readonly release: (subject: Subject, claimant: string) => Effect.Effect<void, CacheError>
}

export class Marks extends Context.Service<Marks, MarkStore>()("@eduflow/events/bus/Marks") {}
