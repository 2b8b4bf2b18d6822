/** Options and help of `eventbus doctor`. */
import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import { lazily, root } from "../Root.ts"

export const doctor = Command.make("doctor", {}, () =>
  Effect.flatMap(root, (flags) =>
    lazily(
      () => import("../commands/Doctor.ts"),
      ({ run }) => run(flags)
    )
  )
).pipe(
  Command.withDescription(
    "Looks at RabbitMQ and Redis as the service meets them, and says what is wrong and which command mends it. It changes nothing."
  ),
  Command.withShortDescription("Find what is wrong, and what mends it"),
  Command.withExamples([
    { command: "eventbus doctor", description: "With the settings of the service" },
    {
      command: "eventbus doctor --contracts ./contracts.ts --management http://localhost:15672",
      description: "With the rights of its subscribers, and policies, leaders and clocks"
    }
  ])
)
