/**
 * `@OnEvent`: makes a method of a provider or a controller the handler of a subscriber. The decorator only notes what
 * stands there; `Handlers.ts` finds it on the instances of the app.
 */
import type {
  PromiseBatchedOptions,
  PromiseSingleOptions,
  PromiseSubscriberOptions
} from "../app/promise/PromiseSubscribe.ts"
import type { Events } from "../bus/subscriber/SubscriberOptions.ts"
import type * as Event from "../event/Event.ts"
import { EventsModuleError, NoContract, NotAMethod } from "./EventsModuleError.ts"

/** Where a handler belongs. */
interface Belonging {
  /** The name of the bus, of `EventsModule.forRoot({ name, … })`. Default: the bus without a name. */
  readonly bus?: string
}

/** A subscriber with a queue that stays. */
export interface DurableSubscriber extends Belonging {
  /**
   * The name of the subscriber, which is that of its queue: processes with the same name share its events. Default:
   * source of the bus, class and method, as in `crm.welcome-mails.on-account-created`. A class or method that is renamed
   * is then another subscriber, and leaves its old queue behind: name what must stay.
   */
  readonly subscriber?: string
  readonly ephemeral?: false
  readonly onGap?: undefined
}

/** A subscriber of this process alone, whose queue ends with it. */
export interface EphemeralSubscriber extends Belonging {
  readonly subscriber?: undefined
  readonly ephemeral: true
  /** Called when events may have been missed. */
  readonly onGap?: () => void
}

type Own<O> = Omit<O, "events" | "handler">

/** The options of a subscriber, and where it belongs. */
export type OnEventOptions<E extends Event.Any> = Own<PromiseSingleOptions<E>> &
  (DurableSubscriber | EphemeralSubscriber)

/** The same for a handler of batches. */
export type OnEventBatchOptions<E extends Event.Any> = Own<PromiseBatchedOptions<E>> &
  (DurableSubscriber | EphemeralSubscriber)

/** Accepts methods that can be called as `H`, whatever fewer parameters they have. */
export type HandlerDecorator<H> = <M extends H>(
  target: object,
  key: string | symbol,
  descriptor: TypedPropertyDescriptor<M>
) => void

/** What a decorator noted. */
export interface Noted {
  readonly key: string | symbol
  readonly bus: string | undefined
  readonly subscriber: string | undefined
  readonly ephemeral: boolean
  readonly events: Events<Event.Any>
  /** The options of the subscriber, as the bus takes them. */
  readonly options: object
}

// Another copy of this package finds the notes, too.
const notes = Symbol.for("@eduflow/events/nest/OnEvent")

/**
 * Handles events with a method. Its parameters are those of a handler of `bus.subscribe`: the event with its data, and
 * the facts about its delivery.
 *
 * @example
 * ```ts
 * import { Event } from "@eduflow/events"
 * import { OnEvent } from "@eduflow/events/nest"
 * import { Schema } from "effect"
 *
 * const Posted = Event.make("social.post.created", { version: 1, data: Schema.Struct({ text: Schema.String }) })
 *
 * export const handlesPosts = OnEvent(Posted, { subscriber: "social.feed", idempotent: true })
 * ```
 */
export const OnEvent: {
  <E extends Event.Any>(
    events: E | Events<E>,
    options: OnEventBatchOptions<E>
  ): HandlerDecorator<PromiseBatchedOptions<E>["handler"]>
  <E extends Event.Any>(
    events: E | Events<E>,
    options?: OnEventOptions<E>
  ): HandlerDecorator<PromiseSingleOptions<E>["handler"]>
} =
  (events: unknown, options: object = {}) =>
  (target: object, key: string | symbol, descriptor: PropertyDescriptor | undefined): void => {
    const handler = `${nameOf(target)}.${String(key)}`
    if (typeof target === "function" || typeof descriptor?.value !== "function")
      throw new EventsModuleError({ reason: new NotAMethod({ handler }) })
    if (events === undefined || events === null) throw new EventsModuleError({ reason: new NoContract({ handler }) })
    const { bus, ephemeral, subscriber, ...own }: Given = options
    const noted: Noted = { key, bus, subscriber, ephemeral: ephemeral === true, events: listed(events), options: own }
    const before = Object.getOwnPropertyDescriptor(target, notes)?.value
    const all: ReadonlyArray<Noted> = Array.isArray(before) ? [...before, noted] : [noted]
    Object.defineProperty(target, notes, { value: all, configurable: true })
  }

type Given = Belonging & { readonly ephemeral?: boolean; readonly subscriber?: string | undefined }

// A contract alone is a list of one. All else is for the bus to judge: callers without types may pass anything.
const listed = (events: unknown): Events<Event.Any> => (isContract(events) ? [events] : events) as Events<Event.Any>

const isContract = (value: unknown): boolean => typeof value === "object" && value !== null && "version" in value

const nameOf = (target: object): string => (typeof target === "function" ? target.name : target.constructor.name)

/** The notes on a prototype and on those that it inherits from: a method that is overridden stays the handler. */
export const notedOn = (prototype: object): ReadonlyArray<Noted> => {
  const found: Array<Noted> = []
  for (let at: object | null = prototype; at !== null; at = Object.getPrototypeOf(at)) {
    const own: unknown = Object.getOwnPropertyDescriptor(at, notes)?.value
    if (Array.isArray(own)) found.push(...own)
  }
  return found
}

/** The options of `bus.subscribe` with this handler. */
export const subscribing = ({ events, options }: Noted, handler: unknown): PromiseSubscriberOptions<Event.Any> =>
  // The decorator took the options, and their types say which handlers fit.
  ({ ...options, events, handler }) as PromiseSubscriberOptions<Event.Any>
