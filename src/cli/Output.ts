/** Writes reports: one line of JSON with `--json`, else lines for people, with colours on a terminal only. */
import * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"
import * as Text from "./Text.ts"

export class Output extends Context.Service<
  Output,
  {
    readonly isJson: boolean
    readonly paint: Text.Paint
    /** Writes the report, or the lines that say the same. */
    readonly report: (report: unknown, lines: () => ReadonlyArray<string>) => Effect.Effect<void>
    /** A line beside the report, which no program reads. */
    readonly note: (line: string) => Effect.Effect<void>
  }
>()("@eduflow/events/cli/Output") {}

export const make = (isJson: boolean): Effect.Effect<Output["Service"]> =>
  Effect.map(TerminalCapabilities.TerminalCapabilities, ({ canColor }) => ({
    isJson,
    paint: Text.paint(canColor && !isJson),
    report: (report, lines) => Effect.suspend(() => Console.log(isJson ? Text.json(report) : lines().join("\n"))),
    note: (line) => (isJson ? Effect.void : Console.error(line))
  }))
