/** Options and help of the commands on all processes: `ps`, `pause`, `resume`, `release`. */
import * as Effect from "effect/Effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import { text, toggle } from "../Flags.ts"
import { lazily, root } from "../Root.ts"

const fleet = () => import("../commands/Fleet.ts")

const subscriber = Argument.String("subscriber").pipe(Argument.withDescription("Name of the subscriber"))
const yes = toggle("yes", "Do it. Without it the command says what it would do")

export const ps = Command.make("ps", {}, () =>
  Effect.flatMap(root, (shared) => lazily(fleet, (run) => run.ps(shared)))
).pipe(
  Command.withDescription(
    "Which processes run, which subscribers each of them has, their state and lag, and what operators have paused. Processes say so in Redis every five seconds."
  ),
  Command.withShortDescription("Show processes and their subscribers"),
  Command.withExamples([
    { command: "eventbus ps", description: "All processes" },
    { command: "eventbus ps --subscriber notification.mailer", description: "Those of one subscriber" }
  ])
)

export const pause = Command.make(
  "pause",
  {
    subscriber,
    reason: text("reason", "Why: the status of the subscriber says so", "<text>"),
    as: text("as", "Who pauses. Default: the user of this machine", "<name>"),
    yes
  },
  ({ subscriber, ...flags }) =>
    Effect.flatMap(root, (shared) => lazily(fleet, (run) => run.pause(shared, subscriber, flags)))
).pipe(
  Command.withDescription(
    "Pauses a subscriber in all processes, and in those that start later, until it is resumed. Running handlers end. It waits until all have followed."
  ),
  Command.withShortDescription("Pause a subscriber in all processes"),
  Command.withExamples([
    {
      command: 'eventbus pause notification.mailer --reason "the mail server is down" --yes',
      description: "Until somebody resumes it"
    }
  ])
)

export const resume = Command.make("resume", { subscriber, yes }, ({ subscriber, yes }) =>
  Effect.flatMap(root, (shared) => lazily(fleet, (run) => run.resume(shared, subscriber, yes)))
).pipe(
  Command.withDescription(
    "Ends the pause of an operator in all processes. A process that paused the subscriber by itself stays paused."
  ),
  Command.withShortDescription("Resume a subscriber in all processes")
)

export const release = Command.make(
  "release",
  { subscriber, eventKey: text("event-key", "The parked key. Default: every parked key", "<key>"), yes },
  ({ eventKey, subscriber, yes }) =>
    Effect.flatMap(root, (shared) => lazily(fleet, (run) => run.release(shared, subscriber, eventKey, yes)))
).pipe(
  Command.withDescription(
    "Lets a parked key of a subscriber with order by key run before its time, or every parked key. It needs no Redis."
  ),
  Command.withShortDescription("Let parked keys run before their time")
)
