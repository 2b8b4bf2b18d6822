/** Keeps one slot of the pool supplied with an open channel: opens, repairs, replaces. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type { BrokerError } from "../../bus/port/BrokerError.ts"
import type { Link } from "../connection/Link.ts"
import type { ChannelSlot } from "./ChannelSlot.ts"
import * as PublishChannel from "./PublishChannel.ts"
import type { Refusals } from "./Refusals.ts"

export interface KeeperOptions {
  /** Longest time to open a channel. */
  readonly callMillis: number
  /** How long a channel is used after a queue rejected something that came by it. Default 30 seconds. */
  readonly renewMillis?: number
  readonly refusals: Refusals
  /** Called when a channel died because something of the topology is missing. */
  readonly repair: (link: Link) => Effect.Effect<void, BrokerError>
}

/** A channel for this slot, not in use yet. */
export const open = (
  slot: ChannelSlot,
  link: Link,
  { callMillis, refusals }: KeeperOptions
): Effect.Effect<PublishChannel.PublishChannel, BrokerError> =>
  PublishChannel.open(link, {
    callMillis,
    onReturn: (exchange, routingKey, id) => slot.returned(exchange, routingKey, id),
    onLost: (channel, refusal, confirms) => {
      if (refusal?._tag === "Denied") return slot.denied(channel, refusal, confirms, link)
      // What is missing may be declared again.
      if (refusal?._tag === "TooLarge") refusals.learn(refusal, link.username)
      return slot.lost(channel)
    }
  })

/**
 * Runs until the connection is gone, which interrupts it: a slot that was given up would fail its keys for good.
 */
export const keep = Effect.fnUntraced(function* (
  slot: ChannelSlot,
  link: Link,
  first: PublishChannel.PublishChannel,
  options: KeeperOptions
) {
  const { refusals, renewMillis = 30_000, repair } = options
  let channel = first
  for (;;) {
    const version = link.secret.version()
    const rejected = Effect.repeat(Effect.sleep(renewMillis), { until: () => slot.hasRejected })
    const next = yield* Effect.raceFirst(
      Effect.map(Deferred.await(channel.ended), (refusal) => ({ _tag: "Ended" as const, refusal })),
      Effect.as(rejected, { _tag: "Rejected" as const })
    )
    if (next._tag === "Rejected") {
      channel = yield* renew(slot, link, channel, options)
      continue
    }
    const { refusal } = next
    if (refusal?._tag === "Denied") yield* link.secret.renew(version)
    if (refusal?._tag === "Missing") {
      const repaired = yield* Effect.exit(repair(link))
      if (Exit.isFailure(repaired)) refusals.learn(refusal, link.username)
    }
    yield* Effect.sleep("20 millis")
    channel = yield* Effect.retry(open(slot, link, options), Schedule.spaced("200 millis"))
    slot.use(channel)
  }
})

/**
 * A queue that was full reports to the channels that it refused when there is room again, and sometimes does
 * not: RabbitMQ 3.10 forgets it when the limit itself is taken away. So a channel that is refused is replaced
 * from time to time, once nothing is in flight on it: order is kept. Returns the channel in use.
 */
const renew = Effect.fnUntraced(function* (
  slot: ChannelSlot,
  link: Link,
  old: PublishChannel.PublishChannel,
  options: KeeperOptions
) {
  slot.pause()
  yield* Effect.sleep("10 millis").pipe(
    Effect.repeat({ until: () => slot.inFlight === 0 || !old.isOpen() }),
    Effect.timeoutOption("2 seconds")
  )
  const made = slot.inFlight === 0 && old.isOpen() ? yield* Effect.option(open(slot, link, options)) : Option.none()
  slot.forgetRejection()
  if (Option.isNone(made) || !old.isOpen()) {
    slot.resume()
    return old
  }
  slot.use(made.value)
  yield* Effect.forkChild(old.close)
  return made.value
})
