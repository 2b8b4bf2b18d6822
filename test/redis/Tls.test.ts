/** Redis over TLS: both sides prove who they are, by the parts that the options give. */
import { afterAll, assert, beforeAll, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { join } from "node:path"
import type { TlsOptions } from "../../src/bus/support/TlsOptions.ts"
import * as RedisClient from "../../src/redis/connection/RedisClient.ts"
import { type Certificates, makeCertificates } from "../amqp/start/Certificates.ts"
import { describeLive } from "../support/live.ts"
import { freePort } from "../support/Port.ts"
import { type RedisNode, startRedis } from "../support/RedisNode.ts"

describeLive(
  "Redis over TLS",
  () => {
    let certificates: Certificates
    let redis: RedisNode
    let port = 0
    beforeAll(async () => {
      certificates = makeCertificates()
      port = await freePort()
      const file = (name: string): string => join(certificates.dir, name)
      const parts = { port: String(port), "cert-file": file("server.crt"), "key-file": file("server.key") }
      const tls = { ...parts, "ca-cert-file": file("ca.crt"), "auth-clients": "yes" }
      redis = await startRedis({ args: Object.entries(tls).flatMap(([name, value]) => [`--tls-${name}`, value]) })
    })
    afterAll(async () => {
      await redis.stop()
      certificates.remove()
    })

    const ping = (tls: TlsOptions, host = "localhost") =>
      Effect.scoped(
        Effect.gen(function* () {
          const url = Redacted.make(`rediss://${host}:${port}`)
          const client = yield* RedisClient.make({ url, tls, commandTimeout: "10 seconds" })
          return yield* client.use((commands) => commands.ping())
        })
      )

    it.live("both sides are proven by redisTls", () =>
      Effect.gen(function* () {
        const { ca, client } = certificates
        assert.strictEqual(yield* ping({ ca, ...client }), "PONG")
        assert.strictEqual(yield* ping({ ca, ...client, servername: "localhost" }, "127.0.0.1"), "PONG")
      })
    )

    it.live("an authority that is not trusted, another name and a missing certificate are refused", () =>
      Effect.gen(function* () {
        const { ca, client } = certificates
        const unknown = yield* Effect.flip(ping(client))
        assert.include(unknown.message, "redisTls.ca")
        const other = yield* Effect.flip(ping({ ca, ...client, servername: "cache.example" }))
        assert.include(other.message, "redisTls.servername")
        yield* Effect.flip(ping({ ca }))
      })
    )
  },
  ["redisNode"]
)
