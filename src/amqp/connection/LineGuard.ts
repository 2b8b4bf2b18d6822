/**
 * What a connection does about a line that does not answer (`LineWatch`): health says that it is down, other addresses are
 * asked the same, and if one of them answers the line is destroyed and made anew there. If none does, the cluster has no
 * majority: leaving would help nobody.
 */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type { BrokerError } from "../../bus/port/BrokerError.ts"
import * as Monotonic from "../../observe/Monotonic.ts"
import * as AmqplibInternals from "../AmqplibInternals.ts"
import type { Settings } from "../AmqpOptions.ts"
import type { Server } from "../Servers.ts"
import type { Addresses } from "./Addresses.ts"
import { type ChannelTraffic, watch as watchChannels } from "./ChannelWatch.ts"
import * as Dial from "./Dial.ts"
import { type Answer, LineProbe } from "./LineProbe.ts"
import * as LineWatch from "./LineWatch.ts"
import * as Link from "./Link.ts"

/** What is known of the messages that are published on a connection. */
export interface Traffic {
  readonly channels: ReadonlyArray<ChannelTraffic>
  /** Declares the queue that a question needs. */
  readonly declare: (link: Link.Link) => Effect.Effect<void, BrokerError>
}

export interface Guarded {
  readonly link: Link.Link
  readonly settings: Settings
  readonly addresses: Addresses
  /** Undefined on a connection that publishes nothing: on it the node alone is asked, and nothing while bytes come. */
  readonly traffic: Traffic | undefined
  readonly isBlocked: () => boolean
  /** Ends the connection. */
  readonly leave: (detail: string) => void
  /** Why it counts as down; undefined when it answers again. */
  readonly onSilence: (why: string | undefined) => void
}

/** A single address is dialled again for this at most once in a minute, while the node behind it answers by itself. */
const redialMillis = 60_000

/** A network may be slower than the shortest call timeout. */
const leastMillis = 1000
const patienceOf = ({ callMillis }: Settings): number => Math.max(callMillis, leastMillis)

/** Guards the line until it ends. */
export const guard = (guarded: Guarded): Effect.Effect<never> =>
  guarded.traffic === undefined ? guardSocket(guarded) : guardPublishing(guarded, guarded.traffic)

const guardSocket = (guarded: Guarded): Effect.Effect<never> => {
  const { addresses, leave, link, onSilence, settings } = guarded
  const socket = AmqplibInternals.socketOf(link.model)
  const bytesRead = (): number =>
    Predicate.hasProperty(socket, "bytesRead") && Predicate.isNumber(socket.bytesRead) ? socket.bytesRead : 0
  const { askNode } = new LineProbe(link, settings.namespace)
  const watch = LineWatch.watch({
    millis: patienceOf(settings),
    pulse: bytesRead,
    isWaiting: () => false,
    isExcused: () => false,
    ask: askNode,
    onAnswer: () => {},
    onSilent: (millis) =>
      Effect.sync(() => {
        const why = `nothing came from ${link.address} for ${seconds(millis)}`
        onSilence(why)
        addresses.fellSilent(link.address)
        leave(why)
      })
  })
  return Effect.raceFirst(watch, guardApart(guarded))
}

/**
 * Where no publishing line is, nobody asks whether the node stores anything, and one that was cut off sends heartbeats. So it
 * is asked through a connection for that alone, and left when it has failed twice while another address stores.
 */
const guardApart = ({ addresses, link, onSilence, settings }: Guarded): Effect.Effect<never> => {
  const own = settings.servers.filter(({ address }) => address === link.address)
  const others = settings.servers.filter(({ address }) => address !== link.address)
  const stores = (servers: ReadonlyArray<Server>) => answersAt(servers, settings, "stored")
  const isCutOff = Effect.suspend(() =>
    others.length === 0 || addresses.isAsked(link.address)
      ? Effect.succeed(false)
      : Effect.zipWith(stores(own), stores(others), (here, elsewhere) => !here && elsewhere, { concurrent: true })
  )
  return Effect.gen(function* () {
    for (;;) {
      yield* Effect.sleep(patienceOf(settings) / 2)
      if (!(yield* isCutOff) || !(yield* isCutOff)) continue
      const why = `${link.address} stores nothing, and another address does`
      onSilence(why)
      addresses.leave(link.address, why)
    }
  })
}

