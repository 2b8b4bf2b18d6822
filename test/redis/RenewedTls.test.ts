/** Certificates of Redis that are renewed while a service runs: the next ones are read from where they are at the next connect. */
import { afterAll, assert, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { Redis } from "effect/persistence"
import { TestClock } from "effect/testing"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import type { TlsOptions } from "../../src/bus/support/TlsOptions.ts"
import { RedisStores } from "../../src/index.ts"
import * as RedisClient from "../../src/redis/connection/RedisClient.ts"
import { examine } from "../../src/redis/inspect/Examine.ts"
import { type Certificates, makeCertificates } from "../amqp/start/Certificates.ts"
import { describeLive } from "../support/live.ts"
import { awaitGreeting, processMachine } from "../support/Machine.ts"
import { freePort } from "../support/Port.ts"
import { findBroker } from "../support/provision.ts"
import { type RedisNode, startRedis } from "../support/RedisNode.ts"
import { openScratch } from "../support/Scratch.ts"
import { until } from "./support.ts"

const files = ({ dir }: Certificates) => ({
  "tls-cert-file": join(dir, "server.crt"),
  "tls-key-file": join(dir, "server.key"),
  "tls-ca-cert-file": join(dir, "ca.crt")
})

const partsOf = ({ ca, client }: Certificates): TlsOptions => ({ ca, ...client, servername: "localhost" })

const start = async (certificates: Certificates, more: ReadonlyArray<string> = []) => {
  const port = await freePort()
  const settings = { "tls-port": String(port), "tls-auth-clients": "yes", ...files(certificates) }
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
  return Object.assign(await startRedis({ args: [...args, ...more] }), { tlsPort: port })
}

const clientOf = (url: string, tls: Effect.Effect<TlsOptions, unknown>) =>
  RedisClient.make({ url: Redacted.make(url), tls, commandTimeout: "10 seconds" })

const reasonOf = (client: RedisClient.RedisClient["Service"]): string => {
  const status = client.status()
  return status._tag === "Up" ? "up" : status.reason.message
}

describeLive(
  "renewed certificates of Redis",
  () => {
    const made: Array<Certificates> = []
    const make = (): Certificates => {
      const certificates = makeCertificates()
      made.push(certificates)
      return certificates
    }
    afterAll(() => made.forEach(({ remove }) => remove()))

    const nodes: Array<RedisNode> = []
    afterAll(() => Promise.all(nodes.map((node) => node.stop())))
    const node = (certificates: Certificates, more?: ReadonlyArray<string>) =>
      Effect.promise(async () => {
        const started = await start(certificates, more)
        nodes.push(started)
        return started
      })

    /** The port of a sentinel that watches a master over TLS. */
    const sentinelOf = ({ tlsPort }: { readonly tlsPort: number }, certificates: Certificates) =>
      Effect.map(
        Effect.acquireRelease(
          Effect.promise(async () => {
            const source = await findBroker("redis")
            if (source.kind !== "installed") throw new Error("sentinels need redis-server to be installed")
            const [port, tls, scratch] = [await freePort(), await freePort(), openScratch("sentinel")]
            const file = join(scratch.dir, "sentinel.conf")
            const settings = { port, "tls-port": tls, "tls-replication": "yes", "tls-auth-clients": "no" }
            const lines = Object.entries({ ...settings, ...files(certificates) }).map((pair) => pair.join(" "))
            writeFileSync(file, [...lines, `sentinel monitor mymaster 127.0.0.1 ${tlsPort} 1`, ""].join("\n"))
            const machine = processMachine({
              scratch,
              command: join(source.folder, "redis-server"),
              args: [file, "--sentinel"],
              env: { PATH: process.env["PATH"], LANG: "C.UTF-8" },
              log: "sentinel.log"
            })
            await machine.start()
            const isReady = (answer: string): boolean => answer.startsWith("+PONG")
            await awaitGreeting({ machine, port, seconds: 240, hello: "PING\r\n", isReady })
            return { machine, tls }
          }),
          ({ machine }) => Effect.promise(() => machine.close())
        ),
        ({ tls }) => tls
      )

    /** From now on the server shows these certificates, and asks for those of their authority. */
    const renew = (server: RedisNode, certificates: Certificates) =>
      Effect.promise(async () => {
        await server.cli("CONFIG", "SET", ...Object.entries(files(certificates)).flat())
        await server.cli("CLIENT", "KILL", "SKIPME", "yes")
      })

    const goesOn = (url: string, server: RedisNode, [old, next]: readonly [Certificates, Certificates]) =>
      Effect.gen(function* () {
        let held = old
        let reads = 0
        const tls = Effect.sync(() => {
          reads++
          return partsOf(held)
        })
        const client = yield* clientOf(url, tls)
        const ping = client.use((commands) => commands.ping())
        assert.strictEqual(yield* ping, "PONG")
        yield* renew(server, next)
        yield* until(
          "the old ones are refused",
          Effect.sync(() => reasonOf(client).includes("redisTls.ca"))
        )
        held = next
        yield* until(
          "the next ones are used",
          Effect.sync(() => client.status()._tag === "Up")
        )
        assert.strictEqual(yield* ping, "PONG")
        return reads
      })

    it.live("P11: of a server are used at the next connect", () =>
      Effect.gen(function* () {
        const [old, next] = [make(), make()]
        const server = yield* node(old)
        assert.isAtLeast(yield* goesOn(`rediss://localhost:${server.tlsPort}`, server, [old, next]), 3)
      })
    )

    it.live("P11: of the nodes of a cluster are used at the next connect", () =>
      Effect.gen(function* () {
        const [old, next] = [make(), make()]
        const bus = yield* Effect.promise(freePort)
        const cluster = ["--cluster-enabled", "yes", "--cluster-port", String(bus), "--tls-cluster", "yes"]
        const server = yield* node(old, [...cluster, "--cluster-announce-ip", "127.0.0.1"])
        yield* Effect.promise(() => server.cli("CLUSTER", "ADDSLOTSRANGE", "0", "16383"))
        yield* until(
          "the cluster is up",
          Effect.promise(async () => (await server.cli("CLUSTER", "INFO")).includes("cluster_state:ok"))
        )
        yield* goesOn(`rediss+cluster://localhost:${server.tlsPort}`, server, [old, next])
      })
    )

    it.live("P11: of sentinels and their master are used at the next connect", () =>
      Effect.gen(function* () {
        const [old, next] = [make(), make()]
        const server = yield* node(old)
        const sentinel = yield* sentinelOf(server, old)
        const url = `rediss+sentinel://localhost:${sentinel}/mymaster`
        let held = old
        const client = yield* clientOf(
          url,
          Effect.sync(() => partsOf(held))
        )
        assert.strictEqual(yield* client.use((commands) => commands.ping()), "PONG")
        // The sentinel keeps the old ones: it still says where the master is, which then refuses.
        yield* renew(server, next)
        yield* until(
          "the old ones are refused",
          Effect.sync(() => reasonOf(client).includes("redisTls.ca"))
        )
        held = { ...next, ca: `${old.ca}${next.ca}` }
        yield* until(
          "the next ones are used",
          Effect.sync(() => client.status()._tag === "Up")
        )
      })
    )

    it.live(
      "P14: of an Effect that fails, throws or gives no certificate, its name and the name of the error are kept",
      () =>
        Effect.gen(function* () {
          const secret = "hunter2-secret"
          class VaultSealed extends Error {
            override readonly name = "VaultSealed"
          }
          for (const kind of ["", "+cluster", "+sentinel"])
            for (const [tls, detail] of [
              [Effect.fail(new VaultSealed(secret)), "the option redisTls failed with VaultSealed"],
              [Effect.fail(secret), "the option redisTls failed)"],
              [Effect.die(new VaultSealed(secret)), "the option redisTls threw with VaultSealed"],
              [Effect.succeed({ cert: secret, key: secret }), "of the option redisTls ca, cert or key cannot be read"]
            ] as const) {
              const url = `rediss${kind}://localhost:1${kind === "+sentinel" ? "/m" : ""}`
              const message = yield* Effect.scoped(
                Effect.gen(function* () {
                  const client = yield* clientOf(url, tls)
                  return (yield* Effect.flip(client.use((commands) => commands.ping()))).message
                })
              )
              assert.include(message, detail)
              assert.notInclude(message, secret)
              const { findings } = yield* examine({ url: Redacted.make(url), tls }, 10_000)
              assert.include(JSON.stringify(findings), detail.replace(")", ""))
              assert.notInclude(JSON.stringify(findings), secret)
            }
        })
    )

    // Time stands still: what ends the Effect is the close, and no bound of its time.
    it.effect("an Effect that is under way when the client closes is interrupted", () =>
      Effect.gen(function* () {
        for (const kind of ["", "+cluster", "+sentinel"]) {
          let [begun, ended] = [0, 0]
          const tls = Effect.andThen(
            Effect.sync(() => void begun++),
            Effect.onInterrupt(Effect.never, () => Effect.sync(() => void ended++))
          )
          yield* Effect.scoped(
            Effect.gen(function* () {
              yield* clientOf(`rediss${kind}://localhost:1${kind === "+sentinel" ? "/m" : ""}`, tls)
              yield* TestClock.withLive(
                until(
                  "it is asked",
                  Effect.sync(() => begun > 0)
                )
              )
            })
          )
          yield* TestClock.withLive(
            until(
              "it is interrupted",
              Effect.sync(() => ended === begun)
            )
          )
        }
      })
    )

    it.live("Effect's stores read them, too, also for connections of their own", () =>
      Effect.gen(function* () {
        const certificates = make()
        const server = yield* node(certificates)
        let reads = 0
        const tls = Effect.sync(() => {
          reads++
          return partsOf(certificates)
        })
        yield* Effect.gen(function* () {
          const redis = yield* Redis.Redis
          assert.strictEqual(yield* redis.send("PING"), "PONG")
          const before = reads
          yield* Effect.scoped(Effect.flatMap(redis.reserve, (reserved) => reserved.send("PING")))
          assert.strictEqual(reads, before + 1)
        }).pipe(
          Effect.provide(RedisStores.layer({ url: `rediss://localhost:${server.tlsPort}`, tls, timeout: "10 seconds" }))
        )
      })
    )
  },
  ["redisNode"]
)
