/**
 * The form of another system's messages: how an event is read from one, and how one is written. A codec is data and two
 * functions without input or output; ready-made ones are in Codecs.ts.
 */
import * as Result from "effect/Result"
import type { Actor } from "../Actor.ts"
import { bounded, quoted } from "../EventError.ts"

/** A message as another system sent it. */
export interface ForeignMessage {
  readonly body: Uint8Array
  readonly contentType: string | undefined
  readonly contentEncoding: string | undefined
  readonly messageId: string | undefined
  /** The AMQP property `type`. */
  readonly type: string | undefined
  readonly time: Date | undefined
  readonly appId: string | undefined
  readonly correlationId: string | undefined
  /** Headers as the broker gave them: texts, numbers, booleans, tables, lists and bytes. It has no prototype. */
  readonly headers: Readonly<Record<string, unknown>>
  /** The exchange that it was published to; empty for one that was sent to its queue. */
  readonly exchange: string
  readonly routingKey: string
}

/** What a codec reads from a message. What it leaves out is taken from the properties of the message. */
export interface ForeignEvent {
  /** The type in the words of the other system, whatever text that is. Empty where the message does not say: it has the contract of `"*"`. */
  readonly type: string
  /** JSON, or a `Uint8Array` for contracts of bytes. */
  readonly data: unknown
  /** Default: the message id. Without either the event gets an id when it arrives, so a message that comes twice is two events. */
  readonly id?: string | undefined
  /** Default: the app id, or else the exchange or queue. */
  readonly source?: string | undefined
  /** Default: the time of the message, or else that of its arrival. */
  readonly time?: Date | undefined
  readonly correlationId?: string | undefined
  readonly causationId?: string | undefined
  /** Who acted, as the message claims. */
  readonly actor?: Actor | undefined
  readonly tenant?: string | undefined
  /** The version of the contract that the data has. Default: the newest. */
  readonly version?: number | undefined
}

/** Why a message is not of the form that its codec reads. */
export interface Unreadable {
  /** Where it is wrong, for example `pattern`; empty for the message as a whole. */
  readonly path: string
  /** What was expected there, without values of the message. */
  readonly expected: string
}

/** An event on its way to another system. */
export interface EventToWrite {
  /** The type in the words of the other system. */
  readonly type: string
  readonly id: string
  readonly source: string
  readonly time: Date
  readonly key: string | undefined
  readonly correlationId: string | undefined
  readonly actor: Actor | undefined
  readonly tenant: string | undefined
  /** The data as JSON, or as bytes if the contract is one of bytes. */
  readonly data: unknown
}

/** What a codec writes. Properties that it leaves out are those of the event: its id, type, time and correlation id. */
export interface WrittenMessage {
  readonly body: string | Uint8Array
  readonly contentType: string
  /** The AMQP property `type`. Default: the type of the event. */
  readonly type?: string | undefined
  readonly headers?: Readonly<Record<string, string | number | boolean>> | undefined
}

export interface ForeignCodec {
  /** Names it in errors. */
  readonly name: string
  readonly read: (message: ForeignMessage) => Result.Result<ForeignEvent, Unreadable>
  readonly write: (event: EventToWrite) => WrittenMessage
}

/** The result of a codec that cannot read a message. */
export const unreadable = (path: string, expected: string): Result.Result<never, Unreadable> =>
  Result.fail({ path, expected })

/** Reads a message. A codec that throws, or returns something else, has not read it: its error may quote the message. */
export const read = (codec: ForeignCodec, message: ForeignMessage): Result.Result<ForeignEvent, Unreadable> => {
  let result: Result.Result<ForeignEvent, Unreadable>
  try {
    result = codec.read(message)
  } catch {
    return unreadable("", `the codec "${quoted(codec.name)}" threw on it: a codec returns Foreign.unreadable instead`)
  }
  if (!Result.isResult(result))
    return unreadable("", `the codec "${quoted(codec.name)}" returned no Result: return Result.succeed({ type, data })`)
  if (Result.isFailure(result)) {
    const { expected, path } = result.failure
    return unreadable(bounded(path, 300), bounded(expected, 300))
  }
  return typeof result.success.type === "string"
    ? result
    : unreadable("type", `the codec "${quoted(codec.name)}" returned a type that is no text`)
}
