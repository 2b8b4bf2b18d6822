/** Options and help of the commands that show events: `tail`, `last`, `history`, `watch`. */
import * as Effect from "effect/Effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { toggle } from "../Flags.ts"
import { lazily, root } from "../Root.ts"

const live = () => import("../commands/Live.ts")

const event = Argument.String("event").pipe(Argument.withDescription("Name of the event"))

const body = toggle("body", "Also the data of events without a contract, in which nothing can be hidden")

const limit = Flag.Int("limit").pipe(
  Flag.withDescription("The largest number of events"),
  Flag.withMetavar("<number>"),
  Flag.optional
)

export const tail = Command.make(
  "tail",
  {
    pattern: Argument.String("pattern").pipe(
      Argument.withDescription("Name of an event, or a pattern such as academic.#. Default: all"),
      Argument.withDefault("#")
    ),
    body,
    limit
  },
  (flags) => Effect.flatMap(root, (shared) => lazily(live, (run) => run.tail(shared, flags)))
).pipe(
  Command.withDescription(
    "Shows events as they are published, one a line, until Ctrl-C. It reads over a queue of its own that ends with it, and takes nothing from any subscriber."
  ),
  Command.withShortDescription("Show events as they are published"),
  Command.withExamples([
    { command: "eventbus tail academic.#", description: "Without data" },
    { command: "eventbus tail academic.# --contracts ./contracts.ts --json", description: "With data, one JSON a line" }
  ])
)

export const last = Command.make(
  "last",
  {
    event,
    keys: Argument.String("key").pipe(
      Argument.withDescription("Keys; none for an event without a key"),
      Argument.variadic({ min: 0 })
    ),
    body
  },
  (flags) => Effect.flatMap(root, (shared) => lazily(live, (run) => run.last(shared, flags)))
).pipe(
  Command.withDescription("The last known event of each key, as Redis remembers it"),
  Command.withExamples([{ command: "eventbus last academic.grade.posted s-1 s-2", description: "Of two keys" }])
)

const optionalKey = Argument.String("key").pipe(Argument.withDescription("Key of the event"), Argument.optional)

export const history = Command.make("history", { event, key: optionalKey, body, limit }, (flags) =>
  Effect.flatMap(root, (shared) => lazily(live, (run) => run.history(shared, flags)))
).pipe(
  Command.withDescription(
    "Past events, newest first, as Redis remembers them: of a key where the contract keeps a history per key, otherwise of all. 20, or --limit"
  ),
  Command.withShortDescription("Past events, as Redis remembers them")
)

export const watch = Command.make("watch", { event, key: optionalKey, body, limit }, (flags) =>
  Effect.flatMap(root, (shared) => lazily(live, (run) => run.watch(shared, flags)))
).pipe(
  Command.withDescription("The last known event of a key and then each newer one, until Ctrl-C. Without a key: of all"),
  Command.withShortDescription("The last known event, and then each newer one")
)
