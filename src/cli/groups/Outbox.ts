/** Options and help of `eventbus outbox …`. */
import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { text, toggle } from "../Flags.ts"
import { lazily, root } from "../Root.ts"

const outboxOf = () => import("../commands/Outbox.ts")

const database = text(
  "database",
  "postgres://user:password@host/name with the `pg` of this folder, mysql://… with its `mysql2`, or sqlite:<file>. Default: EVENTBUS_OUTBOX_DATABASE",
  "<url>"
)

const yes = toggle("yes", "Do it. Without it the command says what it would do")

export const outbox = Command.make("outbox").pipe(
  Command.withDescription(
    "Looks after the outbox of a database: its tables, what waits, and what was set aside. It needs no broker."
  ),
  Command.withShortDescription("Tables, status, retry and purge of an outbox"),
  Command.withSubcommands([
    Command.make(
      "migrate",
      {
        database,
        print: Flag.Literals("print", ["postgres", "sqlite", "mysql"]).pipe(
          Flag.withDescription("Write the SQL for this database instead, for a tool of your own"),
          Flag.optional
        )
      },
      (flags) => Effect.flatMap(root, (shared) => lazily(outboxOf, (run) => run.migrate(shared, flags)))
    ).pipe(
      Command.withDescription("Creates the tables and indexes that are missing. It may be run again"),
      Command.withExamples([
        { command: "eventbus outbox migrate --database postgres://app@db/shop", description: "Creates the tables" },
        { command: "eventbus outbox migrate --print postgres > 0007_outbox.sql", description: "Writes a migration" }
      ])
    ),
    Command.make("status", { database }, (flags) =>
      Effect.flatMap(root, (shared) => lazily(outboxOf, (run) => run.status(shared, flags)))
    ).pipe(
      Command.withDescription(
        "How many events wait, how old the oldest is, and which were set aside. Exit code 4 if any was"
      )
    ),
    Command.make(
      "retry",
      {
        database,
        id: text("id", "Id of one event. Default: all that were set aside", "<id>"),
        yes
      },
      (flags) => Effect.flatMap(root, (shared) => lazily(outboxOf, (run) => run.retry(shared, flags)))
    ).pipe(Command.withDescription("Publishes what was set aside, behind what was published since")),
    Command.make(
      "purge",
      {
        database,
        olderThan: Flag.String("older-than").pipe(
          Flag.withDescription('Published, or set aside, at least this long ago: "7 days"'),
          Flag.withMetavar("<time>")
        ),
        refused: toggle("refused", "What was set aside instead of what was published: it is gone then"),
        yes
      },
      (flags) => Effect.flatMap(root, (shared) => lazily(outboxOf, (run) => run.purge(shared, flags)))
    ).pipe(Command.withDescription("Deletes old events that were published, a thousand at a time"))
  ])
)
