/** The program itself and the options that all of its commands take. Each group of commands is a file in `groups`. */
import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"

export const name = "eventbus"

const common = {
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("Write one report as JSON; `eventbus schema` has its schema"),
    Flag.withoutNegation,
    Flag.withDefault(false)
  ),
  contracts: Flag.String("contracts").pipe(
    Flag.withDescription('Module that exports contracts and subscribers. Default: "eventbus" in package.json'),
    Flag.withMetavar("<file>"),
    Flag.optional
  ),
  subscriber: Flag.String("subscriber").pipe(
    Flag.withDescription("Name of a subscriber; may be given several times"),
    Flag.withMetavar("<name>"),
    Flag.atLeast(0)
  ),
  management: Flag.String("management").pipe(
    Flag.withDescription("Management API of RabbitMQ, http://host:15672. With a password: set EVENTBUS_MANAGEMENT_URL"),
    Flag.withMetavar("<url>"),
    Flag.optional
  ),
  ca: Flag.String("ca").pipe(
    Flag.withDescription("PEM file of the authorities to trust"),
    Flag.withMetavar("<file>"),
    Flag.optional
  ),
  cert: Flag.String("cert").pipe(
    Flag.withDescription("PEM file of the client certificate"),
    Flag.withMetavar("<file>"),
    Flag.optional
  ),
  key: Flag.String("key").pipe(Flag.withDescription("PEM file of its key"), Flag.withMetavar("<file>"), Flag.optional),
  timeout: Flag.Finite("timeout").pipe(
    Flag.withDescription("How long to wait for one answer, in seconds; twice as long for a connection"),
    Flag.withMetavar("<seconds>"),
    Flag.withDefault(2)
  )
}

export const root = Command.make(name).pipe(
  Command.withDescription("Operates an event bus. It reads EVENTBUS_URL and the other settings as the service does."),
  Command.withSharedFlags(common)
)

/** Loads what a command does when it runs: help loads none of it. */
export const lazily = <Module, A, E, R>(load: () => Promise<Module>, use: (module: Module) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(Effect.promise(load), use)
