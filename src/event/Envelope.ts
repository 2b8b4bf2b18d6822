/**
 * An event as it happened: the data of its contract with who, when, what about and because of what.
 * Its wire form is in Codec.ts.
 */
import type { Actor } from "./Actor.ts"
import type * as Event from "./Event.ts"

export interface Envelope<out Name extends string = string, out A = unknown> {
  /** UUIDv7; duplicates of one event carry the same id. */
  readonly id: string
  /** Event name; discriminates a union of events. */
  readonly type: Name
  /** Version that was published; `data` is always of the newest version known here. */
  readonly version: number
  /** The service that published it. */
  readonly source: string
  readonly time: Date
  /** The key by which it is ordered and cached. */
  readonly key: string | undefined
  readonly correlationId: string | undefined
  readonly causationId: string | undefined
  /** The publisher's claim of who acted; the boundary is the broker's user. */
  readonly actor: Actor | undefined
  readonly data: A
}

/** The envelope of a contract; of a union of contracts the union, discriminated by `type`. */
export type Of<E extends Event.Any> = E extends Event.Event<infer Name, infer A> ? Envelope<Name, A> : never
