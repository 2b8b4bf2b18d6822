/** A process over the embedded broker whose declarations a test records and can let fail. */
import { Effect, Layer } from "effect"
import { Broker } from "../../../src/bus/port/Broker.ts"
import type { BrokerError } from "../../../src/bus/port/BrokerError.ts"
import * as MemoryBroker from "../../../src/memory/MemoryBroker.ts"
import * as MemoryCache from "../../../src/memory/MemoryCache.ts"
import { processOver, start } from "../../../src/ports/conformance/setup/BusProcess.ts"

export const make = Effect.gen(function* () {
  const declared: Array<string> = []
  const trouble: { next: Effect.Effect<void, BrokerError> | undefined } = { next: undefined }
  const watched = Layer.effect(
    Broker,
    Effect.map(Broker, (broker) =>
      Broker.of({
        ...broker,
        declare: (spec) =>
          Effect.suspend(() => {
            declared.push(spec.name)
            return trouble.next ?? broker.declare(spec)
          })
      })
    )
  ).pipe(Layer.provide(MemoryBroker.layer()))
  const process = yield* start(processOver(Layer.merge(watched, MemoryCache.layer)))
  return { ...process, declared, trouble }
})
