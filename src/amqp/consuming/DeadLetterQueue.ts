/**
 * Reads a dead-letter queue on a channel of its own. A message is held until it is acknowledged or the scope ends; then
 * the rest goes back in order. Two readers at once see disjoint parts.
 *
 * Going back must not cost a letter anything, since a policy may limit how often a message may come back, and then drops
 * it for good. RabbitMQ takes letters back without counting from 4.3 on, unless the reader dies or its node is too slow to
 * take them back. Letters that came back counted are stored anew, and with them all behind them, so that their order stays.
 */
import type { Channel } from "amqplib"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { DeadLetterReader } from "../../bus/port/Broker.ts"
import type { BrokerError } from "../../bus/port/BrokerError.ts"
import * as BoundedClose from "../connection/BoundedClose.ts"
import type { Link } from "../connection/Link.ts"
import * as ScopedChannel from "../connection/ScopedChannel.ts"
import * as ServerVersion from "../connection/ServerVersion.ts"
import * as ConsumerTimeout from "./ConsumerTimeout.ts"
import { DeadLetterPump } from "./DeadLetterPump.ts"
import { LetterReader } from "./LetterReader.ts"
import type { LetterLosses } from "./LetterLosses.ts"
import * as LetterRenewal from "./LetterRenewal.ts"
import * as ReceivedMessage from "./ReceivedMessage.ts"

export interface LetterQueue {
  readonly link: Link
  readonly namespace: string
  readonly place: LetterRenewal.LetterPlace
  /** The link to publish on; fails while RabbitMQ takes no publishes. */
  readonly publishing: Effect.Effect<Link, BrokerError>
  readonly losses: LetterLosses
}

/** How long a scope waits to see that the queue has its messages back. */
const returnMillis = 2000
/** Looks after which a consumer of the queue is another reader's, and not this one on its way out. */
const patientLooks = 10
const giveBackMillis = 2000

export const read = Effect.fnUntraced(function* ({
  link,
  losses,
  namespace,
  place,
  publishing
}: LetterQueue): Effect.fn.Return<DeadLetterReader, BrokerError, Scope.Scope> {
  const run = Effect.runPromiseWith(yield* Effect.context<never>())
  const isFree = ServerVersion.givesBackFreely(link)
  losses.opened(place.queue)
  // Before anything is taken: what cannot be stored anew must not be taken again and again.
  if (!isFree) yield* Effect.andThen(losses.mayTake(place.queue), publishing)
  let reader: LetterReader | undefined
  // Runs when the channel is closed, and does not wait for a connection that hangs.
  yield* Effect.addFinalizer(() =>
    BoundedClose.closeWithin(returnMillis + 100, () => run(returned(link, place.queue, reader?.unreturned(), losses)))
  )
  const channel = yield* ScopedChannel.open(link, async () => reader?.close())
  const { messageCount: count } = yield* inspect(link, channel, place.queue)
  const asked = ConsumerTimeout.argumentsFor(link, ConsumerTimeout.ofLetters)
  const pump = new DeadLetterPump(channel, place.queue, count, asked, () => reader?.lose())
  const made = new LetterReader({
    pump,
    toDelivery: ReceivedMessage.toDelivery({
      namespace,
      countsAcquired: ServerVersion.countsAcquired(link),
      isLetter: true
    }),
    place,
    count,
    call: link.call,
    isFree,
    openRenewal: Effect.flatMap(publishing, (live) => LetterRenewal.open(live, place, (max) => losses.tooLarge(max))),
    maxBytes: () => losses.maxBytes,
    onRefused: (error) => losses.refused(place.queue, error)
  })
  reader = made
  channel.once("close", () => made.lose())
  yield* Effect.addFinalizer((exit) =>
    Effect.andThen(
      made.finish(Exit.isSuccess(exit)),
      Effect.suspend(() =>
        isFree && !made.isGone() ? BoundedClose.closeWithin(giveBackMillis, () => made.giveBack()) : Effect.void
      )
    )
  )
  return { count, next: made.next, keep: (delivery) => made.keep(delivery) }
})

const inspect = (link: Link, channel: Channel, queue: string) =>
  link.call("looking at", `queue ${queue}`, () => channel.checkQueue(queue))

/**
 * A quorum queue takes held messages back a moment later: a reader that looks again at once would find it empty. What
 * takes longer is looked for once more, in the background: a policy may have dropped it.
 */
const returned = (
  link: Link,
  queue: string,
  { all, held } = { all: 0, held: 0 },
  losses: LetterLosses
): Effect.Effect<void> => {
  if (held === 0) return Effect.void
  let busy = 0
  const look = (isPatient: boolean): Effect.Effect<number, BrokerError> =>
    ScopedChannel.open(link).pipe(
      Effect.flatMap((channel) =>
        Effect.repeat(inspect(link, channel, queue), {
          // While another reader holds some of them, not all can be there.
          until: ({ consumerCount, messageCount }) =>
            !isPatient || messageCount >= (consumerCount > 0 && ++busy > patientLooks ? held : all),
          schedule: Schedule.spaced("20 millis")
        })
      ),
      Effect.scoped,
      Effect.map(({ consumerCount, messageCount }) => (consumerCount === 0 ? all - messageCount : 0))
    )
  return look(true).pipe(
    Effect.timeoutOption(returnMillis),
    Effect.tap(({ _tag }) => (_tag === "Some" ? Effect.void : losses.lookLater(queue, look(false)))),
    Effect.ignore
  )
}
