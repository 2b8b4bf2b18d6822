/** Opens a connection to one of the servers, as a link that ends with its scope. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import { BrokerError } from "../../bus/port/BrokerError.ts"
import { ConnectionFailed } from "../../bus/port/BrokerReason.ts"
import * as AmqpError from "../AmqpError.ts"
import type { Settings } from "../AmqpOptions.ts"
import type { Server } from "../Servers.ts"
import type { Addresses } from "./Addresses.ts"
import * as Call from "./Call.ts"
import * as Dial from "./Dial.ts"
import * as Link from "./Link.ts"
import * as SecretRenewal from "./SecretRenewal.ts"

export interface Opening {
  readonly settings: Settings
  /** Names it on the broker. */
  readonly role: string
  readonly addresses: Addresses
  /** Whether a server has accepted the current attempt to connect. */
  readonly onAccepted: (isAccepted: boolean) => void
  readonly onRenewed: (isRenewed: boolean) => void
  /** Counts the lives of the connection. */
  epoch: number
}

/** Fails when no server takes it. `ended` fails when it is lost, or when `end` is called. */
export const open = Effect.fnUntraced(function* (opening: Opening) {
  const { addresses, onRenewed, role, settings } = opening
  yield* Effect.addFinalizer(() => Effect.sync(() => addresses.dials(role, undefined)))
  // Interruptible: closing while it connects does not wait for a broker that is frozen.
  const opened = yield* Effect.acquireRelease(connect(opening), Link.close, { interruptible: true })
  const ended = yield* Deferred.make<never, BrokerError>()
  const end = (detail: string): void => void Deferred.doneUnsafe(ended, Exit.fail(Link.lost(opened, detail)))
  opened.model.once("close", (error) => end(`the connection was lost${AmqpError.reasonOfClose(error)}`))
  // Lost before the listener was there.
  if (Link.isLost(opened)) end("the connection was lost")
  const secret = yield* SecretRenewal.make(opened, settings, ended, onRenewed)
  yield* Effect.forkScoped(secret.keep)
  let silence: string | undefined
  const link: Link.Link = {
    ...opened,
    secret,
    silence: () => silence,
    call: Call.make(settings.callMillis, opened.username, secret.claims)
  }
  return { link, ended, end, setSilence: (why: string | undefined) => void (silence = why) }
})

/** What fresh credentials may heal. */
const ofCredentials: ReadonlySet<string> = new Set(["Credentials", "Authentication", "Vhost"] satisfies ReadonlyArray<
  BrokerError["reason"]["_tag"]
>)

/** Connects to one of the servers, in random order. */
const connect = Effect.fnUntraced(function* (opening: Opening) {
  const { addresses, onAccepted, onRenewed, role, settings } = opening
  let left: ReadonlyArray<Server> = yield* Random.shuffle(settings.servers)
  let error = new BrokerError({ reason: new ConnectionFailed({ address: "RabbitMQ", detail: "no server" }) })
  for (;;) {
    const [server, ...others] = addresses.order(left)
    if (server === undefined) return yield* error
    left = others
    onAccepted(false)
    addresses.dials(role, server.address)
    // Each has its share of the time, so that a frozen one leaves some to the others.
    const exit = yield* Effect.exit(
      Dial.dial(server, settings, role, settings.connectMillis / settings.servers.length, () => onAccepted(true))
    )
    if (Exit.isSuccess(exit)) return { ...exit.value, epoch: ++opening.epoch }
    error = Option.getOrElse(Exit.findErrorOption(exit), () => error)
    if (settings.credentials !== undefined && ofCredentials.has(error.reason._tag)) onRenewed(false)
    if (error.reason._tag === "Connection" && error.reason.stalled === true) addresses.fellSilent(server.address)
    // All servers have the same users: a wrong password is not tried on each of them.
    if (error.reason._tag === "Authentication") return yield* error
  }
})
