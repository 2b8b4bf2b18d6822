/**
 * Bugs to switch on beside those of controls.ts: what a wrong store of marks, lane, breaker, rate limit or
 * pause would do. The store is that of Redis for all processes, so what is wrong in it is wrong for all.
 */
import { Effect, Struct } from "effect"
import type { MarkStore } from "../../src/bus/Marks.ts"
import type { Control } from "./controls.ts"

const marks = (wrong: (store: MarkStore) => Partial<MarkStore>) => ({
  marks: (store: MarkStore): MarkStore => ({ ...store, ...wrong(store) })
})

export const actorControls: ReadonlyArray<Control> = [
  {
    name: "the mark is set before the handler runs",
    breaks: "P3",
    within: 100,
    bug: marks((store) => ({
      claim: (subject, claimant, lease) =>
        Effect.tap(store.claim(subject, claimant, lease), (claim) =>
          claim._tag === "Claimed" ? store.done(subject, claimant, 60_000_000) : Effect.void
        )
    }))
  },
  {
    name: "the mark is forgotten",
    breaks: "once",
    within: 100,
    bug: marks((store) => ({
      done: (subject, claimant) => Effect.as(store.release(subject, claimant), true)
    }))
  },
  {
    name: "a duplicate is handled all the same",
    breaks: "once",
    within: 100,
    bug: marks((store) => ({
      claim: (subject, claimant, lease) =>
        Effect.map(store.claim(subject, claimant, lease), (claim) =>
          claim._tag === "Done" ? { _tag: "Claimed", fence: Number.MAX_SAFE_INTEGER } : claim
        )
    }))
  },
  {
    name: "a claim keeps nobody else off",
    breaks: "once",
    within: 200,
    bug: marks((store) => ({
      claim: (subject, claimant, lease) =>
        Effect.map(store.claim(subject, claimant, lease), (claim) =>
          claim._tag === "Held" ? { _tag: "Claimed", fence: Number.MAX_SAFE_INTEGER } : claim
        )
    }))
  },
  {
    name: "a claim ends before its handler",
    breaks: "once",
    within: 200,
    bug: marks((store) => ({ claim: (subject, claimant) => store.claim(subject, claimant, 100) }))
  },
  {
    name: "claims have no fence that grows",
    breaks: "once",
    within: 100,
    bug: marks((store) => ({
      claim: (subject, claimant, lease) =>
        Effect.map(store.claim(subject, claimant, lease), (claim) =>
          claim._tag === "Claimed" ? { _tag: "Claimed", fence: 1 } : claim
        )
    }))
  },
  {
    name: "the mark of one subscriber is that of all",
    breaks: "P3",
    within: 100,
    bug: marks((store) => ({
      claim: ({ id }, claimant, lease) => store.claim({ subscriber: "all", id }, claimant, lease),
      done: ({ id }, claimant, ttl) => store.done({ subscriber: "all", id }, claimant, ttl),
      release: ({ id }, claimant) => store.release({ subscriber: "all", id }, claimant)
    }))
  },
  {
    name: "it is handled without a claim, although it was to wait for the store",
    breaks: "once",
    within: 100,
    bug: { subscriber: (subscriber) => ({ ...subscriber, onStoreDown: "handle" }) }
  },
  {
    name: "the claim of a failed attempt is kept for good",
    breaks: "P11",
    within: 100,
    bug: marks((store) => ({
      claim: (subject, claimant) => store.claim(subject, claimant, 60_000_000),
      release: () => Effect.void
    }))
  },
  {
    name: "followers start while the head of their lane waits for its retry",
    breaks: "P6",
    within: 100,
    bug: {
      // Its lane takes it as done, and it goes on beside its followers.
      attempt: (run, info) =>
        Effect.catch(run(info), () =>
          Effect.forkDetach(Effect.delay(Effect.ignore(run({ ...info, attempt: info.attempt + 1 })), 5000))
        )
    }
  },
  {
    name: "a pause pauses nothing",
    breaks: "steer",
    within: 100,
    bug: { subscription: (subscription) => ({ ...subscription, pause: Effect.void }) }
  },
  {
    name: "concurrency stays what it was",
    breaks: "steer",
    within: 100,
    bug: { subscription: (subscription) => ({ ...subscription, setConcurrency: () => Effect.void }) }
  },
  {
    name: "a breaker never opens",
    breaks: "breaker",
    within: 100,
    bug: { subscriber: (subscriber) => Struct.omit(subscriber, ["breaker"]) }
  },
  {
    name: "a breaker opens for too short a time",
    breaks: "breaker",
    within: 100,
    bug: {
      subscriber: ({ breaker, ...subscriber }) => ({
        ...subscriber,
        ...(breaker !== undefined && { breaker: { ...breaker, openFor: breaker.openFor / 2 } })
      })
    }
  },
  {
    name: "a rate limit limits nothing",
    breaks: "rate",
    within: 100,
    bug: { subscriber: (subscriber) => Struct.omit(subscriber, ["rateLimit"]) }
  },
  {
    name: "a rate limit counts for each process by itself",
    breaks: "rate",
    within: 200,
    bug: { isAlone: true }
  }
]
