/** The options of the live layers, and the kind of value that each of them takes. */
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import type { ServerParts } from "../amqp/Servers.ts"
import { kinds as busKinds } from "../bus/EventBusOptionKinds.ts"
import type { Signing } from "../bus/send/SignedBroker.ts"
import type { TlsOptions } from "../bus/support/TlsOptions.ts"
import * as Event from "../event/Event.ts"
import * as Kinds from "../event/options/OptionKinds.ts"
import type { OperationsOptions } from "./http/OperationsServer.ts"
import type { EndpointOptions } from "./http/Server.ts"
import type { LiveOptions, MemoryOptions } from "./LiveOptions.ts"
import type { RedisOptions } from "./RedisOptions.ts"
import type { TelemetryOptions } from "./telemetry/TelemetryOptions.ts"

const pem: Kinds.Kind = Kinds.or(Kinds.text, "a Buffer", Buffer.isBuffer)

const tls = Kinds.record({
  ca: pem,
  cert: pem,
  key: pem,
  passphrase: { expected: "a Redacted text", holds: Redacted.isRedacted },
  servername: Kinds.text
} satisfies Kinds.KindsOf<TlsOptions>)

const freshTls = Kinds.or(tls, "an Effect", Kinds.effect.holds)

const serverParts = Kinds.record({
  hosts: Kinds.required(Kinds.listOf(Kinds.text, 'a list of "host" or "host:port"')),
  vhost: Kinds.text,
  username: Kinds.text,
  password: { expected: "a Redacted text", holds: Redacted.isRedacted }
} satisfies Kinds.KindsOf<ServerParts>)

const isSecret = Kinds.secret.holds

const signing = Kinds.record({
  secret: Kinds.required({
    expected: "a text, a Redacted with one, or two of them",
    holds: (value) => isSecret(value) || (Array.isArray(value) && value.every(isSecret))
  }),
  mode: Kinds.oneOf("sign", "require")
} satisfies Kinds.KindsOf<Signing>)

/** The address is looked at by itself: without one, the error says what addresses there are. */
export const liveKinds: Kinds.Kinds & Kinds.KindsOf<LiveOptions> = {
  ...busKinds,
  url: Kinds.secret,
  servers: Kinds.or(
    { ...serverParts, holds: (value) => !Redacted.isRedacted(value) && serverParts.holds(value) },
    "addresses",
    isSecret
  ),
  redisUrl: Kinds.secret,
  redisTls: freshTls,
  namespace: Kinds.text,
  signing,
  stateNamespace: Kinds.text,
  redisTimeout: Kinds.time,
  tls: freshTls,
  credentials: Kinds.effect,
  connectTimeout: Kinds.duration,
  heartbeat: Kinds.duration,
  callTimeout: Kinds.duration,
  waitForBroker: Kinds.bool,
  topology: Kinds.oneOf("assert", "verify"),
  allowPlaintext: Kinds.bool,
  publishChannels: Kinds.number,
  noDelay: Kinds.bool,
  canaryInterval: Kinds.duration
}

export const memoryKinds: Kinds.Kinds & Kinds.KindsOf<MemoryOptions> = { ...busKinds, namespace: Kinds.text }

export const redisKinds: Kinds.Kinds & Kinds.KindsOf<RedisOptions> = {
  url: Kinds.required(Kinds.secret),
  tls: freshTls,
  allowPlaintext: Kinds.bool,
  namespace: Kinds.text,
  timeout: Kinds.time
}

export const telemetryKinds: Kinds.Kinds & Kinds.KindsOf<TelemetryOptions> = {
  service: Kinds.text,
  endpoint: Kinds.text,
  attributes: {
    expected: "an object whose values are texts",
    holds: (value) => Kinds.plain.holds(value) && Object.values(Object(value)).every(Kinds.text.holds)
  },
  logs: Kinds.oneOf("json", "pretty", "none"),
  redact: Kinds.listOf(Kinds.text, "a list of keys")
}

export const endpointKinds: Kinds.Kinds & Kinds.KindsOf<EndpointOptions> = {
  port: Kinds.required(Kinds.number),
  host: Kinds.text,
  details: Kinds.or(Kinds.bool, '"loopback" or a function', (value) => value === "loopback" || Kinds.func.holds(value)),
  onListen: Kinds.func
}

export const operationsKinds: Kinds.Kinds & Kinds.KindsOf<OperationsOptions> = {
  port: Kinds.required(Kinds.number),
  host: Kinds.text,
  hosts: Kinds.listOf(Kinds.text, "a list of host names"),
  authorize: Kinds.required(Kinds.func),
  readOnly: Kinds.bool,
  contracts: Kinds.listOf(
    { expected: "a contract", holds: (value) => Predicate.hasProperty(value, Event.TypeId) },
    "a list of contracts"
  ),
  subscribers: Kinds.listOf(
    Kinds.or(Kinds.text, "an object with a name", (value) => Predicate.hasProperty(value, "name")),
    "a list of names, or of subscribers with their events"
  ),
  page: Kinds.bool,
  management: { expected: "a Redacted text", holds: Redacted.isRedacted },
  onListen: Kinds.func
}
