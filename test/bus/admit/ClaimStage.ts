/** Processes that share a broker and a claim store, which can go down. */
import { Effect, Layer } from "effect"
import { CacheError } from "../../../src/bus/port/CacheError.ts"
import { CacheUnavailable } from "../../../src/bus/port/CacheReason.ts"
import { ClaimStore } from "../../../src/bus/port/ClaimStore.ts"
import * as MemoryBroker from "../../../src/memory/MemoryBroker.ts"
import * as MemoryCache from "../../../src/memory/MemoryCache.ts"
import * as MemoryClaims from "../../../src/memory/MemoryClaims.ts"
import { MemoryServer } from "../../../src/memory/MemoryServer.ts"
import { processOver, start } from "../../../src/ports/conformance/setup/BusProcess.ts"
import * as Stage from "../Stage.ts"

export type Store = ClaimStore["Service"]

export const unavailable = new CacheError({ reason: new CacheUnavailable({ detail: "gone" }) })

/** A store that answers only while `isUp`. */
export const whileUp = (store: Store, isUp: () => boolean): Store => {
  const unless = <A>(effect: Effect.Effect<A, CacheError>) =>
    Effect.suspend(() => (isUp() ? effect : Effect.fail(unavailable)))
  return {
    claim: (...args) => unless(store.claim(...args)),
    renew: (...args) => unless(store.renew(...args)),
    done: (...args) => unless(store.done(...args)),
    release: (...args) => unless(store.release(...args))
  }
}

export const make = Effect.gen(function* () {
  const server = yield* MemoryServer.make
  const claims = yield* MemoryClaims.make
  let down = false
  const processWith = (store: Store) =>
    // Its drain takes time of the clock, also when a test fails.
    Stage.runningOut(
      start(
        processOver(Layer.merge(MemoryBroker.layerOf(server, { namespace: "test" }), MemoryCache.layer)).pipe(
          Layer.provide(Layer.succeed(ClaimStore, store))
        )
      )
    )
  const process = processWith(whileUp(claims, () => !down))
  return { server, process, processWith, claims, setDown: (on: boolean) => void (down = on) }
})
