/**
 * Reads a dead-letter queue by `basic.get` on a channel of its own. What was read is held until it is
 * acknowledged or the scope ends; then the channel closes and the rest goes back, in order.
 *
 * It reads, and does not consume: two readers at once see disjoint parts.
 */
import { Effect, Schedule, type Scope } from "effect"
import type { DeadLetterReader } from "../bus/Broker.ts"
import type { BrokerError } from "../bus/BrokerError.ts"
import { bounded, type Link } from "./Connection.ts"
import * as Receiver from "./Receiver.ts"

/** How long a scope waits to see that the queue has back what was held. */
const returnMillis = 500

export const read = Effect.fnUntraced(function* (
  link: Link,
  options: { readonly namespace: string; readonly queue: string; readonly call: Receiver.Reception["call"] }
): Effect.fn.Return<DeadLetterReader, BrokerError, Scope.Scope> {
  const { call, namespace, queue } = options
  const run = Effect.runPromiseWith(yield* Effect.context<never>())
  const count = (channel: { readonly checkQueue: (name: string) => Promise<{ readonly messageCount: number }> }) =>
    Effect.map(
      call("looking at", `queue ${queue}`, () => channel.checkQueue(queue)),
      ({ messageCount }) => messageCount
    )
  let gone = false
  let held = 0

  /** A quorum queue takes back what was held a moment later: who looks again at once would find it empty. */
  const returned = Effect.suspend(() =>
    held === 0 || gone
      ? Effect.void
      : Receiver.openChannel(link, call).pipe(
          Effect.flatMap((channel) =>
            Effect.repeat(count(channel), { until: (ready) => ready >= held, schedule: Schedule.spaced("20 millis") })
          ),
          Effect.scoped,
          Effect.timeoutOption(returnMillis),
          Effect.ignore
        )
  )
  // Runs when the channel is closed, and lets go of a line that hangs.
  yield* Effect.addFinalizer(() => bounded(() => run(returned), returnMillis))
  const channel = yield* Receiver.openChannel(link, call)
  // Ours too: what is closed by the scope has nobody to settle it either, and is waited for above.
  let closing = false
  yield* Effect.addFinalizer(() => Effect.sync(() => void (closing = true)))
  channel.once("close", () => {
    gone = !closing
  })
  return {
    count: yield* count(channel),
    next: Effect.map(
      call("reading", `queue ${queue}`, () => channel.get(queue, { noAck: false })),
      (message) => {
        if (message === false) return undefined
        held++
        let settled = false
        const ack = (): void => {
          if (settled || gone || closing) return
          settled = true
          held--
          try {
            channel.ack(message)
          } catch {
            gone = true
          }
        }
        return Receiver.deliveryOf(message, namespace, ack, () => gone || closing)
      }
    )
  }
})
