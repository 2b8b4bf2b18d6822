/**
 * Looks at RabbitMQ as a service meets it: every address of the settings, certificates, login, alarms, rights and what
 * is declared. Nothing is changed.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { Examined, Subject } from "../../bus/port/Examination.ts"
import type { BrokerError } from "../../bus/port/BrokerError.ts"
import * as Certificates from "../../bus/support/Certificates.ts"
import { Notes, quote } from "../../bus/support/Notes.ts"
import { type AmqpOptions, settle, type Settings } from "../AmqpOptions.ts"
import * as Dial from "../connection/Dial.ts"
import * as Given from "../connection/Given.ts"
import * as Link from "../connection/Link.ts"
import type { Server } from "../Servers.ts"
import { type Asked, attempt, mayPublish } from "./Attempt.ts"
import * as ManagementLook from "./ManagementLook.ts"
import * as RightsLook from "./RightsLook.ts"
import * as ServerLook from "./ServerLook.ts"
import * as TopologyLook from "./TopologyLook.ts"

export interface ExamineOptions extends AmqpOptions {
  /** Address of the management API, with user and password where they are not those of RabbitMQ. */
  readonly management?: Redacted.Redacted<string>
  /** How long one answer may take. */
  readonly patience: number
}

export const examine = Effect.fnUntraced(function* (
  { management, patience, ...options }: ExamineOptions,
  subject: Subject
): Effect.fn.Return<Examined> {
  const notes = new Notes()
  const settled = settle(options)
  if (Result.isFailure(settled)) {
    const { reason } = settled.failure
    notes.error("rabbitmq.settings", reason.message, "correct the setting")
    return notes
  }
  const settings = { ...settled.success, source: "eventbus-doctor" }
  yield* Effect.all(
    [
      Effect.scoped(lookAtServers(notes, settings, subject, patience)),
      ManagementLook.look(notes, management, settings, patience)
    ],
    { concurrency: "unbounded" }
  )
  return notes
})

const lookAtServers = Effect.fnUntraced(function* (
  notes: Notes,
  settings: Settings,
  subject: Subject,
  patience: number
) {
  const now = yield* Clock.currentTimeMillis
  const tried = yield* Effect.forEach(
    settings.servers,
    (server) => lookAtServer(notes, settings, server, now, patience),
    {
      concurrency: "unbounded"
    }
  )
  const open = tried.flatMap(({ server, exit }) => (Exit.isSuccess(exit) ? [{ server, connection: exit.value }] : []))
  for (const { server, exit } of tried) {
    const error = Option.getOrUndefined(Exit.findErrorOption(exit))
    if (error !== undefined) reportFailure(notes, server, error, open.length > 0)
  }
  ServerLook.versions(
    notes,
    open.map(({ connection }) => connection)
  )
  const [first] = open
  if (first === undefined) return
  const { server } = first
  const connection = { ...first.connection, patience }
  if (yield* isBlocked(notes, connection, settings.namespace)) return
  const seen = yield* TopologyLook.look(notes, connection, settings, subject)
  yield* RightsLook.look(notes, connection, settings, server.vhost, subject, seen)
})

const lookAtServer = Effect.fnUntraced(function* (
  notes: Notes,
  settings: Settings,
  server: Server,
  now: number,
  patience: number
) {
  if (server.secure) {
    const tls = yield* Effect.option(Given.tls(server, settings))
    if (Option.isSome(tls)) yield* Certificates.look(notes, "rabbitmq.tls", server, tls.value, now, patience)
  }
  const exit = yield* Effect.exit(
    Effect.acquireRelease(
      Dial.dial(server, settings, "doctor", Math.min(patience, settings.connectMillis), () => {}),
      Link.close,
      { interruptible: true }
    )
  )
  if (Exit.isSuccess(exit)) ServerLook.credentials(notes, exit.value, now)
  return { server, exit }
})

const reportFailure = (notes: Notes, server: Server, { reason }: BrokerError, isElsewhere: boolean): void => {
  const { address, vhost } = server
  const user = quote(reason._tag === "Vhost" || reason._tag === "Authentication" ? reason.username : "guest")
  switch (reason._tag) {
    case "Connection":
      return notes.add(
        isElsewhere ? "warning" : "error",
        "rabbitmq.reachable",
        reason.stalled === true
          ? `${address} accepts connections and does not answer (${reason.detail})`
          : `${address} is not reachable (${reason.detail})`,
        `start RabbitMQ there (systemctl start rabbitmq-server), or correct the address in EVENTBUS_URL`
      )
    case "Authentication":
      return notes.error(
        "rabbitmq.credentials",
        `${address} refuses user ${reason.username}`,
        `rabbitmqctl change_password ${user} <password>, or correct user and password in EVENTBUS_URL`
      )
    case "Vhost":
      return notes.error(
        "rabbitmq.vhost",
        `${address}: virtual host ${vhost} does not exist, or user ${reason.username} has no access to it`,
        `rabbitmqctl add_vhost ${quote(vhost)}; rabbitmqctl set_permissions -p ${quote(vhost)} ${user} '.*' '.*' '.*'`
      )
    case "Tls":
      // The certificate was judged before, and says more than the handshake.
      if (notes.findings.some(({ check, seen }) => check.startsWith("rabbitmq.tls") && seen.startsWith(address))) return
      return notes.error("rabbitmq.tls", `${address}: the handshake failed (${reason.code})`, reason.remedy)
    default:
      return notes.error("rabbitmq.connect", reason.message, "see the message")
  }
}

/** RabbitMQ says that it blocks publishers when somebody publishes, and reads nothing more of that connection. */
const isBlocked = Effect.fnUntraced(function* (notes: Notes, connection: Asked, namespace: string) {
  const blocked = Effect.callback<string>((resume) => {
    const said = (reason: unknown): void =>
      resume(Effect.succeed(Predicate.isString(reason) ? reason : "it has an alarm"))
    connection.model.once("blocked", said)
    return Effect.sync(() => connection.model.off("blocked", said))
  })
  const answered = Effect.as(attempt(connection, mayPublish(`${namespace}.events`, "eventbus-doctor")), undefined)
  const why = yield* Effect.raceFirst(answered, blocked)
  if (why === undefined) return false
  notes.error(
    "rabbitmq.alarm",
    `RabbitMQ blocks publishers: ${why}`,
    "free memory or disk on its nodes: rabbitmq-diagnostics alarms; rabbitmqctl status names the limits"
  )
  return true
})

/** The subscribers that have a queue of dead letters; undefined without the management API. Fails with words. */
export const listDeadLetterSources = ({
  management,
  patience,
  ...options
}: ExamineOptions): Effect.Effect<ReadonlyArray<string> | undefined, string> => {
  const settled = settle(options)
  return Result.isFailure(settled)
    ? Effect.fail(settled.failure.message)
    : ManagementLook.deadLetterSources(management, settled.success, patience)
}
