/**
 * Runs Effects with the services of a bus that code without Effect holds: parts of the library behind other doors find it
 * by the object that `createEventBus` returned.
 */
import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { EventBus } from "./EventBus.ts"

export interface BusRuntime {
  /** Within a handler, with what the handler has: its event is the cause. */
  readonly run: <A, E>(effect: Effect.Effect<A, E, EventBus>) => Promise<A>
  /** What `run` gives to an Effect that begins now. */
  readonly context: () => Context.Context<EventBus>
}

const runtimes = new WeakMap<object, BusRuntime>()

export const remember = <B extends object>(bus: B, runtime: BusRuntime): B => {
  runtimes.set(bus, runtime)
  return bus
}

export const of = (bus: object): BusRuntime | undefined => runtimes.get(bus)
