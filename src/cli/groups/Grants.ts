/** Options and help of `eventbus grants`. */
import * as Effect from "effect/Effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { lazily, root } from "../Root.ts"

export const grants = Command.make(
  "grants",
  {
    user: Argument.String("user").pipe(Argument.withDescription("Name of the user that the service logs in with")),
    format: Flag.Literals("format", ["all", "rabbitmqctl", "definitions", "redis"]).pipe(
      Flag.withDescription("Which of the commands and definitions to write"),
      Flag.withDefault("all")
    )
  },
  ({ format, user }) =>
    Effect.flatMap(root, (flags) =>
      lazily(
        () => import("../commands/Grants.ts"),
        ({ run }) => run(flags, user, format)
      )
    )
).pipe(
  Command.withDescription(
    "Writes the least rights in RabbitMQ and Redis for a service, from its contracts and subscribers. It changes nothing; passwords are placeholders."
  ),
  Command.withShortDescription("Write users with the least rights"),
  Command.withExamples([
    { command: "eventbus grants academic", description: "Commands of rabbitmqctl and Redis" },
    { command: "eventbus grants academic --format definitions", description: "Definitions to import" }
  ])
)
