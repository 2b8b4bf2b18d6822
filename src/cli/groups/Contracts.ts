/** Options and help of `eventbus contracts …`. */
import * as Effect from "effect/Effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { text } from "../Flags.ts"
import { lazily, root } from "../Root.ts"

const contractsOf = () => import("../commands/Contracts.ts")

const documentsOf = () => import("../commands/ContractDocuments.ts")

const document = (name: "asyncApi" | "html" | "jsonSchema" | "markdown" | "types", word: string, description: string) =>
  Command.make(word, {}, () => Effect.flatMap(root, (flags) => lazily(documentsOf, (run) => run[name](flags)))).pipe(
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
    Command.make("list", {}, () => Effect.flatMap(root, (flags) => lazily(contractsOf, (run) => run.list(flags)))).pipe(
      Command.withDescription("Events with version, key and subscribers")
    ),
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
    document("asyncApi", "asyncapi", "AsyncAPI 3.1 of the events and subscribers, as JSON"),
    document("jsonSchema", "jsonschema", "The JSON Schema (draft 2020-12) of each event and version"),
    document("types", "types", "TypeScript declarations of the events on the wire, for teams without this package"),
    document("markdown", "markdown", "The catalogue of events as a page of Markdown"),
    document("html", "html", "The catalogue of events as one page of HTML")
  ])
)
