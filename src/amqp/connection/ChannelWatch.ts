/**
 * Notices a channel on which nothing is confirmed, although its node works. The first message that a channel sends to a queue makes
 * RabbitMQ ask the leader of that queue. While that leader cannot be reached, the channel and all that is published on it stand
 * still, for 65 seconds by default, even if another leader was elected meanwhile. A new channel asks that one.
 */
import * as Effect from "effect/Effect"

/** What is known of the messages that are published on one channel of the pool. */
export interface ChannelTraffic {
  /** How many messages RabbitMQ answered. */
  readonly confirms: number
  /** Whether a message waits for its answer. */
  readonly isWaiting: boolean
}

export interface WatchedChannels {
  readonly channels: ReadonlyArray<ChannelTraffic>
  /** A channel on which nothing is confirmed for this long stands still; half of it while nothing ever was. */
  readonly millis: number
  /** Whether the broker said that it does not answer now. */
  readonly isExcused: () => boolean
  /** Runs while a channel stands still. */
  readonly onStandstill: (millis: number) => Effect.Effect<void>
  /** Called while none does. */
  readonly onMoving: () => void
}

/** Looks this often within `millis`. */
const looks = 10

/** Watches until it is interrupted. */
export const watch = ({
  channels,
  isExcused,
  millis,
  onMoving,
  onStandstill
}: WatchedChannels): Effect.Effect<never> => {
  const watched = channels.map((channel) => new WatchedChannel(channel))
  return Effect.gen(function* () {
    for (;;) {
      yield* Effect.sleep(millis / looks)
      for (const channel of watched) channel.look(isExcused())
      const quiet = watched.filter((channel) => channel.isQuiet)
      if (quiet.length > 0)
        yield* onStandstill((Math.max(...quiet.map(({ quietLooks }) => quietLooks)) * millis) / looks)
      else onMoving()
    }
  })
}

class WatchedChannel {
  /** Looks, not time: a process that stood still itself has not read what came. */
  quietLooks = 0
  private hasConfirmed = false
  private readonly channel: ChannelTraffic
  private confirms: number

  constructor(channel: ChannelTraffic) {
    this.channel = channel
    this.confirms = channel.confirms
  }

  look(isExcused: boolean): void {
    const { confirms, isWaiting } = this.channel
    const isConfirmed = confirms !== this.confirms
    this.confirms = confirms
    if (isConfirmed) this.hasConfirmed = true
    if (isConfirmed || isExcused || !isWaiting) this.quietLooks = 0
    else this.quietLooks++
  }

  get isQuiet(): boolean {
    return this.quietLooks >= (this.hasConfirmed ? looks : looks / 2)
  }
}
