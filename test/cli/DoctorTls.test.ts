/** `eventbus doctor` looks at the certificate of a server before anything else. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { AddressInfo } from "node:net"
import { createServer } from "node:tls"
import { makeCertificates } from "../amqp/start/Certificates.ts"
import { freshNamespace } from "../support/live.ts"
import { doctor } from "./Eventbus.ts"

describe("doctor on TLS", () => {
  it.live("certificates: not trusted, of another name, about to end", () =>
    Effect.gen(function* () {
      const certificates = makeCertificates()
      const server = createServer({ ...certificates.server }, (socket) => socket.destroy())
      yield* Effect.promise(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)))
      const { port } = server.address() as AddressInfo
      const found = (host: string, ...args: ReadonlyArray<string>) =>
        Effect.map(
          doctor(
            { EVENTBUS_URL: `amqps://guest:guest@${host}:${port}`, EVENTBUS_NAMESPACE: freshNamespace() },
            ...args
          ),
          ({ checks }) => checks.filter((check) => check.startsWith("rabbitmq.tls"))
        )
      const ca = ["--ca", `${certificates.dir}/ca.crt`]
      assert.deepStrictEqual(yield* found("localhost"), ["rabbitmq.tls.chain", "rabbitmq.tls.expiry"])
      assert.deepStrictEqual(yield* found("localhost", ...ca), ["rabbitmq.tls.expiry"])
      assert.deepStrictEqual(yield* found("127.0.0.1", ...ca), ["rabbitmq.tls.expiry", "rabbitmq.tls.name"])
      server.close()
      certificates.remove()
    })
  )
})
