/** Runs one command and ends the process with its exit code. */
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import * as Predicate from "effect/Predicate"
import * as References from "effect/References"
import * as Stdio from "effect/Stdio"
import * as Terminal from "effect/Terminal"
import * as CliConfig from "effect/cli/CliConfig"
import * as CliError from "effect/cli/CliError"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"
import * as ChildProcessSpawner from "effect/process/ChildProcessSpawner"
import { printableLines } from "../event/FieldValue.ts"
import { command } from "./Cli.ts"
import { ExitCode, exitCodeOf, Outcome } from "./ExitCode.ts"
import { version } from "./Root.ts"
import * as Text from "./Text.ts"

const unused = Effect.die("not used")

/** What Effect's parser of commands asks for. It reads no file, asks nobody and starts no process. */
export const environment = Layer.mergeAll(
  FileSystem.layerNoop({}),
  Path.layer,
  Stdio.layerTest({}),
  Layer.succeed(
    Terminal.Terminal,
    Terminal.make({
      columns: Effect.succeed(80),
      rows: Effect.succeed(24),
      size: unused,
      readInput: unused,
      readLine: unused,
      display: () => Effect.void
    })
  ),
  Layer.succeed(
    ChildProcessSpawner.ChildProcessSpawner,
    ChildProcessSpawner.make(() => unused)
  ),
  CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] })
)

/** Help goes to standard output when it was asked for; what is wrong goes to standard error, without pages of help. */
const presenter = (isJson: boolean): CliOutput.Presenter => ({
  present: Effect.fnUntraced(function* (event) {
    const { canColor } = yield* TerminalCapabilities.TerminalCapabilities
    const formatter = CliOutput.defaultFormatter({ colors: canColor })
    switch (event._tag) {
      case "Help":
        return yield* Console.log(formatter.formatHelpDoc(event.helpDoc))
      case "Version":
        return yield* Console.log(event.version)
      case "InvalidInvocation": {
        const message = event.errors.map((error) => error.message).join("\n")
        if (isJson) return yield* Console.error(Text.json(failure("UsageError", message, ExitCode.usage)))
        yield* Console.error(printableLines(message))
        return yield* Console.error(`See: ${event.commandPath.join(" ")} --help`)
      }
    }
  })
})

const failure = (error: string, message: string, exitCode: ExitCode) => ({
  kind: "error",
  version: 1,
  error,
  message,
  exitCode
})

/** Runs the command; returns its exit code. */
export const execute = (args: ReadonlyArray<string>): Effect.Effect<ExitCode> =>
  Effect.gen(function* () {
    const isJson = args.includes("--json")
    const outcome: Outcome["Service"] = { code: ExitCode.done }
    const exit = yield* Effect.exit(
      Command.runWith(command, { version })(args).pipe(
        Effect.provideService(Outcome, outcome),
        Effect.provideService(CliOutput.Presenter, presenter(isJson)),
        Effect.provide(environment),
        Effect.provideService(References.MinimumLogLevel, "None")
      )
    )
    if (Exit.isSuccess(exit)) return outcome.code
    if (Cause.hasInterruptsOnly(exit.cause)) return ExitCode.interrupted
    const error = Cause.squash(exit.cause)
    // It was shown with its hint.
    if (CliError.isCliError(error)) return ExitCode.usage
    const code = exitCodeOf(error)
    const tag = Predicate.hasProperty(error, "_tag") ? String(error._tag) : "Defect"
    const message = error instanceof Error ? error.message : String(error)
    yield* Console.error(isJson ? Text.json(failure(tag, message, code)) : printableLines(message))
    return code
  })

export const run = async (args: ReadonlyArray<string>): Promise<void> => {
  const abort = new AbortController()
  const stop = (): void => {
    // A second signal does not wait.
    if (abort.signal.aborted) process.exit(ExitCode.interrupted)
    abort.abort()
  }
  process.on("SIGINT", stop).on("SIGTERM", stop)
  // Whoever reads has had enough: `eventbus … | head`.
  process.stdout.on("error", () => process.exit(ExitCode.done))
  const exit = await Effect.runPromiseExit(execute(args), { signal: abort.signal })
  const code = Exit.isSuccess(exit) ? exit.value : ExitCode.interrupted
  // Written out before the process ends.
  process.stdout.write("", () => process.exit(code))
}
