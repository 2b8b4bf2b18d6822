/**
 * The brokers that a whole run shares: one RabbitMQ, one Redis.
 *
 * Each starts when the first suite that needs it runs, so a run of tests that need none starts none. Test files run in
 * other processes, so they ask through a socket (live.ts): "offers" for what exists, later "rabbit" or "redis" to wait
 * until it is up. `EVENTBUS_NO_BROKERS=1` offers none.
 */
import { once } from "node:events"
import { createServer } from "node:net"
import { text } from "node:stream/consumers"
import type { TestProject } from "vitest/node"
import { startRabbit } from "./RabbitNode.ts"
import { startRedis } from "./RedisNode.ts"
import { findMonitors } from "./provision.ts"
import { type Offer, sharedBroker, type Started } from "./SharedBroker.ts"

/** `rabbit` and `redis` are shared; the others say whether a suite can start its own. */
export type Offers = Readonly<Record<"rabbit" | "redis" | "rabbitNode" | "redisNode" | "monitors", Offer>>

declare module "vitest" {
  interface ProvidedContext {
    /** Port of the loopback interface that answers questions with JSON. */
    brokers: number
  }
}

/** The default reporter does not print the names of skipped tests, where the reasons are. */
let isWarned = false
const warn = (offers: Offers): void => {
  const missing = Object.entries(offers).flatMap(([need, offer]) =>
    "missing" in offer ? [`  ${need}: ${offer.missing}\n`] : []
  )
  if (missing.length > 0 && !isWarned) process.stderr.write(`Not available for suites that need\n${missing.join("")}`)
  isWarned = true
}

let monitors: Promise<Offer> | undefined
const monitorOffer = (): Promise<Offer> => {
  if (process.env["EVENTBUS_NO_BROKERS"] === "1") return Promise.resolve({ missing: "EVENTBUS_NO_BROKERS is set" })
  return (monitors ??= findMonitors({ install: true }).then(
    () => ({ url: "" }),
    (error: unknown) => ({ missing: error instanceof Error ? error.message : String(error) })
  ))
}

export default async ({ provide }: TestProject): Promise<() => Promise<void>> => {
  const rabbit = sharedBroker({ broker: "rabbitmq", urlPrefix: "amqp://guest:guest@127.0.0.1:", start: startRabbit })
  const redis = sharedBroker({ broker: "redis", urlPrefix: "redis://127.0.0.1:", start: startRedis })

  const answer = async (question: string): Promise<Offers | Started> => {
    if (question === "rabbit") return rabbit.started()
    if (question === "redis") return redis.started()
    const [ofRabbit, ofRedis, monitors] = await Promise.all([rabbit.offers(), redis.offers(), monitorOffer()])
    const offers = {
      rabbit: ofRabbit.shared,
      rabbitNode: ofRabbit.own,
      redis: ofRedis.shared,
      redisNode: ofRedis.own,
      monitors
    }
    warn(offers)
    return offers
  }
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {}) // a test process that was killed while it waited
    text(socket)
      .then(answer)
      .then(
        (result) => socket.end(JSON.stringify(result)),
        () => socket.destroy()
      )
  })
  await once(server.listen(0, "127.0.0.1"), "listening")
  server.unref()
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("the server of the offers has no port")
  provide("brokers", address.port)
  return async () => {
    server.close()
    await Promise.all([rabbit.stop(), redis.stop()])
  }
}
