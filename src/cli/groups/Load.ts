/** Options and help of `eventbus load` and `eventbus bench`. */
import * as Effect from "effect/Effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { text, toggle } from "../Flags.ts"
import { lazily, root } from "../Root.ts"

const seconds = (description: string, standard: number) =>
  Flag.Finite("seconds").pipe(
    Flag.withDescription(description),
    Flag.withMetavar("<number>"),
    Flag.withDefault(standard)
  )

const size = Flag.Int("size").pipe(
  Flag.withDescription("Bytes of the data of each"),
  Flag.withMetavar("<bytes>"),
  Flag.withDefault(256)
)

export const load = Command.make(
  "load",
  {
    event: Argument.String("event").pipe(Argument.withDescription("Name of the events")),
    rate: Flag.Finite("rate").pipe(
      Flag.withDescription("Events a second. Default: as many as RabbitMQ confirms"),
      Flag.withMetavar("<number>"),
      Flag.optional
    ),
    seconds: seconds("How long", 10),
    size,
    within: text("in", "A namespace that exists. Default: one of its own, which is removed", "<namespace>"),
    yes: toggle("yes", "With --in: subscribers that are bound to the event get all of it")
  },
  (flags) =>
    Effect.flatMap(root, (shared) =>
      lazily(
        () => import("../commands/Load.ts"),
        ({ run }) => run(shared, flags)
      )
    )
).pipe(
  Command.withDescription(
    "Publishes events to RabbitMQ, gets them back over a queue of its own, and says how long both took. In a namespace of its own, which it removes."
  ),
  Command.withShortDescription("Measure RabbitMQ under load"),
  Command.withExamples([
    {
      command: "eventbus load load.test --rate 500 --seconds 30 --size 1000",
      description: "500 a second of 1,000 bytes"
    }
  ])
)

export const bench = Command.make("bench", { seconds: seconds("How long each of its parts takes", 5), size }, (flags) =>
  Effect.flatMap(root, (shared) =>
    lazily(
      () => import("../commands/Load.ts"),
      ({ bench }) => bench(shared, flags)
    )
  )
).pipe(
  Command.withDescription(
    "Publishes to the quorum queue of a subscriber one event after the other and as many as RabbitMQ confirms, consumes them, and does both at half of that rate: events a second, and how long each takes. In a namespace of its own, which it removes."
  ),
  Command.withShortDescription("Measure what RabbitMQ can do for a service"),
  Command.withExamples([
    { command: "eventbus bench --seconds 10 --size 1000", description: "With events of 1,000 bytes" }
  ])
)
