/** What is wrong with how the command was called. */
import { TaggedError } from "../event/Tagged.ts"
import { ExitCode } from "./ExitCode.ts"

export class UsageError extends TaggedError<UsageError>()("UsageError", (Schema) => ({ problem: Schema.String })) {
  readonly exitCode = ExitCode.usage
  override get message(): string {
    return this.problem
  }
}
