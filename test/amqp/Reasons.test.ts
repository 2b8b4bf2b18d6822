/** Every reason of the adapter: its remedy, whether a retry can help, and that it contains no secret. */
import { assert, describe, it } from "@effect/vitest"
import type { ChannelModel } from "amqplib"
import { Duration, Effect, Redacted, Result } from "effect"
import { inspect } from "node:util"
import * as AmqpBroker from "../../src/amqp/AmqpBroker.ts"
import * as AmqpError from "../../src/amqp/AmqpError.ts"
import * as AmqplibInternals from "../../src/amqp/AmqplibInternals.ts"
import { type AmqpOptions, settle } from "../../src/amqp/AmqpOptions.ts"
import * as HeaderTable from "../../src/amqp/frames/HeaderTable.ts"
import * as Refusals from "../../src/amqp/publishing/Refusals.ts"
import type { SendOutcome } from "../../src/bus/port/Broker.ts"
import { BrokerError } from "../../src/bus/port/BrokerError.ts"
import { Closed, ConsumerTimeout, CredentialsUnavailable } from "../../src/bus/port/BrokerReason.ts"
import { assertSecretless, secret } from "./setup/OpenBroker.ts"

const foreign = (text: string, code?: string | number): Error =>
  Object.assign(new Error(text), {
    ...(code !== undefined && { code }),
    // Fields that a client may add to its errors.
    options: { password: secret },
    config: { url: `amqp://user:${secret}@h` },
    stackAtStateChange: secret
  })
const options = (more: Partial<AmqpOptions> = {}): AmqpOptions => ({
  servers: `amqp://user:${secret}@localhost`,
  namespace: "ns",
  source: "s",
  ...more
})
const server = {
  host: "h",
  port: 5671,
  secure: true,
  vhost: "v",
  credentials: { username: "user", password: Redacted.make(secret) },
  address: "h:5671"
}
const connecting = (text: string, code?: string, secure = true): BrokerError =>
  AmqpError.connecting(foreign(text, code), { ...server, secure }, "user")
const refused = (text: string, code?: number): BrokerError =>
  AmqpError.refused(foreign(`${text} ${secret}`, code), "declaring", "queue ns.sub.a", "user")
const mismatch = (argument: string): BrokerError =>
  AmqpError.refused(
    foreign(
      `406 (PRECONDITION-FAILED) with message "PRECONDITION_FAILED - inequivalent arg '${argument}' for queue 'ns.sub.a' in vhost '/': received the value '20' of type 'signedint' but current is the value '5' of type 'long'"`,
      406
    ),
    "declaring",
    "queue ns.sub.a",
    "user"
  )
const setting = (more: Partial<AmqpOptions>): BrokerError => Result.getOrThrow(Result.flip(settle(options(more))))
const errorOf = (outcome: SendOutcome | undefined): BrokerError =>
  outcome?._tag === "NotSent" ? outcome.error : assert.fail("it was not refused")
const publishing = (error: Error, bytes = 1): BrokerError => {
  const refusals = Refusals.make(() => 0)
  const refusal = Refusals.read(error)
  if (refusal !== undefined) refusals.learn(refusal, "user")
  return errorOf(refusals.of("ns.events", "x", Buffer.alloc(bytes)))
}

const unknownClient = (): BrokerError => {
  const model = { connection: {} } as ChannelModel // what a changed amqplib could make
  return Result.getOrThrow(Result.flip(AmqplibInternals.verify(model)))
}

