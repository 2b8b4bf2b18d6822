/** Records what a handler was given, so that a case can wait for it and compare it. */
import * as Effect from "effect/Effect"
import type { DeliveryInfo } from "../../../bus/subscriber/SubscriberOptions.ts"
import type * as Envelope from "../../../event/Envelope.ts"
import { until } from "./Waiting.ts"

export interface Entry {
  readonly event: Envelope.Envelope<string, { readonly n: number; readonly k?: string }>
  readonly info: DeliveryInfo
  /** Milliseconds since the epoch at which the handler started. */
  readonly at: number
}

export interface Ledger {
  readonly entries: Array<Entry>
  /** A handler that records the delivery and succeeds. */
  readonly handler: (event: Entry["event"], info: DeliveryInfo) => Effect.Effect<void>
  readonly numbers: () => ReadonlyArray<number>
  readonly sorted: () => ReadonlyArray<number>
  readonly attempts: () => ReadonlyArray<number>
  /** Waits until this many deliveries are recorded. */
  readonly reaches: (count: number) => Effect.Effect<void>
}

export const makeLedger = (): Ledger => {
  const entries: Array<Entry> = []
  const all = (): ReadonlyArray<number> => entries.map(({ event }) => event.data.n)
  return {
    entries,
    handler: (event, info) => Effect.sync(() => void entries.push({ event, info, at: Date.now() })),
    numbers: all,
    sorted: () => all().toSorted((a, b) => a - b),
    attempts: () => entries.map(({ info }) => info.attempt),
    reaches: (count) =>
      until(
        () => `${entries.length} of ${count} handled`,
        () => entries.length >= count
      )
  }
}

/** The numbers of one key, in the order of their deliveries. */
export const numbersOfKey = (entries: ReadonlyArray<Entry>, key: string): ReadonlyArray<number> =>
  entries.filter(({ event }) => event.key === key).map(({ event }) => event.data.n)
