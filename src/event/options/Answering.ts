/** What the contract of a request has beside that of an event: how its answers are written and read, and their types. */
import type { DataCodec } from "../DataCodec.ts"
import type { AnySchema } from "../standard/StandardSchema.ts"

export interface Answers {
  readonly reply: DataCodec
  readonly replySchema: AnySchema
  /** Of the errors that a replier declares; undefined where there are none. */
  readonly error: DataCodec | undefined
  readonly errorSchema: AnySchema | undefined
}

/** All but `answers` exists at compile time only. */
export interface Answering<out Reply, out Error, out ReplyInput, out ErrorInput> {
  readonly answers: Answers
  /** What its asker gets. */
  readonly Reply: Reply
  /** The error that its asker gets. */
  readonly Error: Error
  /** What its replier gives: of a Standard Schema the input, and the same as `Reply` otherwise. */
  readonly ReplyInput: ReplyInput
  readonly ErrorInput: ErrorInput
}
