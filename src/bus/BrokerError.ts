/**
 * What a broker can refuse or fail at, in terms of the bus: adapters translate their client's errors
 * into these reasons and keep the original out (foreign errors carry secrets).
 */
import { Schema } from "effect"
import { bounded } from "../event/EventError.ts"

/** The broker cannot be reached, or the connection was lost. Retried by the runtime. */
export class ConnectionFailed extends Schema.TaggedClass<ConnectionFailed>()("Connection", {
  /** Where, without credentials. */
  address: Schema.String,
  detail: Schema.String
}) {
  readonly isRetryable = true
  get message(): string {
    return `${this.address} is not reachable (${this.detail}): check that RabbitMQ runs there and that the address is right`
  }
}

/** User or password were refused. */
export class AuthenticationFailed extends Schema.TaggedClass<AuthenticationFailed>()("Authentication", {
  address: Schema.String,
  username: Schema.String
}) {
  readonly isRetryable = false
  get message(): string {
    return `${this.address} refused user "${this.username}": check the user name and the password`
  }
}

/** The virtual host does not exist, or the user has no access to it. */
export class VhostUnavailable extends Schema.TaggedClass<VhostUnavailable>()("Vhost", {
  address: Schema.String,
  vhost: Schema.String,
  username: Schema.String
}) {
  readonly isRetryable = false
  get message(): string {
    return `virtual host "${this.vhost}" of ${this.address} does not exist or user "${this.username}" has no access to it: create it (rabbitmqctl add_vhost) and grant permissions (rabbitmqctl set_permissions)`
  }
}

/** The certificate, its name or the protocol do not fit. */
export class TlsFailed extends Schema.TaggedClass<TlsFailed>()("Tls", {
  address: Schema.String,
  code: Schema.String,
  remedy: Schema.String
}) {
  readonly isRetryable = false
  get message(): string {
    return `TLS with ${this.address} failed (${this.code}): ${this.remedy}`
  }
}

/** A queue or exchange exists with other arguments than ours (P16). */
export class TopologyMismatch extends Schema.TaggedClass<TopologyMismatch>()("TopologyMismatch", {
  entity: Schema.String,
  argument: Schema.String,
  expected: Schema.String,
  actual: Schema.String,
  remedy: Schema.String
}) {
  readonly isRetryable = false
  get message(): string {
    return `${this.entity} exists with ${this.argument} = ${this.actual}, ${this.expected} is needed: ${this.remedy}`
  }
}

/** A queue or exchange is not there and may not be declared here. */
export class TopologyMissing extends Schema.TaggedClass<TopologyMissing>()("TopologyMissing", {
  entity: Schema.String,
  remedy: Schema.String
}) {
  readonly isRetryable = false
  get message(): string {
    return `${this.entity} does not exist: ${this.remedy}`
  }
}

/** The broker's user lacks a permission. */
export class PermissionDenied extends Schema.TaggedClass<PermissionDenied>()("Permission", {
  entity: Schema.String,
  username: Schema.String
}) {
  readonly isRetryable = false
  get message(): string {
    return `user "${this.username}" has no permission for ${this.entity}: grant it with rabbitmqctl set_permissions, or start with topology "verify" when others declare`
  }
}

/** The broker did not answer a call within its deadline, or answered with an error of its own. */
export class BrokerRefused extends Schema.TaggedClass<BrokerRefused>()("Refused", {
  operation: Schema.String,
  detail: Schema.String
}) {
  readonly isRetryable = true
  get message(): string {
    return `the broker failed at ${this.operation}: ${this.detail}`
  }
}

/** The bus is closed or closing. */
export class Closed extends Schema.TaggedClass<Closed>()("Closed", {}) {
  readonly isRetryable = false
  get message(): string {
    return "the bus is closed: it was used after its scope ended, or while it drains"
  }
}

/** Settings that cannot work, found before anything is connected. */
export class SettingsInvalid extends Schema.TaggedClass<SettingsInvalid>()("Settings", {
  setting: Schema.String,
  problem: Schema.String,
  remedy: Schema.String
}) {
  readonly isRetryable = false
  get message(): string {
    return `${this.setting}: ${this.problem}. ${this.remedy}`
  }
}

export const BrokerReason = Schema.Union([
  ConnectionFailed,
  AuthenticationFailed,
  VhostUnavailable,
  TlsFailed,
  TopologyMismatch,
  TopologyMissing,
  PermissionDenied,
  BrokerRefused,
  Closed,
  SettingsInvalid
])
export type BrokerReason = typeof BrokerReason.Type

export class BrokerError extends Schema.TaggedError<BrokerError>()("BrokerError", { reason: BrokerReason }) {
  get isRetryable(): boolean {
    return this.reason.isRetryable
  }
  override get message(): string {
    return bounded(this.reason.message)
  }
}
