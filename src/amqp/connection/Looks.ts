/**
 * Looks at queues: how many messages and consumers they have. All looks of a connection share one channel that stays open,
 * because every subscriber is looked at for as long as it lives, and a channel for each look is three times the frames.
 *
 * What concerns one queue must not reach another: a queue that is missing closes the channel, and one that hangs holds up
 * what was asked behind it. So a look that gets no answer on the common channel is repeated on a channel of its own.
 */
import type { Channel, ChannelModel, Replies } from "amqplib"
import * as Effect from "effect/Effect"
import type { BrokerError } from "../../bus/port/BrokerError.ts"
import * as AmqplibInternals from "../AmqplibInternals.ts"
import type { Link } from "./Link.ts"
import * as ScopedChannel from "./ScopedChannel.ts"

/** How long a look waits behind others. */
const sharedMillis = 1000

const shared = new WeakMap<ChannelModel, Promise<Channel>>()

const ignore = (): void => {}

const sharedChannel = (model: ChannelModel): Promise<Channel> => {
  const known = shared.get(model)
  if (known !== undefined) return known
  const forget = (): void => {
    if (shared.get(model) === opening) shared.delete(model)
  }
  const opening = open(model, forget)
  shared.set(model, opening)
  opening.catch(forget)
  return opening
}

const open = async (model: ChannelModel, onClose: () => void): Promise<Channel> => {
  const { channel, closed } = await AmqplibInternals.openChannel(model, () => model.createChannel())
  const early = closed()
  if (early !== undefined) throw early
  channel.once("close", onClose)
  AmqplibInternals.pipelineCalls(channel)
  return channel
}

/** The next look opens another one. */
const drop = (model: ChannelModel, opening: Promise<Channel>): void => {
  if (shared.get(model) !== opening) return
  shared.delete(model)
  opening.then((channel) => channel.close()).catch(ignore)
}

const onShared = ({ model }: Link, queue: string): Effect.Effect<Replies.AssertQueue, void> =>
  Effect.suspend(() => {
    const opening = sharedChannel(model)
    return Effect.tryPromise({ try: async () => (await opening).checkQueue(queue), catch: ignore }).pipe(
      Effect.timeoutOrElse({ duration: sharedMillis, orElse: () => Effect.fail(undefined) }),
      Effect.tapError(() => Effect.sync(() => drop(model, opening)))
    )
  })

const onOwn = (link: Link, queue: string): Effect.Effect<Replies.AssertQueue, BrokerError> =>
  Effect.scoped(
    Effect.flatMap(ScopedChannel.open(link), (channel) =>
      link.call("looking at", `queue ${queue}`, () => channel.checkQueue(queue))
    )
  )

/** Counts without declaring anything. A queue that does not exist is a typed failure. */
export const at = (link: Link, queue: string): Effect.Effect<Replies.AssertQueue, BrokerError> =>
  Effect.catch(onShared(link, queue), () => onOwn(link, queue))
