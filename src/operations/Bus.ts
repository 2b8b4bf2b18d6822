/** The running bus as operations reach it. */
import type * as Effect from "effect/Effect"
import type { DeadLetters } from "../bus/deadletter/DeadLetters.ts"
import type { Broker } from "../bus/port/Broker.ts"
import type { BrokerError } from "../bus/port/BrokerError.ts"

export interface Bus {
  readonly broker: Broker["Service"]
  readonly letters: DeadLetters["Service"]
}

/** Connects when the first operation needs it, once. */
export type OpenBus = Effect.Effect<Bus, BrokerError>
