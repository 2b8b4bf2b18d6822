/**
 * The parts of a running bus that health, the test kit and the relay of an outbox use. The layer of the bus provides it too, but the
 * package does not export it: users read `EventBus.tree` and `Health`.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Health } from "../observe/Health.ts"
import type { EncodedPublisher } from "./publish/EncodedPublisher.ts"
import type { Subscription } from "./subscriber/Subscription.ts"

export class BusInternals extends Context.Service<
  BusInternals,
  {
    /** The subscribers of this process, ephemeral ones included. */
    readonly subscriptions: Effect.Effect<ReadonlyArray<Subscription>>
    /** The probes of the bus, its ports and its subscribers at this moment. */
    readonly probes: Effect.Effect<ReadonlyArray<Health.Probe>>
    /** Publishes what was encoded before. */
    readonly encoded: EncodedPublisher
  }
>()("@eduflow/events/bus/BusInternals") {}
