/**
 * Why a broker refused or failed, in terms of the bus. Adapters translate the errors of their client into these
 * reasons and drop the originals, because foreign errors carry secrets.
 */
import { TaggedClass } from "../../event/Tagged.ts"

/** The broker cannot be reached, or the connection was lost. Retried by the runtime. */
export class ConnectionFailed extends TaggedClass<ConnectionFailed>()("Connection", (Schema) => ({
  /** The address without credentials. */
  address: Schema.String,
  detail: Schema.String,
  /** Whether something accepted the connection, and then said nothing. */
  stalled: Schema.optionalKey(Schema.Boolean)
})) {
  readonly isRetryable = true
  get message(): string {
    if (this.stalled === true) {
      return `${this.address} accepted the connection but did not answer the handshake in time (${this.detail}): check that RabbitMQ listens on this port, with TLS for amqps:// and without for amqp://, and that it is neither suspended nor overloaded`
    }
    return `${this.address} is not reachable (${this.detail}): check that RabbitMQ runs there and that the address is right`
  }
}

/** User or password were refused. */
export class AuthenticationFailed extends TaggedClass<AuthenticationFailed>()("Authentication", (Schema) => ({
  address: Schema.String,
  username: Schema.String,
  /** What the user's token says of itself: its claims, never the token. Absent for passwords. */
  token: Schema.optionalKey(Schema.String)
})) {
  readonly isRetryable = false
  get message(): string {
    if (this.token !== undefined) {
      return `${this.address} refused user "${this.username}" with its token (${this.token}): have a new one issued if it was revoked; RabbitMQ's log says whether it is the key, the audience or the time`
    }
    return `${this.address} refused user "${this.username}": check the user name and the password`
  }
}

/** The service's own source of credentials or certificates failed, or did not answer. Retried by the runtime. */
export class CredentialsUnavailable extends TaggedClass<CredentialsUnavailable>()("Credentials", (Schema) => ({
  address: Schema.String,
  detail: Schema.String
})) {
  readonly isRetryable = true
  get message(): string {
    return `the credentials for ${this.address} could not be had (${this.detail}): see whether what issues them can be reached`
  }
}

/** The virtual host does not exist, or the user has no access to it. */
export class VhostUnavailable extends TaggedClass<VhostUnavailable>()("Vhost", (Schema) => ({
  address: Schema.String,
  vhost: Schema.String,
  username: Schema.String,
  /** What the user's token says of itself: its claims, never the token. Absent for passwords. */
  token: Schema.optionalKey(Schema.String)
})) {
  readonly isRetryable = false
  get message(): string {
    if (this.token !== undefined) {
      return `virtual host "${this.vhost}" of ${this.address} does not exist or user "${this.username}" has no access to it with its token (${this.token}): create it (rabbitmqctl add_vhost), or have the token issued with a scope for it (rabbitmq.<right>:<vhost>/<name>)`
    }
    return `virtual host "${this.vhost}" of ${this.address} does not exist or user "${this.username}" has no access to it: create it (rabbitmqctl add_vhost) and grant permissions (rabbitmqctl set_permissions)`
  }
}

/** The certificate, its name or the protocol does not fit. */
export class TlsFailed extends TaggedClass<TlsFailed>()("Tls", (Schema) => ({
  address: Schema.String,
  code: Schema.String,
  remedy: Schema.String
})) {
  readonly isRetryable = false
  get message(): string {
    return `TLS with ${this.address} failed (${this.code}): ${this.remedy}`
  }
}

/** A queue or exchange exists with other arguments than the bus needs. */
export class TopologyMismatch extends TaggedClass<TopologyMismatch>()("TopologyMismatch", (Schema) => ({
  entity: Schema.String,
  argument: Schema.String,
  expected: Schema.String,
  actual: Schema.String,
  remedy: Schema.String
})) {
  readonly isRetryable = false
  get message(): string {
    return `${this.entity} exists with ${this.argument} = ${this.actual}, ${this.expected} is needed: ${this.remedy}`
  }
}

/** A queue or exchange does not exist and may not be declared here. */
export class TopologyMissing extends TaggedClass<TopologyMissing>()("TopologyMissing", (Schema) => ({
  entity: Schema.String,
  remedy: Schema.String
})) {
  readonly isRetryable = false
  get message(): string {
    return `${this.entity} does not exist: ${this.remedy}`
  }
}