/** The reason, whether a retry can help, the remedy, the error. */
const table: ReadonlyArray<readonly [string, boolean, RegExp, BrokerError]> = [
  ["Connection", true, /h:5671 is not reachable.*check that RabbitMQ runs there/, connecting("x", "ECONNREFUSED")],
  ["Connection", true, /it may require TLS \(amqps/, connecting("Socket closed abruptly", undefined, false)],
  ["Connection", true, /the handshake failed.*check/, connecting(`odd ${secret}`)],
  ["Authentication", false, /check the user name and the password/, connecting("403 (ACCESS-REFUSED)")],
  [
    "Credentials",
    true,
    /the option tls failed.*what issues them can be reached/,
    new BrokerError({ reason: new CredentialsUnavailable({ address: "h:5671", detail: "the option tls failed" }) })
  ],
  [
    "Vhost",
    false,
    /add_vhost.*set_permissions/,
    connecting("Expected ConnectionOpenOk; got <ConnectionClose channel:0>")
  ],
  ["Tls", false, /give its authority as tls\.ca/, connecting("x", "DEPTH_ZERO_SELF_SIGNED_CERT")],
  ["Tls", false, /set tls\.servername/, connecting("x", "ERR_TLS_CERT_ALTNAME_INVALID")],
  ["Tls", false, /renew it/, connecting("x", "CERT_HAS_EXPIRED")],
  ["Tls", false, /use amqp:\/\/ or the TLS port/, connecting("x", "ERR_SSL_WRONG_VERSION_NUMBER")],
  ["Tls", false, /give tls\.cert and tls\.key/, connecting("x", "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED")],
  [
    "TopologyMismatch",
    false,
    /x-delivery-limit = 5, 20 is needed.*use a new name, or delete it/,
    mismatch("x-delivery-limit")
  ],
  ["TopologyMismatch", false, /use a new subscriber name/, mismatch("x-single-active-consumer")],
  ["TopologyMissing", false, /queue ns\.sub\.a does not exist: declare it/, refused("404 (NOT-FOUND)", 404)],
  ["Permission", false, /user "user" has no permission for queue ns\.sub\.a.*set_permissions/, refused("403 (X)", 403)],
  [
    "QueueInUse",
    true,
    /queue ns\.sub\.a has another consumer.*stop the other program/,
    refused("403 (ACCESS-REFUSED) - queue 'a' in vhost '/' in exclusive use", 403)
  ],
  ["Refused", true, /stop that program/, refused("405 (RESOURCE-LOCKED)", 405)],
  ["Refused", true, /RabbitMQ's log says which/, refused("406 (PRECONDITION-FAILED)", 406)],
  ["Refused", true, /raise RabbitMQ's channel_max/, refused("No channels left to allocate")],
  ["Refused", true, /retried on a new one/, refused("Channel closed")],
  [
    "Refused",
    true,
    /publish less, or raise its max_message_size/,
    publishing(
      foreign("PRECONDITION_FAILED - message size 300000 is larger than configured max size 262144", 406),
      300_000
    )
  ],
  [
    "Permission",
    false,
    /exchange ns\.events \(write\).*set_permissions/,
    publishing(foreign("ACCESS_REFUSED - access to exchange 'ns.events' in vhost '/' refused for user 'user'", 403))
  ],
  [
    "TopologyMissing",
    false,
    /fix the namespace/,
    publishing(foreign("NOT_FOUND - no exchange 'ns.events' in vhost '/'", 404))
  ],
  ["Settings", false, /Write amqp:\/\/user:password@host/, setting({ servers: `user:${secret}@h` })],
  ["Settings", false, /Write such signs as %23/, setting({ servers: `amqp://user:#${secret}@h` })],
  ["Settings", false, /Use amqps:\/\/, or allow it/, setting({ servers: `amqp://user:${secret}@example.org` })],
  ["Settings", false, /The default is "eduflow"/, setting({ namespace: "Not Good" })],
  ["Settings", false, /The default is 15 seconds/, setting({ canaryInterval: "1 second" })],
  ["Settings", false, /The default is 15 seconds/, setting({ canaryInterval: Duration.infinity })],
  ["ClientUnsupported", false, /amqplib 2\.3\.\d+ is not supported, 2\.3\.x is .*remove the override/, unknownClient()],
  [
    "ConsumerTimeout",
    true,
    /queue ns\.sub\.a: .*consumer timeout of 500 ms\. Raise consumer_timeout in rabbitmq\.conf/,
    new BrokerError({ reason: new ConsumerTimeout({ queue: "ns.sub.a", millis: 500 }) })
  ],
  ["Closed", false, /close it after its last use/, new BrokerError({ reason: new Closed() })]
]

describe("Reasons", () => {
  it("O3, O4, T1, T2, PUB16, PUB17, N10, P14, P16: each names the remedy and whether a retry can help, and contains no secret", () => {
    for (const [tag, isRetryable, remedy, error] of table) {
      assert.strictEqual(error.reason._tag, tag, error.message)
      assert.match(error.message, remedy)
      assert.strictEqual(error.isRetryable, isRetryable, error.message)
      assertSecretless(error)
      assert.notInclude(inspect(error.reason, { depth: 20, showHidden: true }), secret)
    }
  })

  it("no reason of the port is left out", () => {
    const all = new Set(BrokerError.fields.reason.members.map(({ fields }) => fields._tag.schema.literal))
    assert.deepStrictEqual(new Set(table.map(([tag]) => tag)), new Set<string>(all))
  })

  it("P14: headers that the wire cannot carry are reported without their contents", () => {
    for (const headers of [{ [secret]: Number.NaN }, { [secret]: secret.repeat(1000) }]) {
      const fault = HeaderTable.fault(headers, 4096)
      assert.match(fault ?? "", /leave it out|shorten/)
      assert.notInclude(fault ?? "", secret)
    }
  })

  it.live("settings that cannot work fail before anything is connected", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.scoped(AmqpBroker.make(options({ publishChannels: 0 }))))
      assert.strictEqual(error.reason._tag, "Settings")
      assert.match(error.message, /whole number from 1 to 64.*The default is 2/)
      assertSecretless(error)
    })
  )
})
