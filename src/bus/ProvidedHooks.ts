/** A hook, what it surrounds, and how a bus gets those that were provided to its layer. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Envelope from "../event/Envelope.ts"
import type * as Event from "../event/Event.ts"
import type { PublishOptions } from "./publish/PublishOptions.ts"
import type { DeliveryInfo } from "./subscriber/SubscriberOptions.ts"

declare const Passed: unique symbol
/** A failure of what a hook surrounds. A hook can pass it on or recover from it, and cannot make one. */
export interface Passed {
  readonly [Passed]: never
}

/** What a hook around handling surrounds. */
export interface Handled {
  readonly subscriber: string
  /** One event, or those of a batch. */
  readonly events: ReadonlyArray<Envelope.Envelope>
  /** The facts about the delivery of each event, at the same index. */
  readonly deliveries: ReadonlyArray<DeliveryInfo>
}

/** What a hook around publishing surrounds: one call. */
export interface Published {
  readonly event: Event.Any
  readonly call: "publish" | "publishAll"
  /** The data of a `publish`; undefined for a `publishAll`. */
  readonly data: unknown
  readonly options: PublishOptions
}

/** A hook with the errors and services of its Effects. */
export interface Around<out Err = unknown, out R = never> {
  readonly name: string
  readonly handling:
    | ((handle: Effect.Effect<unknown, Passed>, handled: Handled) => Effect.Effect<unknown, Err | Passed, R>)
    | undefined
  readonly publishing:
    | ((publish: Effect.Effect<unknown, Passed>, published: Published) => Effect.Effect<unknown, Err | Passed, R>)
    | undefined
}

/** A hook of a bus, with the services that were there when it was provided. */
export interface Provided {
  readonly around: Around<unknown, unknown>
  readonly context: Context.Context<never>
}

/** The hooks of the bus that is built next, the outermost first. */
export const CurrentAround: Context.Reference<ReadonlyArray<Provided>> = Context.Reference<ReadonlyArray<Provided>>(
  "@eduflow/events/bus/CurrentAround",
  { defaultValue: () => [] }
)
