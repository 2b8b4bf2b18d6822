/**
 * Publishes on a small pool of confirm channels, chosen by the hash of the key so that events of one key stay in
 * order, shared and pipelined. One record per message in flight; no fiber, no promise.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import type { InFlightMessage } from "../../bus/port/Broker.ts"
import type { BrokerError } from "../../bus/port/BrokerError.ts"
import { notSent } from "../../bus/port/SendOutcome.ts"
import * as TextHash from "../../bus/support/TextHash.ts"
import type { Traffic } from "../connection/LineGuard.ts"
import type { Link } from "../connection/Link.ts"
import * as HeaderTable from "../frames/HeaderTable.ts"
import * as Topology from "../topology/Topology.ts"
import { ChannelSlot, type PoolState } from "./ChannelSlot.ts"
import { LadderLevels, type LevelsOptions } from "./LadderLevels.ts"
import { noChannel } from "./PublishChannel.ts"
import * as Refusals from "./Refusals.ts"
import { RightsProbe } from "./RightsProbe.ts"
import * as Route from "./Route.ts"
import * as SlotKeeper from "./SlotKeeper.ts"

export interface Sender {
  readonly send: (inFlight: InFlightMessage) => void
  /**
   * Opens the pool on a link, until the scope ends; broken channels are replaced. Nothing is sent before `ready`,
   * which runs meanwhile.
   */
  readonly open: (link: Link, ready?: Effect.Effect<void, BrokerError>) => Effect.Effect<void, BrokerError, Scope.Scope>
  readonly channels: () => number
  readonly traffic: Pick<Traffic, "channels">
  readonly levels: LadderLevels
}

export interface SenderOptions extends Omit<SlotKeeper.KeeperOptions, "refusals"> {
  readonly namespace: string
  readonly size: number
  readonly now: () => number
  readonly levels: LevelsOptions["declare"]
}

export const make = (options: SenderOptions): Sender => {
  const refusals = Refusals.make(options.now)
  const damaged = Latch.makeUnsafe(false)
  const eventsExchange = Topology.events(options.namespace)
  const ownPrefix = `${options.namespace}.`
  const deadExchange = Topology.deadExchange(options.namespace)
  const pool: PoolState = {
    route: Route.make(options.namespace),
    refusals,
    rights: new RightsProbe(refusals, () => {
      for (const slot of slots) slot.retry()
    }),
    levels: new LadderLevels({
      namespace: options.namespace,
      now: options.now,
      declare: options.levels,
      onAnswer: () => {
        for (const slot of slots) slot.retry()
      }
    }),
    headerLimit: HeaderTable.limitFor(Number.POSITIVE_INFINITY),
    // Only a level of the delay ladder can be without its own binding.
    onUnrouted: (exchange) => {
      if (!exchange.startsWith(ownPrefix) || exchange === eventsExchange || exchange === deadExchange) return
      pool.levels.doubt()
      damaged.openUnsafe()
    }
  }
  const slots: ReadonlyArray<ChannelSlot> = Array.from({ length: options.size }, () => new ChannelSlot(pool))
  const keeper: SlotKeeper.KeeperOptions = { ...options, refusals }
  const slotOf = chooserOf(slots)

  /** A level of the ladder lost its queue: what was sent there came back, and would do so again. */
  const repairLadder = Effect.fnUntraced(function* (link: Link) {
    yield* damaged.await
    yield* Effect.sleep("20 millis")
    yield* damaged.close
    yield* Effect.ignore(options.repair(link))
    yield* Effect.sleep("1 second")
  })

  return {
    send: (inFlight) => {
      const slot = slotOf(inFlight.message.key)
      if (slot === undefined) inFlight.answered(notSent(noChannel))
      else slot.send(inFlight)
    },
    traffic: { channels: slots },
    levels: pool.levels,
    channels: () => slots.filter(({ isOpen }) => isOpen).length,
    open: (link, ready = Effect.void) =>
      Effect.gen(function* () {
        refusals.forget()
        pool.rights.restart()
        pool.levels.restart()
        link.secret.onUpdate(refusals.forgetPlaces)
        pool.headerLimit = HeaderTable.limitFor(link.maxFrameBytes)
        // All of them before anything is sent: a broker that blocks then would not answer for the next one.
        const opening = Effect.forEach(
          slots,
          (slot) => Effect.map(SlotKeeper.open(slot, link, keeper), (channel) => ({ slot, channel })),
          { concurrency: "unbounded" }
        )
        const [opened] = yield* Effect.all([opening, ready], { concurrency: "unbounded" })
        for (const { channel, slot } of opened) {
          slot.use(channel)
          yield* Effect.forkScoped(SlotKeeper.keep(slot, link, channel, keeper))
        }
        yield* Effect.forkScoped(pool.rights.serve(link))
        yield* Effect.forkScoped(pool.levels.serve)
        damaged.closeUnsafe()
        yield* Effect.forkScoped(Effect.forever(repairLadder(link)))
      })
  }
}

/** The open slot of a key: always the same one. Without a key any open one, several in a row the same. */
const chooserOf = (slots: ReadonlyArray<ChannelSlot>): ((key: string | undefined) => ChannelSlot | undefined) => {
  let turn = 0
  return (key) => {
    if (key !== undefined) {
      const slot = slots[TextHash.of(key) % slots.length]
      return slot?.isOpen === true ? slot : undefined
    }
    // They leave in one write, and what was published together mostly stays together.
    const first = (turn++ >>> 5) % slots.length
    for (let i = 0; i < slots.length; i++) {
      const slot = slots[(first + i) % slots.length]
      if (slot?.isOpen === true) return slot
    }
    return undefined
  }
}