const guardPublishing = (guarded: Guarded, traffic: Traffic): Effect.Effect<never> =>
  Effect.gen(function* () {
    const { addresses, isBlocked, leave, link, onSilence, settings } = guarded
    const now = yield* Monotonic.make
    const millis = patienceOf(settings)
    const probe = new LineProbe(link, settings.namespace)
    let hasQueue = false
    const declare = Effect.map(traffic.declare(link), () => void (hasQueue = true))
    const others = settings.servers.filter(({ address }) => address !== link.address)
    const isNodeAlive = Effect.map(
      LineWatch.within(probe.askNode, millis / 2, now),
      (answer: Answer | undefined) => answer !== undefined
    )
    const onSilent = Effect.fnUntraced(function* (silentMillis: number, last: Answer | undefined) {
      const why = `${link.address} has confirmed nothing for ${seconds(silentMillis)}`
      // What health says while it lasts: if another address did better, the line would be left.
      onSilence(`${why}, and no other address does: see whether RabbitMQ has a majority of its nodes`)
      const wanted: Answer = last ?? "stored"
      if (others.length > 0 && (yield* answersAt(others, settings, wanted))) {
        addresses.fellSilent(link.address)
        // Without the right to ask, it may be about one queue: subscribers stay.
        return wanted === "stored" ? addresses.leave(link.address, why) : leave(why)
      }
      const isAlive = last === "answered" || (yield* isNodeAlive)
      if (isAlive && (others.length > 0 || !addresses.mayRedial(link.address, redialMillis))) return
      addresses.fellSilent(link.address)
      leave(why)
    })
    let standstill: string | undefined
    /** The node works and a channel does not: a new channel may. It is tried at the same address first. */
    const onStandstill = Effect.fnUntraced(function* (quietMillis: number) {
      standstill = `${link.address} confirms nothing on a channel for ${seconds(quietMillis)}, and stores what another sends: see whether each quorum queue has a leader; a new connection is tried`
      if (!addresses.mayRenew(millis) || (yield* LineWatch.within(probe.ask, millis / 2, now)) !== "stored") return
      onSilence(standstill)
      if (addresses.renewed() > 1 && others.length > 0) addresses.fellSilent(link.address)
      leave(standstill)
    })
    const channels = watchChannels({
      channels: traffic.channels,
      millis,
      isExcused: isBlocked,
      onStandstill,
      onMoving: () => {
        standstill = undefined
        addresses.moves()
      }
    })
    const watch = LineWatch.watch({
      millis,
      pulse: () => traffic.channels.reduce((sum, { confirms }) => sum + confirms, 0),
      isWaiting: () => traffic.channels.some((channel) => channel.isWaiting),
      isExcused: isBlocked,
      ask: Effect.suspend(() => (hasQueue ? probe.ask : probe.askNode)),
      onAnswer: () => {
        onSilence(standstill)
        addresses.answered(link.address)
      },
      onSilent
    })
    // Without the queue the node alone is asked.
    return yield* Effect.raceAllFirst([watch, channels, Effect.andThen(Effect.ignore(declare), Effect.never)])
  })

/** Whether one of these answers so. */
const answersAt = (servers: ReadonlyArray<Server>, settings: Settings, wanted: Answer): Effect.Effect<boolean> => {
  const millis = patienceOf(settings) / 2
  const at = (server: Server) =>
    Effect.acquireRelease(
      Dial.dial(server, settings, "probe", millis, () => {}),
      Link.close,
      {
        interruptible: true
      }
    ).pipe(
      Effect.flatMap((connection) => new LineProbe(connection, settings.namespace).ask),
      Effect.timeoutOrElse({ duration: millis, orElse: () => Effect.fail("silent") }),
      Effect.filterOrFail(
        (answer) => wanted === "answered" || answer === "stored",
        () => "denied"
      ),
      Effect.scoped
    )
  return Effect.match(Effect.raceAll(servers.map(at)), { onFailure: () => false, onSuccess: () => true })
}

const seconds = (millis: number): string => `${(millis / 1000).toFixed(1)} s`
