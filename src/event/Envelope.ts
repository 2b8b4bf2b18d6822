/**
 * An event as a handler receives it: the data of its contract, with its origin, time, key and cause. WireFormat.ts has
 * its form on the wire.
 */
import type { Actor } from "./Actor.ts"
import type * as Event from "./Event.ts"

export interface Envelope<out Name extends string = string, out A = unknown> {
  /** A UUIDv7 unless the publisher chose another id. Duplicates of one event have the same source, type and id. */
  readonly id: string
  /** The event name. It discriminates a union of events. */
  readonly type: Name
  /** The version that was published. `data` is always of the newest version known here. */
  readonly version: number
  /** The service that published it. */
  readonly source: string
  /** When it was published. */
  readonly time: Date
  /** The key that it is ordered and cached by: of the contract, or of the publisher if the contract declares none. */
  readonly key: string | undefined
  /** Groups all events of one flow. */
  readonly correlationId: string | undefined
  /** The id of the event whose handler published this one. */
  readonly causationId: string | undefined
  /** Who acted, as claimed by the publisher. The security boundary is the broker's user. */
  readonly actor: Actor | undefined
  readonly data: A
  /** From when on it is not handled any more, by the `expiresAfter` of its publish. Absent if it never expires. */
  readonly expiryTime?: Date
  /** Whose it is, where a service works for several customers, as claimed by the publisher. Absent if it says none. */
  readonly tenant?: string
}

/** The envelope of a contract. For a union of contracts it is a union, discriminated by `type`. */
export type Of<E extends Event.Any> = E extends Event.Event<infer Name, infer A, unknown> ? Envelope<Name, A> : never
