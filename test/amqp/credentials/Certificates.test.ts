/** Certificates that are renewed while a service runs: the old ones are refused, and the next ones are read from where they are. */
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Schema, SubscriptionRef } from "effect"
import { afterAll } from "vitest"
import * as AmqpBroker from "../../../src/amqp/AmqpBroker.ts"
import type { TlsOptions } from "../../../src/bus/support/TlsOptions.ts"
import * as Event from "../../../src/event/Event.ts"
import * as MemoryCache from "../../../src/memory/MemoryCache.ts"
import { processOver, start } from "../../../src/ports/conformance/setup/BusProcess.ts"
import { fresh } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { describeLive, freshNamespace } from "../../support/live.ts"
import { ownRabbit } from "../../support/OwnRabbit.ts"
import { terminate } from "../setup/Terminator.ts"
import { until, untilEffect } from "../setup/Until.ts"
import { type Certificates, makeCertificates } from "../start/Certificates.ts"

const Thing = Event.make("thing.happened", { version: 1, cache: false, data: Schema.Struct({ n: Schema.Finite }) })

describeLive(
  "certificates",
  () => {
    const node = ownRabbit()
    const made: Array<Certificates> = []
    const make = (): Certificates => {
      const certificates = makeCertificates()
      made.push(certificates)
      return certificates
    }
    afterAll(() => made.forEach(({ remove }) => remove()))

    const server = ({ ca, server }: Certificates) => ({ ...server, ca, requestCert: true, rejectUnauthorized: true })
    const client = ({ ca, client }: Certificates): TlsOptions => ({ ca, ...client, servername: "localhost" })

    it.live(
      "P11: that are renewed on both sides are used at the next connect; a subscriber is never given up meanwhile",
      () =>
        Effect.gen(function* () {
          const old = make()
          const next = make()
          const terminator = yield* terminate(node().port, server(old))
          let held = old
          const tls = Effect.suspend(() => Effect.succeed(client(held)))
          const { broker, bus, subscribe } = yield* start(
            processOver(
              Layer.merge(
                AmqpBroker.layer({
                  servers: `amqps://guest:guest@localhost:${terminator.port}`,
                  namespace: freshNamespace(),
                  source: "certificates",
                  connectTimeout: "2 minutes",
                  callTimeout: "200 millis",
                  tls
                }),
                MemoryCache.layer
              ),
              { publishTimeout: "5 minutes" }
            )
          )
          const handled: Array<number> = []
          const subscription = yield* subscribe(fresh(), {
            events: [Thing],
            restarts: { max: 1 },
            handler: ({ data }) => Effect.sync(() => void handled.push(data.n))
          })
          yield* bus.publish(Thing, { n: 1 })
          yield* until(
            () => "the first is not handled",
            () => handled.length === 1
          )
          terminator.renew(server(next))
          terminator.breakAll()
          const status = () => SubscriptionRef.getUnsafe(subscription.status)
          // Its limit is one.
          yield* until(
            () => JSON.stringify(status()),
            () =>
              status()._tag === "Failed" || (status().restarts >= 3 && (status().cause ?? "").startsWith("TLS with"))
          )
          assert.strictEqual(status()._tag, "Restarting")
          yield* untilEffect(
            () => "down for TLS",
            Effect.map(
              Effect.forEach(broker.probes.slice(0, 2), ({ check }) => check),
              (checks) => checks.every(({ detail, status }) => status === "down" && detail.startsWith("TLS with"))
            )
          )
          held = next
          yield* bus.publish(Thing, { n: 2 })
          yield* until(
            () => `${handled}`,
            () => handled.includes(2)
          )
          // The acknowledgement of the first one may have been lost with its connection.
          assert.deepStrictEqual(new Set(handled), new Set([1, 2]))
        })
    )
  },
  ["rabbitNode"]
)
