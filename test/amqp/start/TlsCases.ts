/** TLS: each fault is reported with its remedy, and a correct setup connects, by password or by certificate. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { TlsOptions } from "node:tls"
import { afterAll, beforeAll } from "vitest"
import { freePort } from "../../support/Port.ts"
import { findBroker } from "../../support/provision.ts"
import { type RabbitNode, startRabbit } from "../../support/RabbitNode.ts"
import { type Certificates, makeCertificates } from "./Certificates.ts"
import { consume, subscriber } from "../setup/Consumers.ts"
import { open, proxyTo, refusalOf, secret } from "../setup/OpenBroker.ts"
import { event, outgoing, send } from "../setup/Sends.ts"
import { terminate } from "../setup/Terminator.ts"
import { until } from "../setup/Until.ts"

const terminator = (target: number, options: TlsOptions) => Effect.map(terminate(target, options), ({ port }) => port)

export const tlsCases = (node: () => RabbitNode): void => {
  let made: Certificates | undefined
  const certificates = (): Certificates => (made ??= makeCertificates())
  afterAll(() => made?.remove())
  const urlTo = (port: number, host = "localhost"): string => `amqps://guest:${secret}@${host}:${port}`

  describe.concurrent("TLS", () => {
    it.live("O3: each fault of a certificate has its code and its remedy", () =>
      Effect.gen(function* () {
        const { ca, client, selfSigned, server } = certificates()
        const self = yield* terminator(node().port, selfSigned)
        const signed = yield* terminator(node().port, server)
        const mutual = yield* terminator(node().port, { ...server, ca, requestCert: true, rejectUnauthorized: true })
        const table = [
          [urlTo(self), {}, "DEPTH_ZERO_SELF_SIGNED_CERT", "tls.ca"],
          [urlTo(signed), {}, "UNABLE_TO_VERIFY_LEAF_SIGNATURE", "tls.ca"],
          [urlTo(signed), { ca, servername: "other.example" }, "ERR_TLS_CERT_ALTNAME_INVALID", "servername"],
          [urlTo(node().port, "127.0.0.1"), { ca }, "ERR_SSL|EPROTO", "does not speak TLS"],
          [urlTo(mutual), { ca }, "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", "tls.cert"],
          [urlTo(signed), { ca, cert: "no PEM", key: client.key }, "ERR_OSSL", "PEM"],
          [urlTo(signed), { ca, cert: client.cert, key: `no PEM ${secret}` }, "ERR_OSSL", ""]
        ] as const
        yield* Effect.forEach(
          table,
          ([url, tls, code, remedy]) =>
            Effect.map(refusalOf(url, { tls, connectTimeout: "2 minutes" }), ({ message, reason }) => {
              assert.strictEqual(reason._tag, "Tls", `${code}: ${message}`)
              assert.match(message, new RegExp(code))
              assert.include(message, remedy)
            }),
          { concurrency: "unbounded" }
        )
      })
    )

    it.live("O3: plain text to a port that requires TLS is Connection, with that hint", () =>
      Effect.gen(function* () {
        const port = yield* terminator(node().port, certificates().server)
        const { message, reason } = yield* refusalOf(`amqp://guest:${secret}@localhost:${port}`, {
          connectTimeout: "2 seconds"
        })
        assert.strictEqual(reason._tag, "Connection")
        assert.match(message, /amqps|ECONNRESET/)
      })
    )

    it.live(
      "O3, S2: TLS with the right authority connects; a frozen handshake ends in time; closing meanwhile takes no time",
      () =>
        Effect.gen(function* () {
          const { ca, client, server } = certificates()
          const mutual = yield* terminator(node().port, { ...server, ca, requestCert: true, rejectUnauthorized: true })
          const { broker } = yield* open(`amqps://guest:guest@localhost:${mutual}`, { tls: { ca, ...client } })
          assert.strictEqual((yield* send(broker, outgoing(event("x"))))._tag, "Confirmed")
          const proxy = yield* proxyTo(mutual)
          proxy.stall("down")
          const frozen = yield* refusalOf(urlTo(proxy.port, "127.0.0.1"), { tls: { ca }, connectTimeout: "500 millis" })
          assert.deepInclude(frozen.reason, { _tag: "Connection", detail: "ETIMEDOUT" })
          const { close } = yield* open(urlTo(proxy.port, "127.0.0.1"), {
            tls: { ca },
            waitForBroker: true,
            connectTimeout: "5 minutes"
          })
          yield* Effect.timeoutOrElse(close, {
            duration: "1 minute",
            orElse: () => Effect.die(new Error("closing took more than a minute"))
          })
        })
    )
  })

  it.live("P3: a flush over TLS reports when the socket has taken everything, each time", () =>
    Effect.gen(function* () {
      const { ca, server } = certificates()
      const port = yield* terminator(node().port, server)
      const { broker } = yield* open(`amqps://guest:guest@localhost:${port}`, { tls: { ca } })
      yield* broker.declare(subscriber("tls", ["over.tls"]))
      const consumer = yield* consume(broker, "tls")
      for (let n = 0; n < 3; n++) yield* send(broker, outgoing(event("over.tls")))
      yield* consumer.reaches(3)
      for (const { ack } of consumer.deliveries) {
        ack()
        let reports = 0
        const isSent = consumer.flush(() => void reports++)
        yield* until(
          () => "no report",
          () => isSent || reports > 0
        )
        assert.isAtMost(reports, 1)
      }
    })
  )

  describe("SASL EXTERNAL", () => {
    let external: RabbitNode | undefined
    let port = 0
    let possible = true
    beforeAll(async () => {
      // A container cannot read the certificates of the test.
      possible = (await findBroker("rabbitmq")).kind !== "docker"
      if (!possible) return
      port = await freePort()
      const { dir } = certificates()
      external = await startRabbit({
        conf: {
          "listeners.ssl.1": `127.0.0.1:${port}`,
          "ssl_options.cacertfile": `${dir}/ca.crt`,
          "ssl_options.certfile": `${dir}/server.crt`,
          "ssl_options.keyfile": `${dir}/server.key`,
          "ssl_options.verify": "verify_peer",
          "ssl_options.fail_if_no_peer_cert": "true",
          "auth_mechanisms.1": "PLAIN",
          "auth_mechanisms.2": "EXTERNAL",
          ssl_cert_login_from: "common_name"
        }
      })
    })
    afterAll(() => external?.stop())

    it.live(
      "O3, N24: mTLS: without its plugin the broker does not know EXTERNAL; with the plugin the certificate is the user",
      (context) =>
        Effect.gen(function* () {
          if (external === undefined) return context.skip("a container cannot read our certificates")
          const { ca, client } = certificates()
          const url = `amqps://127.0.0.1:${port}`
          const tls = { ca, ...client, servername: "localhost" }
          const unknown = yield* refusalOf(url, { tls })
          assert.deepInclude(unknown.reason, { _tag: "Authentication", username: "(certificate)" })
          const secured = external
          // Its listeners are up before its start is over, and plugins only after that.
          yield* Effect.promise(() => secured.ctl("await_startup"))
          yield* Effect.promise(() =>
            secured.eval(
              '{ok, F} = application:get_env(rabbit, enabled_plugins_file), ok = file:write_file(F, "[rabbitmq_auth_mechanism_ssl].\\n"), {ok, _, _} = rabbit_plugins:ensure(F).'
            )
          )
          const { broker } = yield* open(url, { tls })
          assert.strictEqual((yield* send(broker, outgoing(event("x"))))._tag, "Confirmed")
          assert.match(
            yield* Effect.promise(() => secured.ctl("list_connections", "user", "auth_mechanism")),
            /guest\s+EXTERNAL/
          )
        })
    )
  })
}
