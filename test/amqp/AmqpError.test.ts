/** Errors of amqplib, Node and RabbitMQ as reasons of the bus: texts as they were seen, and texts that only look like them. */
import { assert, describe, it } from "@effect/vitest"
import { inspect } from "node:util"
import * as AmqpError from "../../src/amqp/AmqpError.ts"
import type { Server } from "../../src/amqp/Servers.ts"

const server = (more: Partial<Server> = {}): Server => ({
  host: "h",
  port: 5672,
  secure: false,
  vhost: "v",
  credentials: undefined,
  address: "h:5672",
  ...more
})
const error = (message: string, code?: string | number): Error =>
  Object.assign(new Error(message), code === undefined ? {} : { code })
const tag = (message: string, code?: string | number, more?: Partial<Server>): string =>
  AmqpError.connecting(error(message, code), server(more), "user").reason._tag

describe("AmqpError", () => {
  it("O3, PUB16, PUB17: connecting: the reason comes from the error, not from what an address happens to contain", () => {
    const table: ReadonlyArray<readonly [string, string, (string | number | undefined)?, Partial<Server>?]> = [
      [
        "Authentication",
        'Handshake terminated by server: 403 (ACCESS-REFUSED) with message "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN."'
      ],
      ["Authentication", "SASL mechanism EXTERNAL is not provided by the server"],
      ["Vhost", "Expected ConnectionOpenOk; got <ConnectionClose channel:0>"],
      ["Connection", "connect ECONNREFUSED 127.0.0.1:24031", "ECONNREFUSED"],
      ["Connection", "connect ECONNREFUSED 10.40.3.1:5672", "ECONNREFUSED"],
      ["Connection", "getaddrinfo ENOTFOUND vhost.example", "ENOTFOUND"],
      ["Connection", "getaddrinfo ENOTFOUND rabbit-403", "ENOTFOUND"],
      ["Connection", "read ECONNRESET", "ECONNRESET"],
      ["Connection", "connect ETIMEDOUT"],
      ["Connection", "Socket closed abruptly during opening handshake"],
      ["Connection", "Socket closed abruptly during opening handshake", undefined, { secure: true }],
      ["Tls", "self-signed certificate", "DEPTH_ZERO_SELF_SIGNED_CERT", { secure: true }],
      ["Tls", "certificate has expired", "CERT_HAS_EXPIRED", { secure: true }],
      ["Tls", "Hostname/IP does not match certificate's altnames", "ERR_TLS_CERT_ALTNAME_INVALID", { secure: true }],
      ["Tls", "wrong version number", "ERR_SSL_WRONG_VERSION_NUMBER", { secure: true }],
      ["Tls", "certificate required", "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", { secure: true }],
      ["Tls", "unsupported protocol", "ERR_SSL_UNSUPPORTED_PROTOCOL", { secure: true }],
      ["Tls", "no start line", "ERR_OSSL_PEM_NO_START_LINE", { secure: true }]
    ]
    for (const [expected, message, code, more] of table)
      assert.strictEqual(tag(message, code, more), expected, `${message} ${code}`)
  })

  it("T1, T2: a refused operation: 406 with every part, 404, 403, 405 and the rest", () => {
    const mismatch = AmqpError.refused(
      error(
        `Operation failed: QueueDeclare; 406 (PRECONDITION-FAILED) with message "PRECONDITION_FAILED - inequivalent arg 'x-delivery-limit' for queue 'ns.sub.a' in vhost '/': received the value '20' of type 'signedint' but current is the value '5' of type 'long'"`,
        406
      ),
      "declaring",
      "queue ns.sub.a",
      "user"
    )
    assert.deepInclude(mismatch.reason, {
      _tag: "TopologyMismatch",
      entity: "queue ns.sub.a",
      argument: "x-delivery-limit",
      expected: "20",
      actual: "5"
    })
    const none = AmqpError.refused(
      error(
        `406 (PRECONDITION-FAILED) with message "PRECONDITION_FAILED - inequivalent arg 'x-single-active-consumer' for queue 'ns.sub.a' in vhost '/': received none but current is the value 'true' of type 'bool'"`,
        406
      ),
      "declaring",
      "queue ns.sub.a",
      "user"
    )
    assert.deepInclude(none.reason, {
      _tag: "TopologyMismatch",
      argument: "x-single-active-consumer",
      expected: "none",
      actual: "true"
    })
    assert.include(none.message, "new subscriber name")
    const type = AmqpError.refused(
      error(
        `406 (PRECONDITION-FAILED) with message "PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'ns.events' in vhost '/': received 'topic' but current is 'direct'"`,
        406
      ),
      "declaring",
      "exchange ns.events",
      "user"
    )
    assert.deepInclude(type.reason, {
      _tag: "TopologyMismatch",
      entity: "exchange ns.events",
      argument: "type",
      expected: "topic",
      actual: "direct"
    })
    const table: ReadonlyArray<readonly [string, string, (string | number)?]> = [
      ["Refused", '406 (PRECONDITION-FAILED) with message "unknown delivery tag 3"', 406],
      ["TopologyMissing", '404 (NOT-FOUND) with message "NOT_FOUND - no exchange"', 404],
      ["Permission", '403 (ACCESS-REFUSED) with message "access to queue refused"', 403],
      ["Refused", "405 (RESOURCE-LOCKED)", 405],
      ["Refused", "Channel closed"],
      ["Refused", "No channels left to allocate"]
    ]
    for (const [expected, message, code] of table) {
      assert.strictEqual(
        AmqpError.refused(error(message, code), "declaring", "queue q", "user").reason._tag,
        expected,
        message
      )
    }
  })

  it("O3: what ended a connection is the broker's code and text, the socket's error, or nothing", () => {
    const table: ReadonlyArray<readonly [string, unknown]> = [
      [
        ': 320 (CONNECTION-FORCED) with message "CONNECTION_FORCED - credential expired"',
        error('Connection closed: 320 (CONNECTION-FORCED) with message "CONNECTION_FORCED - credential expired"', 320)
      ],
      [": no heartbeat", error("Heartbeat timeout")],
      [": ECONNRESET", error("read ECONNRESET", "ECONNRESET")],
      ["", error("Socket closed abruptly")],
      ["", undefined],
      [`: 541 a b${"x".repeat(293)}`, error(`Connection closed: 541 a\nb${"x".repeat(1000)}`)]
    ]
    for (const [expected, closed] of table) assert.strictEqual(AmqpError.reasonOfClose(closed), expected)
  })

  it("O4, P14: nothing of a foreign error is passed on but what was recognised", () => {
    const secret = "canary-password"
    const foreign = Object.assign(error(`something odd ${secret}`, secret), { config: { secret }, cause: secret })
    for (const made of [
      AmqpError.connecting(foreign, server(), "user"),
      AmqpError.refused(foreign, "declaring", "queue q", "user")
    ]) {
      assert.notInclude(
        `${made.message}${made.stack}${inspect(made, { depth: 20, showHidden: true })}${JSON.stringify(made)}`,
        secret
      )
    }
    for (const odd of [undefined, null, "text", 5, {}, []]) {
      assert.strictEqual(AmqpError.connecting(odd, server(), "user").reason._tag, "Connection")
      assert.strictEqual(AmqpError.refused(odd, "declaring", "queue q", "user").reason._tag, "Refused")
    }
  })
})
