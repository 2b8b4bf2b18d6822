/** One run's world: a broker, and processes with the real bus that come and go. */
import { Effect, Layer, SubscriptionRef } from "effect"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as RateLimiter from "effect/persistence/RateLimiter"
import * as Faults from "../../src/memory/Faults.ts"
import * as MemoryClaims from "../../src/memory/MemoryClaims.ts"
import { MemoryServer } from "../../src/memory/MemoryServer.ts"
import * as RandomSource from "../support/RandomSource.ts"
import { AppliedEffects } from "./AppliedEffects.ts"
import { AttemptRules } from "./AttemptRules.ts"
import { FaultyClaims } from "./FaultyClaims.ts"
import { Handling } from "./Handling.ts"
import type { Bugs } from "./Life.ts"
import { Observations } from "./Observations.ts"
import { Processes } from "./Processes.ts"
import { Publishing } from "./Publishing.ts"
import type { Setup } from "./Setup.ts"
import { type SimClock, turns } from "./SimClock.ts"

export interface Options {
  readonly setup: Setup
  readonly bugs: Bugs
  readonly clock: SimClock
}

export type World = Effect.Success<ReturnType<typeof make>>

export const make = Effect.fnUntraced(function* ({ bugs, clock, setup }: Options) {
  const { seed } = setup
  const observed = new Observations(() => clock.currentTimeMillisUnsafe())
  const run = Effect.runForkWith(yield* Effect.context<never>())
  const faults = Faults.seeded({
    seed: RandomSource.hash(`${seed}/faults`),
    rates: setup.rates,
    limit: setup.faultLimit,
    onFault: (what, client, id) => {
      observed.disturbances++
      observed.note(`FAULT ${what}: ${client} ${id}`)
    },
    onCrash: (client) => processes.died(client)
  })
  const server = yield* MemoryServer.makeWith({ returns: setup.returns, faults })
  const applied = new AppliedEffects(observed)
  const claims = new FaultyClaims({
    observed,
    random: RandomSource.forPurpose(seed, "marks"),
    rates: setup.claims,
    limit: setup.faultLimit,
    store: yield* MemoryClaims.make,
    applied,
    crash: (life) => processes.crash(life)
  })
  const stores = yield* Layer.build(Layer.merge(CircuitBreaker.layerStoreMemory(), RateLimiter.layerStoreMemory))
  const registered = new Set<string>()
  const rules = new AttemptRules({ observed, applied, claims, fleet: setup.fleet })
  const publishing = new Publishing({ setup, observed, registered })
  const processes: Processes = new Processes({
    setup,
    bugs,
    observed,
    server,
    claims,
    applied,
    rules,
    handling: () => handling,
    stores,
    registered,
    run
  })
  const handling: Handling = new Handling({
    setup,
    observed,
    publishing,
    rules,
    applied,
    crash: (life) => processes.crash(life)
  })

  return {
    setup,
    observed,
    run,
    turns,
    /** Lets time pass, with what happens meanwhile. */
    pass: (millis: number) => Effect.andThen(clock.pass(millis), turns(3)),
    server,
    faults,
    applied,
    claims,
    rules,
    registered,
    /** Subscribers whose queue was deleted: P3 does not cover them. */
    deleted: new Set<string>(),
    publishing,
    processes,
    /** Whether every process is ready and every subscriber consumes. */
    whole: (): boolean =>
      processes.slots.every(
        (slot) =>
          slot !== undefined &&
          slot !== "busy" &&
          [...slot.subscriptions.values()].every(({ status }) => SubscriptionRef.getUnsafe(status)._tag === "Running")
      ),
    /** How many messages wait in the queues of subscribers, consumed or not. */
    waiting: Effect.gen(function* () {
      const [process] = processes.slots
      if (process === undefined || process === "busy") return 1
      let count = 0
      for (const name of registered)
        count += (yield* Effect.orElseSucceed(process.broker.depth(name), () => ({ ready: 1 }))).ready
      return count
    })
  }
})
