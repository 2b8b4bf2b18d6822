/** What an operation fails with beyond the errors of the bus. */
import { quoted } from "../event/EventError.ts"
import { TaggedError } from "../event/Tagged.ts"

export class LetterMissing extends TaggedError<LetterMissing>()("LetterMissing", (Schema) => ({
  source: Schema.String,
  id: Schema.String
})) {
  override get message(): string {
    return `no dead letter of "${quoted(this.source)}" has the id "${quoted(this.id)}": it was replayed, discarded, or never there`
  }
}
