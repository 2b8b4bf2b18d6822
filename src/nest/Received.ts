/**
 * Types of what a handler gets, for the parameters of `@OnEvent` methods. TypeScript infers none of a method, and checks
 * them against the contract.
 */
import type { PromiseSingleOptions } from "../app/promise/PromiseSubscribe.ts"
import type * as Envelope from "../event/Envelope.ts"
import type * as Event from "../event/Event.ts"

/** The event of a contract, or of one of several: `Received<typeof AccountClosed>`. */
export type Received<E extends Event.Any> = Envelope.Of<E>

/** The facts about a delivery, and the signal that aborts at the deadline and when the subscriber ends. */
export type DeliveryInfo = Parameters<PromiseSingleOptions<Event.Any>["handler"]>[1]
