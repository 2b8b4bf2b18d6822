/** What is wrong with how the command was called, or with a file that it writes. */
import { TaggedError } from "../event/Tagged.ts"
import { ExitCode } from "./ExitCode.ts"

export class UsageError extends TaggedError<UsageError>()("UsageError", (Schema) => ({ problem: Schema.String })) {
  readonly exitCode = ExitCode.usage
  override get message(): string {
    return this.problem
  }
}

export class FileFailed extends TaggedError<FileFailed>()("FileFailed", (Schema) => ({ path: Schema.String })) {
  override get message(): string {
    return `${this.path} could not be written to the end: see whether the disk is full`
  }
}
