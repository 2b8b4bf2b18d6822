/** Options and help of `eventbus dead-letters …`. */
import * as Effect from "effect/Effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { deadLetterReasons } from "../../bus/send/Diagnosis.ts"
import { text, toggle } from "../Flags.ts"
import { lazily, root } from "../Root.ts"

const source = Argument.String("source").pipe(
  Argument.withDescription("Name of a subscriber, or `undeliverable`: delayed events that nobody was bound to")
)

const selection = {
  id: Flag.String("id").pipe(
    Flag.withDescription("Id of an event; may be given several times"),
    Flag.withMetavar("<id>"),
    Flag.atLeast(0)
  ),
  event: text("event", "Name of an event, or a pattern such as academic.#", "<pattern>"),
  reason: Flag.Literals("reason", reasons()).pipe(Flag.withDescription("Why it was given up"), Flag.optional),
  errorTag: text("error-tag", "Tag of its error", "<tag>"),
  eventKey: text("event-key", "Key of the event", "<key>"),
  olderThan: text("older-than", 'Failed at least this long ago: "2 hours"', "<time>"),
  newerThan: text("newer-than", 'Failed less long ago than this: "1 day"', "<time>"),
  limit: Flag.Int("limit").pipe(
    Flag.withDescription("The largest number of letters"),
    Flag.withMetavar("<number>"),
    Flag.optional
  )
}

const yes = toggle("yes", "Do it. Without it the command says what it would do")

const body = toggle("body", "With the body; what the contract marks as sensitive is hidden")

const letters = () => import("../commands/DeadLetters.ts")
const single = () => import("../commands/SingleLetters.ts")

const expiresAfter = text(
  "expires-after",
  'Events that expire may be handled until this long from now on: "30 minutes". Without it what has expired stays',
  "<time>"
)

const importing = Command.make(
  "import",
  { file: Argument.String("file").pipe(Argument.withDescription("What `export --complete` wrote")), yes },
  ({ file, yes }) => Effect.flatMap(root, (shared) => lazily(single, (run) => run.importFile(shared, file, yes)))
).pipe(
  Command.withDescription(
    "Brings exported letters back into their dead-letter queues. A letter that is there already is passed over, so it may be ended at any moment and run again."
  ),
  Command.withShortDescription("Bring exported letters back into their dead-letter queues")
)

const edit = Command.make(
  "edit",
  {
    source,
    id: Argument.String("id").pipe(Argument.withDescription("Id of the event")),
    data: text("data", "The whole new data as JSON", "<json>"),
    patch: text("patch", "What is to be different, as JSON; null removes a field", "<json>"),
    unsigned: toggle("unsigned", "Also a letter without a valid signature"),
    expiresAfter,
    yes
  },
  ({ id, source, ...flags }) =>
    Effect.flatMap(root, (shared) => lazily(single, (run) => run.edit(shared, source, id, flags)))
).pipe(
  Command.withDescription(
    "Corrects the data of one letter, as its contract demands, and replays it. It stays the same event; its history says what changed and when."
  ),
  Command.withShortDescription("Correct the data of one letter, and replay it"),
  Command.withExamples([
    {
      command: `eventbus dead-letters edit notification.grade-mailer <id> --patch '{"grade":93}' --yes`,
      description: "One field of it"
    }
  ])
)

const watch = Command.make(
  "watch",
  {
    source,
    limit: Flag.Int("limit").pipe(
      Flag.withDescription("Ends after this many letters"),
      Flag.withMetavar("<number>"),
      Flag.optional
    )
  },
  ({ limit, source }) => Effect.flatMap(root, (shared) => lazily(single, (run) => run.watch(shared, source, limit)))
).pipe(
  Command.withDescription("Shows each new dead letter as it comes, until Ctrl-C. It takes none."),
  Command.withShortDescription("Show new dead letters as they come")
)

export const deadLetters = Command.make("dead-letters").pipe(
  Command.withDescription(
    "Count, read, replay, edit, discard, export and import dead letters. Reading takes none away."
  ),
  Command.withShortDescription("Count, read, replay, edit, discard, export dead letters"),
  Command.withSubcommands([
    Command.make("sources", {}, () =>
      Effect.flatMap(root, (flags) => lazily(letters, (run) => run.sources(flags)))
    ).pipe(Command.withDescription("Which subscribers have dead letters, and how many")),
    Command.make(
      "list",
      {
        source,
        ...selection,
        after: text("after", "What the page before gave for this", "<cursor>")
      },
      ({ source, ...flags }) =>
        Effect.flatMap(root, (shared) => lazily(letters, (run) => run.list(shared, source, flags)))
    ).pipe(Command.withDescription("A page of dead letters, oldest first: 100, or --limit")),
    Command.make(
      "show",
      { source, id: Argument.String("id").pipe(Argument.withDescription("Id of the event")), body },
      ({ body, id, source }) =>
        Effect.flatMap(root, (shared) => lazily(letters, (run) => run.show(shared, source, id, body)))
    ).pipe(Command.withDescription("One dead letter with its diagnosis")),
    Command.make(
      "replay",
      {
        source,
        ...selection,
        yes,
        rate: Flag.Finite("rate").pipe(
          Flag.withDescription("Events a second, at most"),
          Flag.withMetavar("<number>"),
          Flag.optional
        ),
        maxReplays: Flag.Int("max-replays").pipe(
          Flag.withDescription("Letters that were replayed this often stay. Default: 3"),
          Flag.withMetavar("<number>"),
          Flag.optional
        ),
        unsigned: toggle("unsigned", "Also letters without a valid signature"),
        expiresAfter
      },
      ({ source, ...flags }) =>
        Effect.flatMap(root, (shared) => lazily(letters, (run) => run.replay(shared, source, flags)))
    ).pipe(
      Command.withDescription(
        "Sends dead letters to their subscriber again, with fresh attempts. It may be ended at any moment and run again."
      ),
      Command.withExamples([
        {
          command: 'eventbus dead-letters replay notification.mailer --error-tag MailServerDown --newer-than "6 hours"',
          description: "A dry run: how many there are"
        },
        {
          command: "eventbus dead-letters replay notification.mailer --error-tag MailServerDown --rate 50 --yes",
          description: "Replays them, 50 a second"
        }
      ])
    ),
    Command.make(
      "discard",
      {
        source,
        ...selection,
        yes,
        all: toggle("all", "Every letter, where nothing selects some")
      },
      ({ source, ...flags }) =>
        Effect.flatMap(root, (shared) => lazily(letters, (run) => run.discard(shared, source, flags)))
    ).pipe(Command.withDescription("Deletes dead letters for good")),
    Command.make(
      "export",
      {
        source,
        ...selection,
        body,
        complete: toggle("complete", "Everything exactly as it is, sensitive fields too: what `import` takes"),
        out: text("out", "A new file, which only its owner may read. Default: standard output", "<file>")
      },
      ({ source, ...flags }) =>
        Effect.flatMap(root, (shared) => lazily(letters, (run) => run.exportTo(shared, source, flags)))
    ).pipe(Command.withDescription("Writes dead letters as JSON, one a line; all of them stay")),
    importing,
    edit,
    watch
  ])
)

function reasons(): ReadonlyArray<"Exhausted"> {
  // Every reason is a literal of the type; the list itself is one of texts.
  return deadLetterReasons as ReadonlyArray<"Exhausted">
}
