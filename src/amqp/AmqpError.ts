/**
 * Translates errors of amqplib into reasons of the bus. They are read and never passed on, because they may contain
 * secrets. Their code is in a field or in the text.
 */
import * as Predicate from "effect/Predicate"
import { BrokerError } from "../bus/port/BrokerError.ts"
import {
  AuthenticationFailed,
  type BrokerReason,
  BrokerRefused,
  ConnectionFailed,
  PermissionDenied,
  QueueInUse,
  TlsFailed,
  TopologyMismatch,
  TopologyMissing,
  VhostUnavailable
} from "../bus/port/BrokerReason.ts"
import type { Server } from "./Servers.ts"

const make = (reason: BrokerReason): BrokerError => new BrokerError({ reason })

const textOf = (error: unknown): string => (error instanceof Error ? error.message : "")
const codeOf = (error: unknown): string => (Predicate.hasProperty(error, "code") ? String(error.code) : "")

const tlsRemedies: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: "the certificate is self-signed: give its authority as tls.ca",
  SELF_SIGNED_CERT_IN_CHAIN: "the certificate's authority is not known: give it as tls.ca",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "the certificate's authority is not known: give it as tls.ca",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "the certificate's authority is not known: give it as tls.ca",
  CERT_HAS_EXPIRED: "the certificate has expired: renew it",
  ERR_TLS_CERT_ALTNAME_INVALID: "the certificate is for another name: connect by that name or set tls.servername",
  ERR_SSL_WRONG_VERSION_NUMBER: "the port does not speak TLS: use amqp:// or the TLS port, 5671",
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: "the broker requires a certificate: give tls.cert and tls.key",
  ERR_OSSL_PEM_NO_START_LINE: "tls.ca, tls.cert or tls.key is not PEM text",
  ERR_OSSL_BAD_DECRYPT: "tls.passphrase does not open tls.key",
  EPROTO: "the port does not speak TLS: use amqp:// or the TLS port, 5671"
}

/** Why a connection could not be made. */
export const connecting = (error: unknown, server: Server, username: string, token?: string): BrokerError => {
  const text = textOf(error)
  const code = codeOf(error)
  const { address } = server
  const user = { address, username, ...(token !== undefined && { token }) }
  const remedy =
    tlsRemedies[code] ??
    (server.secure && /^(?:ERR_SSL|ERR_TLS|ERR_OSSL|CERT_)/.test(code) ? "see the code" : undefined)
  if (remedy !== undefined) return make(new TlsFailed({ address, code, remedy }))
  // Codes of the system come before texts, which contain addresses and may look like anything.
  if (/^E[A-Z_]+$/.test(code)) return make(new ConnectionFailed({ address, detail: code }))
  if (/\b403 \(|ACCESS[-_]REFUSED|SASL mechanism/.test(text)) return make(new AuthenticationFailed(user))
  // A missing vhost and a vhost without access look the same and have no code.
  if (/ConnectionOpenOk|NOT_ALLOWED/.test(text)) {
    return make(new VhostUnavailable({ ...user, vhost: server.vhost }))
  }
  if (!server.secure && /Socket closed abruptly/.test(text)) {
    return make(
      new ConnectionFailed({ address, detail: "it closed the connection at once: it may require TLS (amqps://)" })
    )
  }
  return make(new ConnectionFailed({ address, detail: "the handshake failed" }))
}

const deleteAndDeclare =
  "another version or program declared it differently: use a new name, or delete it when it is empty and restart"
const newSubscriber =
  "`ordering` is part of a queue's identity: use a new subscriber name, or delete the queue when it is empty"

/** What to do about an object that exists with another value of this argument. */
export const remedyOf = (argument: string): string =>
  argument === "x-single-active-consumer" ? newSubscriber : deleteAndDeclare

/** What amqplib gives with the end of a connection: RabbitMQ's code and text, or the error of the socket; empty if none. */
export const reasonOfClose = (error: unknown): string => {
  const [, text] = /^Connection closed: (\d{3} .*)$/s.exec(textOf(error)) ?? []
  const code = codeOf(error)
  const reason = text ?? (/^E[A-Z_]+$/.test(code) ? code : textOf(error) === "Heartbeat timeout" ? "no heartbeat" : "")
  return reason === "" ? "" : `: ${reason.replace(/\p{Cc}/gu, " ").slice(0, maxReasonChars)}`
}

/** RabbitMQ's own texts have 255 bytes at most. */
const maxReasonChars = 300

/** A permission that is missing; with what the token says of itself, if the user has one. */
export const denied = (entity: string, username: string, token: string | undefined): PermissionDenied =>
  new PermissionDenied({ entity, username, ...(token !== undefined && { token }) })

/** Why the broker refused an operation on `entity`. */
export const refused = (
  error: unknown,
  operation: string,
  entity: string,
  username: string,
  token?: string
): BrokerError => {
  const text = textOf(error)
  const code = codeOf(error)
  const is = (number: number): boolean => code === String(number) || text.includes(`${number} (`)
  if (is(406)) {
    const detail = `a precondition of ${entity} failed (406): RabbitMQ's log says which`
    return make(mismatchOf(text) ?? new BrokerRefused({ operation, detail }))
  }
  if (is(404)) return make(new TopologyMissing({ entity, remedy: 'declare it (topology "assert"), or fix the name' }))
  if (is(403) && text.includes("exclusive use")) return make(new QueueInUse({ queue: entity.replace(/^queue /, "") }))
  if (is(403)) return make(denied(entity, username, token))
  if (is(405))
    return make(
      new BrokerRefused({ operation, detail: `${entity} is exclusive to another connection: stop that program` })
    )
  if (text.includes("No channels left")) {
    return make(
      new BrokerRefused({
        operation,
        detail:
          "the connection has no channel left: run fewer subscribers in this process, or raise RabbitMQ's channel_max"
      })
    )
  }
  return make(
    new BrokerRefused({
      operation,
      detail: `the channel or the connection was closed${/^\d{3}$/.test(code) ? ` (${code})` : ""}; it is retried on a new one`
    })
  )
}

/** Undefined for a 406 of another kind. */
const mismatchOf = (text: string): TopologyMismatch | undefined => {
  const match = /inequivalent arg '([^']+)' for (\w+) '([^']+)'.*?: received (.*?) but current is (.*?)"?$/s.exec(text)
  if (match === null) return undefined
  const [, argument = "", kind = "", name = "", expected = "", actual = ""] = match
  return new TopologyMismatch({
    entity: `${kind} ${name}`,
    argument,
    expected: plain(expected),
    actual: plain(actual),
    remedy: remedyOf(argument)
  })
}

/** The value alone, of the notations of RabbitMQ's versions. */
const plain = (text: string): string =>
  text
    .replace(/^the value '(.*)' of type '.*'$/s, "$1")
    .replace(/^'(.*)'$/s, "$1")
    .replaceAll("\\", "")
