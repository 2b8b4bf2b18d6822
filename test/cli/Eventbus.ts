/** The command `eventbus`, run in this process with settings of its own, and what it wrote. */
import * as ConfigProvider from "effect/ConfigProvider"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"
import { execute } from "../../src/cli/Run.ts"

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

export type Settings = Readonly<Record<string, string>>

/** A machine of tests is busy: answers take as long as they take. */
const patient = ["--timeout", "60"]

/** The words of a command, and what is told of each line that it writes. */
export type Word = string | { readonly onLine: () => void }

export const eventbus = (settings: Settings, ...words: ReadonlyArray<Word>): Effect.Effect<Ran> =>
  Effect.gen(function* () {
    const args = words.filter((word) => typeof word === "string")
    const written = (): void => words.forEach((word) => typeof word !== "string" && word.onLine())
    const out: Array<string> = []
    const err: Array<string> = []
    const recorded: Console.Console = Object.assign(Object.create(console), {
      log: (...words: ReadonlyArray<unknown>) => {
        out.push(words.join(" "))
        written()
      },
      error: (...words: ReadonlyArray<unknown>) => {
        err.push(words.join(" "))
        written()
      }
    })
    const code = yield* execute(args.some((word) => word.startsWith("--timeout")) ? args : [...args, ...patient]).pipe(
      Effect.provideService(Console.Console, recorded),
      Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown(settings)),
      Effect.provideService(TerminalCapabilities.TerminalCapabilities, {
        canColor: false,
        canAnimate: false,
        canPrompt: false
      })
    )
    return { code, out: out.join("\n"), err: err.join("\n") }
  })

/** The report of a command with `--json`. */
export const reported = (settings: Settings, ...args: ReadonlyArray<string>) =>
  Effect.map(eventbus(settings, ...args, "--json"), ({ code, err, out }) => ({
    code,
    report: JSON.parse(out === "" ? err : out) as Readonly<Record<string, unknown>>
  }))

export interface Finding {
  readonly check: string
  readonly severity: string
  readonly seen: string
  readonly mend: string
}

export const doctor = (settings: Settings, ...args: ReadonlyArray<string>) =>
  Effect.map(reported(settings, "doctor", ...args), ({ code, report }) => ({
    code,
    findings: report["findings"] as ReadonlyArray<Finding>,
    unseen: report["unseen"] as ReadonlyArray<string>,
    checks: (report["findings"] as ReadonlyArray<Finding>).map(({ check }) => check).toSorted()
  }))
