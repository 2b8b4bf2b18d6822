/** A cache and a store of claims that stop answering, for a while or by chance. */
import * as Effect from "effect/Effect"
import { CacheError } from "../bus/port/CacheError.ts"
import { CacheUnavailable } from "../bus/port/CacheReason.ts"
import type { CacheStore } from "../bus/port/CacheStore.ts"
import type { ClaimStore } from "../bus/port/ClaimStore.ts"
import * as SeededRandom from "../bus/support/SeededRandom.ts"

export class StoreOutage {
  private readonly random: SeededRandom.SeededRandom
  private rate: number
  private isDown = false

  constructor(seed: number, rate: number) {
    this.random = SeededRandom.make(seed)
    this.rate = rate
  }

  fail(): void {
    this.isDown = true
  }

  restore(): void {
    this.isDown = false
  }

  calm(): void {
    this.rate = 0
  }

  cache(store: CacheStore["Service"]): CacheStore["Service"] {
    return {
      write: (entry) => {
        if (!this.hits()) store.write(entry)
      },
      last: (event, key) => this.guard(store.last(event, key)),
      lastMany: (event, keys) => this.guard(store.lastMany(event, keys)),
      history: (event, range) => this.guard(store.history(event, range)),
      probe: Effect.suspend(() =>
        this.isDown ? Effect.succeed({ status: "degraded" as const, detail: unavailable.message }) : store.probe
      )
    }
  }

  claims(store: ClaimStore["Service"]): ClaimStore["Service"] {
    return {
      claim: (subject, claimant, leaseMillis) => this.guard(store.claim(subject, claimant, leaseMillis)),
      renew: (held, leaseMillis) => this.guard(store.renew(held, leaseMillis)),
      done: (subject, claimant, millis) => this.guard(store.done(subject, claimant, millis)),
      release: (subject, claimant) => this.guard(store.release(subject, claimant))
    }
  }

  private guard<A>(answer: Effect.Effect<A, CacheError>): Effect.Effect<A, CacheError> {
    return Effect.suspend(() => (this.hits() ? Effect.fail(unavailable) : answer))
  }

  private hits(): boolean {
    return this.isDown || (this.rate > 0 && this.random() < this.rate)
  }
}

const unavailable = new CacheError({ reason: new CacheUnavailable({ detail: "a fault of the test" }) })
