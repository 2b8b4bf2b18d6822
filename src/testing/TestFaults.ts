/**
 * Faults for tests of what a service does when its broker, its connection or its cache is in trouble: by chance, the
 * same for the same seed, or at one moment. The bus must lose no event in any of them.
 */
import * as Effect from "effect/Effect"
import * as Kinds from "../event/options/OptionKinds.ts"
import { Faults, type MemoryServer } from "../memory/index.ts"
import { StoreOutage } from "./StoreOutage.ts"

/** How often each fault happens, from 0 to 1. Absent is never. */
export interface FaultRates {
  /** The answer to a publish is lost on the way: the event is stored, and the publish is `Unknown` or sent again. */
  readonly confirmLost?: number
  /** The answer to a publish never comes: its timeout ends it. */
  readonly confirmDropped?: number
  /** The answer to a publish comes late, after those of later publishes. */
  readonly confirmDelayed?: number
  /** The broker refuses a publish. */
  readonly publishRejected?: number
  /** The connection is lost for up to 3 seconds. */
  readonly disconnected?: number
  /** An acknowledgement is lost: the event is delivered again after it was handled. */
  readonly redelivered?: number
  /** The broker cancels the consumer of a delivery. */
  readonly consumerCancelled?: number
  /** A call of the cache or of the store of `idempotent` subscribers does not answer. */
  readonly storeUnavailable?: number
}

export interface FaultOptions extends FaultRates {
  /** The same seed gives the same faults. */
  readonly seed: number
  /** At most this many faults of the broker. Default no bound. */
  readonly limit?: number
}

export const faultKinds: Kinds.Kinds & Kinds.KindsOf<FaultOptions> = {
  seed: Kinds.required(Kinds.number),
  limit: Kinds.limit,
  confirmLost: Kinds.share,
  confirmDropped: Kinds.share,
  confirmDelayed: Kinds.share,
  publishRejected: Kinds.share,
  disconnected: Kinds.share,
  redelivered: Kinds.share,
  consumerCancelled: Kinds.share,
  storeUnavailable: Kinds.share
}

/** One fault of the broker that happened by chance. */
export interface InjectedFault {
  readonly fault: keyof FaultRates
  /** The id of the event that it hit. */
  readonly id: string
}

/** Faults at one moment, and those that happened by chance. */
export interface TestFaults {
  /** Publishers are blocked, as by a memory alarm, until `unblock`. */
  readonly block: Effect.Effect<void>
  readonly unblock: Effect.Effect<void>
  /** Cuts the connection until `reconnect`; publishes without an answer are stored or not. Default `"stored"`. */
  readonly disconnect: (open?: "stored" | "not-stored") => Effect.Effect<void>
  readonly reconnect: Effect.Effect<void>
  /** The broker cancels the consumers of a subscriber; events that they hold are delivered again. */
  readonly cancelConsumers: (subscriber: string) => Effect.Effect<void>
  /** The queue of a subscriber is deleted. */
  readonly deleteQueue: (subscriber: string) => Effect.Effect<void>
  /** The cache and the store of `idempotent` subscribers do not answer until `restoreStores`. */
  readonly failStores: Effect.Effect<void>
  readonly restoreStores: Effect.Effect<void>
  /** Ends the faults by chance. */
  readonly calm: Effect.Effect<void>
  /** The faults of the broker that happened by chance, oldest first. */
  readonly injected: Effect.Effect<ReadonlyArray<InjectedFault>>
}

/** The faults of one test bus, before its broker is made. */
export class FaultPlan {
  readonly stores: StoreOutage
  readonly broker: Faults.Seeded | undefined
  private readonly injected: Array<InjectedFault> = []

  constructor(options: FaultOptions | undefined) {
    this.stores = new StoreOutage(options?.seed ?? 0, options?.storeUnavailable ?? 0)
    this.broker = options === undefined ? undefined : this.seeded(options)
  }

  control(server: MemoryServer["Service"]): TestFaults {
    const { broker, stores } = this
    return {
      block: Effect.sync(() => server.block("blocked by the test")),
      unblock: Effect.sync(server.unblock),
      disconnect: (open = "stored") => Effect.sync(() => server.disconnect(open)),
      reconnect: Effect.sync(server.reconnect),
      cancelConsumers: (subscriber) => Effect.sync(() => server.cancelConsumers(subscriber)),
      deleteQueue: (subscriber) => Effect.sync(() => server.deleteQueue(subscriber)),
      failStores: Effect.sync(() => stores.fail()),
      restoreStores: Effect.sync(() => stores.restore()),
      calm: Effect.sync(() => {
        broker?.calm()
        stores.calm()
      }),
      injected: Effect.sync(() => [...this.injected])
    }
  }

  private seeded(options: FaultOptions): Faults.Seeded {
    const { confirmDelayed, confirmDropped, confirmLost, consumerCancelled, disconnected, limit } = options
    const { publishRejected, redelivered, seed } = options
    return Faults.seeded({
      seed,
      rates: {
        send: {
          ...(confirmLost !== undefined && { "lose-confirm": confirmLost }),
          ...(confirmDropped !== undefined && { "drop-confirm": confirmDropped }),
          ...(confirmDelayed !== undefined && { "delay-confirm": confirmDelayed }),
          ...(publishRejected !== undefined && { reject: publishRejected }),
          ...(disconnected !== undefined && { "cut-after-store": disconnected })
        },
        delivery: { ...(consumerCancelled !== undefined && { cancel: consumerCancelled }) },
        ack: { ...(redelivered !== undefined && { lose: redelivered }) }
      },
      ...(limit !== undefined && { limit }),
      onFault: (kind, _client, id) => {
        const fault = names.get(kind)
        if (fault !== undefined) this.injected.push({ fault, id })
      }
    })
  }
}

const names: ReadonlyMap<string, keyof FaultRates> = new Map([
  ["lose-confirm", "confirmLost"],
  ["drop-confirm", "confirmDropped"],
  ["delay-confirm", "confirmDelayed"],
  ["reject", "publishRejected"],
  ["cut-after-store", "disconnected"],
  ["cancel", "consumerCancelled"],
  ["lose", "redelivered"]
])
