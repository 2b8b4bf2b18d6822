/** Mistakes about lines, leases and timeouts of consumers: those that a cluster shows, and those of a claim. */
import { Effect, Layer } from "effect"
import { Addresses } from "../../src/amqp/connection/Addresses.ts"
import { ClaimStore } from "../../src/bus/port/ClaimStore.ts"
import * as AmqplibHooks from "./AmqplibHooks.ts"

type IsSubscriber = (queue: string) => boolean

/**
 * Asks for no timeout of its own, so that RabbitMQ 4.3 takes back what handlers still have, and declares and consumes
 * the queue again as if it had been deleted.
 */
export const timeoutIsDeletion = (isSubscriber: IsSubscriber): void =>
  AmqplibHooks.around(
    "consume",
    (consume) =>
      function (queue, receive, settings) {
        return consume.call(this, queue, receive, isSubscriber(queue) ? { ...settings, arguments: {} } : settings)
      }
  )

/** A line stays where it is although nothing is confirmed there. */
export const silentLineKept = (): void => {
  Addresses.prototype.fellSilent = () => {}
  Addresses.prototype.leave = () => {}
}

/** Binds what exists again and again, on the connection with the consumers. */
export const bindsOnConsumeLine = (isSubscriber: IsSubscriber, namespace: string): void =>
  AmqplibHooks.around(
    "consume",
    (consume) =>
      async function (queue, receive, settings) {
        const answer = await consume.call(this, queue, receive, settings)
        if (!isSubscriber(queue)) return answer
        const bind = async (): Promise<void> => {
          const channel = await AmqplibHooks.besides(this)
          channel.on("error", () => {})
          for (;;) {
            await channel.bindQueue(queue, `${namespace}.events`, "chaos.step")
            await new Promise((resolve) => setTimeout(resolve, 200))
          }
        }
        // Until the connection is gone.
        bind().catch(() => {})
        return answer
      }
  )

/** As a deadline of 30 seconds and ten more, which nobody renews. */
const wholeLeaseMillis = 40_000

/** Asks for a claim again when the lease of the other process is over. */
export const sleptLeases = Layer.effect(
  ClaimStore,
  Effect.map(ClaimStore, (marks) =>
    ClaimStore.of({
      ...marks,
      claim: (subject, claimant) =>
        Effect.tap(marks.claim(subject, claimant, wholeLeaseMillis), (claim) =>
          claim._tag === "Held" ? Effect.sleep(claim.millis) : Effect.void
        ),
      renew: (held) => Effect.succeed(held.map(() => true))
    })
  )
)
