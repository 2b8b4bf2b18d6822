/** Options and help of `eventbus topology …`. */
import * as Effect from "effect/Effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import type { Retired } from "../../bus/port/Administration.ts"
import { toggle } from "../Flags.ts"
import { lazily, root } from "../Root.ts"

const topologyOf = () => import("../commands/Topology.ts")

const extent = {
  wholeLadder: toggle(
    "whole-ladder",
    "With every level of the delay ladder, for services that may declare none. Without it a level is declared when a delay first needs it"
  )
}

const simple = (name: "plan" | "apply" | "verify", description: string) =>
  Command.make(name, extent, (how) =>
    Effect.flatMap(root, (flags) => lazily(topologyOf, (run) => run[name](flags, how)))
  ).pipe(Command.withDescription(description))

const destroying = {
  yes: toggle("yes", "Do it. Without it the command says what it would do"),
  withContents: toggle("with-contents", "Delete queues with what they hold. Without it only empty queues are deleted")
}

interface Destroying {
  readonly yes: boolean
  readonly withContents: boolean
}

const retireWith = (target: Retired, how: Destroying) =>
  Effect.flatMap(root, (flags) => lazily(topologyOf, (run) => run.retire(flags, target, how)))

const retire = Command.make("retire").pipe(
  Command.withDescription("Takes away a subscriber, an event or a namespace: what is named, and nothing else."),
  Command.withShortDescription("Take away a subscriber, an event or a namespace"),
  Command.withSubcommands([
    Command.make(
      "subscriber",
      { name: Argument.String("name").pipe(Argument.withDescription("Name of the subscriber")), ...destroying },
      ({ name, ...how }) => retireWith({ _tag: "Subscriber", name }, how)
    ).pipe(
      Command.withDescription(
        "Deletes the queues of a subscriber that nobody consumes: its own, that of its parked keys and that of its dead letters"
      ),
      Command.withExamples([
        { command: "eventbus topology retire subscriber notification.mailer", description: "What it holds" },
        {
          command: "eventbus topology retire subscriber notification.mailer --yes",
          description: "Deletes its queues, if they are empty"
        }
      ])
    ),
    Command.make(
      "event",
      {
        name: Argument.String("name").pipe(Argument.withDescription("Name of the event, or the pattern that is bound")),
        yes: destroying.yes
      },
      ({ name, yes }) => retireWith({ _tag: "Event", name, subscribers: [] }, { yes, withContents: false })
    ).pipe(
      Command.withDescription(
        "Unbinds an event from its subscribers, or from those of --subscriber. What is queued stays"
      )
    ),
    Command.make("namespace", destroying, (how) => retireWith({ _tag: "Namespace" }, how)).pipe(
      Command.withDescription("Deletes every queue and exchange of the namespace that nobody consumes")
    )
  ])
)

export const topology = Command.make("topology").pipe(
  Command.withDescription(
    "Compares what is declared on RabbitMQ with the contracts, declares what is missing, and takes away what is retired."
  ),
  Command.withShortDescription("Plan, apply, verify or retire what is declared"),
  Command.withSubcommands([
    simple("plan", "What would be declared and bound, and what the namespace takes. It changes nothing"),
    simple("apply", "Declares and binds what is missing, as the services do. It deletes nothing"),
    simple("verify", "Exit code 4 where the broker is not as the contracts say"),
    retire
  ])
)
