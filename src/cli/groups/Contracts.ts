/** Options and help of `eventbus contracts …`. */
import * as Effect from "effect/Effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { text } from "../Flags.ts"
import { lazily, root } from "../Root.ts"

const contractsOf = () => import("../commands/Contracts.ts")

const simple = (name: "jsonSchema" | "list" | "markdown", word: string, description: string) =>
  Command.make(word, {}, () => Effect.flatMap(root, (flags) => lazily(contractsOf, (run) => run[name](flags)))).pipe(
    Command.withDescription(description)
  )

const baseline = Flag.String("baseline").pipe(
  Flag.withDescription("The snapshot that is committed. Default: contracts.snapshot.json"),
  Flag.withMetavar("<file>"),
  Flag.withDefault("contracts.snapshot.json")
)

const comparison = {
  baseline,
  against: text("against", "A revision of git, such as origin/main: the snapshot as it was there", "<revision>")
}

const compare = (name: "check" | "diff", description: string) =>
  Command.make(name, comparison, (given) =>
    Effect.flatMap(root, (flags) => lazily(contractsOf, (run) => run[name](flags, given)))
  ).pipe(Command.withDescription(description))

export const contracts = Command.make("contracts").pipe(
  Command.withDescription(
    "Says what the contracts promise, and whether a change of them breaks who subscribes or publishes. It needs no broker."
  ),
  Command.withShortDescription("Find changes of contracts that break somebody"),
  Command.withSubcommands([
    simple("list", "list", "Events with version, key and subscribers"),
    Command.make(
      "show",
      { event: Argument.String("event").pipe(Argument.withDescription("Name of the event")) },
      ({ event }) => Effect.flatMap(root, (flags) => lazily(contractsOf, (run) => run.show(flags, event)))
    ).pipe(Command.withDescription("One contract, as it stands in the snapshot")),
    Command.make("snapshot", { baseline }, ({ baseline: file }) =>
      Effect.flatMap(root, (flags) => lazily(contractsOf, (run) => run.snapshot(flags, file)))
    ).pipe(Command.withDescription("Writes what the contracts promise into a file, to be committed")),
    compare(
      "check",
      "Exit code 4 where a change breaks somebody, an upcaster fails, or the snapshot is not that of these contracts"
    ).pipe(
      Command.withExamples([
        {
          command: "eventbus contracts check --against origin/main",
          description: "What a branch would break"
        }
      ])
    ),
    compare("diff", "Every change since the snapshot, also those that harm nobody"),
    simple("jsonSchema", "jsonschema", "The JSON Schema (draft 2020-12) of each event and version"),
    simple("markdown", "markdown", "The catalogue of events as a page")
  ])
)
