/**
 * Reads a dead-letter queue on a channel of its own. What was read is held until it is acknowledged or
 * the scope ends; then the channel closes and the rest goes back, in order.
 *
 * Two readers at once see disjoint parts.
 */
import type { Message } from "amqplib"
import { Effect, Schedule, type Scope } from "effect"
import type { DeadLetterReader, Delivery } from "../bus/Broker.ts"
import type { BrokerError } from "../bus/BrokerError.ts"
import { bounded, type Link } from "./Connection.ts"
import * as Intake from "./Intake.ts"
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
  let intake: Intake.Intake | undefined
  let gone = false
  let closing = false
  let scheduled = false

  /** A quorum queue takes back what was held a moment later: who looks again at once would find it empty. */
  const returned = Effect.suspend(() => {
    const held = intake?.held() ?? 0
    if (held === 0 || gone) return Effect.void
    return Receiver.openChannel(link, call).pipe(
      Effect.flatMap((channel) =>
        Effect.repeat(count(channel), { until: (ready) => ready >= held, schedule: Schedule.spaced("20 millis") })
      ),
      Effect.scoped,
      Effect.timeoutOption(returnMillis),
      Effect.ignore
    )
  })
  // Runs when the channel is closed, and lets go of a line that hangs.
  yield* Effect.addFinalizer(() => bounded(() => run(returned), returnMillis))

  const flush = (): void => {
    scheduled = false
    if (gone || closing) return
    try {
      intake?.flush()
    } catch {
      // The channel closed within this turn: its 'close' follows, and everything goes back.
      gone = true
    }
  }
  const isGone = (): boolean => gone || closing
  const read = Receiver.reader(namespace)
  const channel = yield* Receiver.openChannel(link, call, () => {
    flush()
    // Ours too: what is closed by the scope has nobody to settle it either, and is waited for above.
    closing = true
  })
  channel.once("close", () => {
    gone = !closing
  })
  const ready = yield* count(channel)
  const taking = Intake.make(channel, queue, ready)
  intake = taking
  const deliver = (message: Message): Delivery => {
    const ack = (): void => {
      if (gone || closing || !taking.settle(message) || scheduled) return
      scheduled = true
      setImmediate(flush)
    }
    return read(Receiver.received(message), ack, isGone)
  }
  const wait = Effect.map(call("reading", `queue ${queue}`, taking.take), (message) =>
    message === undefined ? undefined : deliver(message)
  )
  return {
    count: ready,
    next: Effect.suspend(() => {
      // Nearly always one is here, and there is nothing to wait for.
      const message = taking.ready()
      return message === undefined ? wait : Effect.succeed(deliver(message))
    })
  }
})
