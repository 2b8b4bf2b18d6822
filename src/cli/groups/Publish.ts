/** Options and help of `eventbus publish`. */
import * as Effect from "effect/Effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { text, toggle } from "../Flags.ts"
import { lazily, root } from "../Root.ts"

const number = (name: string, description: string) =>
  Flag.Int(name).pipe(Flag.withDescription(description), Flag.withMetavar("<version>"), Flag.optional)

export const publish = Command.make(
  "publish",
  {
    event: Argument.String("event").pipe(Argument.withDescription("Name of the event")),
    data: text("data", "Its data as JSON", "<json>"),
    file: text("file", "A file with one JSON value, or with one a line", "<file>"),
    id: text("id", "Id of the event: the same again after an unknown outcome", "<id>"),
    eventKey: text("event-key", "Key of the event, where its contract declares none", "<key>"),
    correlationId: text("correlation-id", "Groups the events of one flow", "<id>"),
    causationId: text("causation-id", "Id of the event that is its cause", "<id>"),
    delay: text("delay", 'Deliver it this much later: "5 minutes"', "<time>"),
    expiresAfter: text(
      "expires-after",
      'No handler starts with it from this long after now on: "30 minutes"',
      "<time>"
    ),
    header: Flag.String("header").pipe(
      Flag.withDescription("A header for subscribers, name=value; may be given several times"),
      Flag.withMetavar("<name=value>"),
      Flag.atLeast(0)
    ),
    source: Flag.String("source").pipe(
      Flag.withDescription("Who publishes, as the event says it"),
      Flag.withMetavar("<name>"),
      Flag.withDefault("eventbus-cli")
    ),
    actor: text("actor", "On whose behalf, where the contract asks: id:role or id:role:status", "<actor>"),
    tenant: text("tenant", "Whose the events are, where a service works for several customers", "<tenant>"),
    dataVersion: number("data-version", "Version that the data is of; the contract brings it to the newest"),
    unchecked: number("unchecked", "Without a contract: send the data as it is, as data of this version"),
    dryRun: toggle("dry-run", "Check everything, send nothing and need no broker")
  },
  ({ event, ...flags }) =>
    Effect.flatMap(root, (shared) =>
      lazily(
        () => import("../commands/Publish.ts"),
        ({ run }) => run(shared, event, flags)
      )
    )
).pipe(
  Command.withDescription(
    "Publishes an event, or one for each line of standard input, after its contract has judged the data. The report counts what was confirmed, refused and routed to nobody."
  ),
  Command.withShortDescription("Publish events, judged by their contracts"),
  Command.withExamples([
    {
      command: `eventbus publish academic.grade.posted --data '{"studentId":"s-1","grade":93}' --contracts ./contracts.ts`,
      description: "One event"
    },
    {
      command: "eventbus publish academic.grade.posted --dry-run < grades.ndjson",
      description: "Judges the data of each line, and sends nothing"
    }
  ])
)
