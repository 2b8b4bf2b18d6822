/**
 * More bugs to switch on: what a wrong claim store, lane, breaker, rate limit or pause would do. All processes
 * share the claim store, as they share Redis, so a bug in it hits all of them.
 */
import { Effect, Struct } from "effect"
import type { ClaimStore } from "../../src/bus/port/ClaimStore.ts"
import type { PlantedBug } from "./PlantedBugs.ts"

const claims = (wrong: (store: ClaimStore["Service"]) => Partial<ClaimStore["Service"]>) => ({
  claims: (store: ClaimStore["Service"]): ClaimStore["Service"] => ({ ...store, ...wrong(store) })
})

export const plantedActorBugs: ReadonlyArray<PlantedBug> = [
  {
    name: "the done mark is set before the handler runs",
    breaks: "P3",
    within: 100,
    bug: claims((store) => ({
      claim: (subject, claimant, lease) =>
        Effect.tap(store.claim(subject, claimant, lease), (claim) =>
          claim._tag === "Claimed" ? store.done(subject, claimant, 60_000_000) : Effect.void
        )
    }))
  },
  {
    name: "the done mark is forgotten",
    breaks: "once",
    within: 100,
    bug: claims((store) => ({
      done: (subject, claimant) => Effect.as(store.release(subject, claimant), true)
    }))
  },
  {
    name: "a duplicate is handled anyway",
    breaks: "once",
    within: 100,
    bug: claims((store) => ({
      claim: (subject, claimant, lease) =>
        Effect.map(store.claim(subject, claimant, lease), (claim) =>
          claim._tag === "Done" ? { _tag: "Claimed", fence: Number.MAX_SAFE_INTEGER } : claim
        )
    }))
  },
  {
    name: "a claim keeps no other process off",
    breaks: "once",
    within: 200,
    bug: claims((store) => ({
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
    from: 81,
    bug: claims((store) => ({ claim: (subject, claimant) => store.claim(subject, claimant, 100) }))
  },
  {
    name: "the fence of claims does not grow",
    breaks: "once",
    within: 100,
    bug: claims((store) => ({
      claim: (subject, claimant, lease) =>
        Effect.map(store.claim(subject, claimant, lease), (claim) =>
          claim._tag === "Claimed" ? { _tag: "Claimed", fence: 1 } : claim
        )
    }))
  },
  {
    name: "a done mark of one subscriber counts for all",
    breaks: "P3",
    within: 100,
    bug: claims((store) => ({
      claim: (subject, claimant, lease) => store.claim({ ...subject, subscriber: "all" }, claimant, lease),
      renew: (held, lease) =>
        store.renew(
          held.map((one) => ({ ...one, subject: { ...one.subject, subscriber: "all" } })),
          lease
        ),
      done: (subject, claimant, ttl) => store.done({ ...subject, subscriber: "all" }, claimant, ttl),
      release: (subject, claimant) => store.release({ ...subject, subscriber: "all" }, claimant)
    }))
  },
  {
    name: "an event is handled without a claim although it must wait for the store",
    breaks: "once",
    within: 100,
    from: 12,
    bug: { subscriber: (subscriber) => ({ ...subscriber, onStoreDown: "handle" }) }
  },
  {
    name: "the claim of a failed attempt is kept for good",
    breaks: "P11",
    within: 100,
    // In the world of seed 1 a parked key asks for such a claim for hours.
    from: 8,
    bug: claims((store) => ({
      claim: (subject, claimant) => store.claim(subject, claimant, 60_000_000),
      release: () => Effect.void
    }))
  },
  {
    name: "followers start while the head of their lane waits for a retry",
    breaks: "P6",
    within: 100,
    bug: {
      // Its lane counts it as done, and it runs on beside its followers.
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
    from: 150,
    bug: { subscription: (subscription) => ({ ...subscription, setConcurrency: () => Effect.void }) }
  },
  {
    name: "a breaker never opens",
    breaks: "breaker",
    within: 100,
    bug: { subscriber: (subscriber) => Struct.omit(subscriber, ["breaker"]) }
  },
  {
    name: "a breaker closes too early",
    breaks: "breaker",
    within: 100,
    bug: {
      subscriber: ({ breaker, ...subscriber }) => ({
        ...subscriber,
        ...(breaker !== undefined && { breaker: { ...breaker, openDuration: breaker.openDuration / 2 } })
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
    name: "a rate limit counts each process alone",
    breaks: "rate",
    within: 200,
    from: 37,
    bug: { isAlone: true }
  }
]