/** The broker's user lacks a permission. */
export class PermissionDenied extends TaggedClass<PermissionDenied>()("Permission", (Schema) => ({
  entity: Schema.String,
  username: Schema.String,
  /** What the user's token says of itself: its claims, never the token. Absent for passwords. */
  token: Schema.optionalKey(Schema.String)
})) {
  readonly isRetryable = false
  get message(): string {
    const { entity, token, username } = this
    if (token !== undefined) {
      const form = entity.startsWith("topic ")
        ? "a topic exchange needs a scope of three parts, <vhost>/<exchange>/<routing key>"
        : "a scope has the form rabbitmq.<right>:<vhost>/<name>"
      return `user "${username}" has no permission for ${entity} with its token (${token}): have it issued with a scope for that (${form}), or see whether it was revoked`
    }
    const remedy = entity.startsWith("topic ")
      ? "grant it with rabbitmqctl set_topic_permissions"
      : entity.endsWith(" (write)")
        ? "grant it with rabbitmqctl set_permissions"
        : 'grant it with rabbitmqctl set_permissions, or start with topology "verify" if another service declares it'
    return `user "${username}" has no permission for ${entity}: ${remedy}`
  }
}

/** The broker did not answer a call within its deadline, or answered with an error of its own. */
export class BrokerRefused extends TaggedClass<BrokerRefused>()("Refused", (Schema) => ({
  operation: Schema.String,
  detail: Schema.String
})) {
  readonly isRetryable = true
  get message(): string {
    return `the broker failed at ${this.operation}: ${this.detail}`
  }
}

/**
 * A delivery was held for longer than the broker allows (RabbitMQ: `consumer_timeout`), and the broker took back everything
 * that the consumer held. It is delivered again.
 */
export class ConsumerTimeout extends TaggedClass<ConsumerTimeout>()("ConsumerTimeout", (Schema) => ({
  queue: Schema.String,
  /** The limit in milliseconds, when the broker names it. */
  millis: Schema.optionalKey(Schema.Finite)
})) {
  readonly isRetryable = true
  get message(): string {
    const limit = this.millis === undefined ? "" : ` of ${this.millis} ms`
    return `the broker took back what was held of queue ${this.queue}: a delivery was not settled within its consumer timeout${limit}. Raise consumer_timeout in rabbitmq.conf above what a handler may take with everything that waits before it, or lower the deadline or the prefetch; from RabbitMQ 4.3 on the subscriber asks for a day by itself`
  }
}

/** Another consumer reads a queue and allows no second one, or this one asked to be alone. */
export class QueueInUse extends TaggedClass<QueueInUse>()("QueueInUse", (Schema) => ({
  queue: Schema.String
})) {
  readonly isRetryable = true
  get message(): string {
    return `queue ${this.queue} has another consumer, and one of the two asks to be alone: it is asked for again; order by key needs a single reader, so stop the other program, or give up \`ordering: "key"\``
  }
}

/** The bus is closed or closing. */
export class Closed extends TaggedClass<Closed>()("Closed", () => ({})) {
  readonly isRetryable = false
  get message(): string {
    return "the bus is closed: close it after its last use (it was used after `close`, after its scope ended, or while it drains)"
  }
}

/** Settings that cannot work, found before anything is connected. */
export class SettingsInvalid extends TaggedClass<SettingsInvalid>()("Settings", (Schema) => ({
  setting: Schema.String,
  problem: Schema.String,
  remedy: Schema.String
})) {
  readonly isRetryable = false
  get message(): string {
    return `${this.setting}: ${this.problem}. ${this.remedy}`
  }
}

/** The installed client library is not one that the adapter knows. */
export class ClientUnsupported extends TaggedClass<ClientUnsupported>()("ClientUnsupported", (Schema) => ({
  client: Schema.String,
  /** The version found. */
  found: Schema.String,
  /** The versions known. */
  known: Schema.String,
  detail: Schema.String
})) {
  readonly isRetryable = false
  get message(): string {
    return `${this.client} ${this.found} is not supported, ${this.known} is (${this.detail}): remove the override, resolution or patch of ${this.client} from package.json and install again`
  }
}

/** The reasons as schemas. */
export const members = [
  ConnectionFailed,
  AuthenticationFailed,
  CredentialsUnavailable,
  VhostUnavailable,
  TlsFailed,
  TopologyMismatch,
  TopologyMissing,
  PermissionDenied,
  BrokerRefused,
  ConsumerTimeout,
  QueueInUse,
  Closed,
  SettingsInvalid,
  ClientUnsupported
] as const
export type BrokerReason = InstanceType<(typeof members)[number]>
