/** What a call of the outbox or the inbox fails with when the database does. */
import { bounded } from "../event/EventError.ts"
import { TaggedError } from "../event/Tagged.ts"

/** The database refused or did not answer. In a transaction of the caller it has to be rolled back. */
export class OutboxError extends TaggedError<OutboxError>()("OutboxError", (Schema) => ({
  /** What was tried: `append`, `read`, `mark` and so on. */
  operation: Schema.String,
  detail: Schema.String,
  cause: Schema.Defect()
})) {
  static of(operation: string, cause: unknown): OutboxError {
    return new OutboxError({ operation, detail: detailOf(cause), cause })
  }
  override get message(): string {
    return `the outbox could not ${this.operation}: ${bounded(this.detail)}`
  }
}

/** The innermost message: that of a wrapper says only that a statement failed. */
const detailOf = (cause: unknown): string => {
  let last = String(cause)
  let next: unknown = cause
  for (let depth = 0; depth < 8 && next instanceof Error; depth++) {
    if (next.message !== "") last = next.message
    next = next.cause ?? Reflect.get(next, "reason")
  }
  return last
}
