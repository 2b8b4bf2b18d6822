/** What the exit codes of `eventbus` mean. Scripts rely on them: docs/guides/operate.md has the same table. */
import * as Context from "effect/Context"
import * as Predicate from "effect/Predicate"

export const ExitCode = {
  done: 0,
  /** The operation failed, or a part of it. */
  failed: 1,
  /** A command, an option, a setting or a file is wrong. Nothing was done. */
  usage: 2,
  /** RabbitMQ or Redis could not be reached, or refused the login. */
  unreachable: 3,
  /** It ran, and found something wrong. */
  found: 4,
  /** Ended by Ctrl-C or a signal. */
  interrupted: 130
} as const

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode]

/** The exit code of the command that runs, which it sets. */
export class Outcome extends Context.Service<Outcome, { code: ExitCode }>()("@eduflow/events/cli/Outcome") {}

const unreachable: ReadonlySet<string> = new Set(["Connection", "Authentication", "Credentials", "Vhost", "Tls"])

export const exitCodeOf = (error: unknown): ExitCode => {
  if (Predicate.hasProperty(error, "exitCode") && error.exitCode === ExitCode.usage) return ExitCode.usage
  if (Predicate.hasProperty(error, "isMistake") && error.isMistake === true) return ExitCode.usage
  if (Predicate.hasProperty(error, "_tag") && error._tag === "EventDefinitionError") return ExitCode.usage
  const reason = Predicate.hasProperty(error, "reason") ? error.reason : undefined
  const tag = Predicate.hasProperty(reason, "_tag") ? String(reason._tag) : ""
  if (tag === "Settings" || tag === "Invalid") return ExitCode.usage
  const cause = Predicate.hasProperty(reason, "cause") ? reason.cause : undefined
  // The store of last known events is away.
  if (tag === "Unavailable" && cause === undefined) return ExitCode.unreachable
  // A publish that was not sent says why in its cause.
  const deeper = tag === "Unavailable" && Predicate.hasProperty(cause, "_tag") ? String(cause._tag) : tag
  return unreachable.has(deeper) ? ExitCode.unreachable : ExitCode.failed
}
