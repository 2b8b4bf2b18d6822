/** The program itself and the options that all of its commands take. Each group of commands is a file in `groups`. */
import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { library } from "../bus/send/Diagnosis.ts"
import { text, toggle } from "./Flags.ts"

export const name = "eventbus"

export const version = library.split(" ").at(-1) ?? ""

const common = {
  json: toggle("json", "Write one report as JSON; `eventbus schema` has its schema"),
  contracts: text(
    "contracts",
    'Module that exports contracts and subscribers. Default: "eventbus" in package.json',
    "<file>"
  ),
  subscriber: Flag.String("subscriber").pipe(
    Flag.withDescription("Name of a subscriber; may be given several times"),
    Flag.withMetavar("<name>"),
    Flag.atLeast(0)
  ),
  management: text(
    "management",
    "Management API of RabbitMQ, http://host:15672. With a password: set EVENTBUS_MANAGEMENT_URL",
    "<url>"
  ),
  ca: text("ca", "PEM file of the authorities to trust", "<file>"),
  cert: text("cert", "PEM file of the client certificate", "<file>"),
  key: text("key", "PEM file of its key", "<file>"),
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
