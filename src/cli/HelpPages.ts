/** The pages of help, completions and version as texts: written into the package when it is built. */
import * as Effect from "effect/Effect"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as Completions from "effect/cli/Completions"
import { command } from "./Cli.ts"
import { name, version } from "./Root.ts"
import { environment } from "./Run.ts"

export interface Pages {
  readonly version: string
  /** By the words after the name of the program. */
  readonly help: Readonly<Record<string, { readonly plain: string; readonly color: string }>>
  readonly completions: Readonly<Record<string, string>>
}

export const pages = async (): Promise<Pages> => {
  const paths = pathsOf(Completions.fromCommand(command), [])
  const help = await Promise.all(
    paths.map(async (path) => {
      const [plain = "", color = ""] = await Promise.all([false, true].map((colors) => render(path, colors)))
      return [path.join(" "), { plain, color }] as const
    })
  )
  const descriptor = Completions.fromCommand(command)
  const shells = { bash: "bash", sh: "bash", zsh: "zsh", fish: "fish", powershell: "powershell", pwsh: "powershell" }
  return {
    version,
    help: Object.fromEntries(help),
    completions: Object.fromEntries(
      Object.entries(shells).map(([shell, kind]) => [
        shell,
        // The values above are the names of shells.
        Completions.generate(name, kind as Completions.Shell, descriptor)
      ])
    )
  }
}

const pathsOf = (
  { subcommands }: Completions.CommandDescriptor,
  path: ReadonlyArray<string>
): ReadonlyArray<ReadonlyArray<string>> => [
  path,
  ...subcommands.flatMap((subcommand) => pathsOf(subcommand, [...path, subcommand.name]))
]

const render = async (path: ReadonlyArray<string>, colors: boolean): Promise<string> => {
  let page = ""
  const formatter = CliOutput.defaultFormatter({ colors })
  const presenter: CliOutput.Presenter = {
    present: (event) =>
      Effect.sync(() => {
        if (event._tag === "Help") page = formatter.formatHelpDoc(event.helpDoc)
      })
  }
  const asked = Command.runWith(command, { version })([...path, "--help"]).pipe(
    Effect.provideService(CliOutput.Presenter, presenter),
    Effect.provide(environment)
  )
  // Help runs no command, so nothing that a command needs is asked for.
  await Effect.runPromise(asked as Effect.Effect<void, unknown>)
  return page
}
