/**
 * Brings messages to their outcome: through a door, over the broker, again when an answer is lost or
 * negative, until confirmed or past the deadline. What has to be sent again goes in its original
 * order and before anything newer of its key (P6).
 * A message costs one call and one callback. Two fibers stand by for all: one sends again, one sees to deadlines.
 */
import { Clock, Effect, Latch, Random, Schedule, Stream, SubscriptionRef } from "effect"
import type { Broker, Outgoing, SendOutcome } from "./Broker.ts"
import * as BusError from "./BusError.ts"
import type { Door } from "./Door.ts"
import * as Obstacle from "./Obstacle.ts"
import { chain, Entry, type State } from "./Transit.ts"

/** What became of a shipment. */
export type Result =
  | { readonly _tag: "Confirmed"; readonly routed: boolean }
  | { readonly _tag: "Failed"; readonly reason: BusError.PublishReason }

export interface Shipment {
  readonly message: Outgoing
  readonly bytes: number
  /** Whether reaching nobody is a failure. */
  readonly mandatory: boolean
  /** Milliseconds since the epoch; Infinity waits for ever. */
  readonly deadline: number
  readonly privileged: boolean
  /** Tells what the broker rejected at once: who waits by itself holds no room in the door meanwhile. */
  readonly tellsRejection?: boolean
  /** Called once. */
  readonly done: (result: Result) => void
}

export interface Outbox {
  /** Takes a shipment and returns a way to withdraw it: what was not sent yet never will be. */
  readonly submit: (shipment: Shipment) => () => void
  /** Completes when nothing is in flight. */
  readonly flushed: Effect.Effect<void>
  /** Fails all that waits and is not sent; what is in flight is still awaited. */
  readonly shut: () => void
  readonly resent: () => number
}

const sweepEvery = "100 millis"
const confirmedRouted: Result = { _tag: "Confirmed", routed: true }
const confirmedUnrouted: Result = { _tag: "Confirmed", routed: false }

const isOpen = (state: State): boolean => state !== "abandoned" && state !== "done"
const isSent = (state: State): boolean => state !== "stalled"

/** Milliseconds until the next round: of the entry that was sent least often. */
const backoff = (queues: Iterable<ReadonlyArray<Entry>>): number => {
  let sends = 8
  for (const queue of queues) for (const entry of queue) sends = Math.min(sends, entry.sends)
  return Math.min(20 * 2 ** sends, 5000)
}

export const make = Effect.fnUntraced(function* (
  broker: Broker["Service"],
  door: Door,
  onResent: (count: number) => void
) {
  const clock = yield* Clock.Clock
  const entries = chain()
  // By key; the entries of "" have no order to keep and hold up nobody.
  const stalled = new Map<string, Array<Entry>>()
  const busy = yield* Latch.make(false)
  const kick = yield* Latch.make(false)
  const idle = yield* Latch.make(true)
  let sequence = 0
  let resent = 0

  const remove = (entry: Entry): void => {
    entries.delete(entry)
    if (entries.size() > 0) return
    busy.closeUnsafe()
    idle.openUnsafe()
  }
  const finish = (entry: Entry, result: Result): void => {
    entry.state = "done"
    entry.shipment.done(result)
    remove(entry)
  }
  const fail = (entry: Entry, reason: BusError.PublishReason): void =>
    finish(entry, { _tag: "Failed", reason: entry.unresolved ? new BusError.Unknown() : reason })

  const stall = (entry: Entry): void => {
    entry.state = "stalled"
    const key = entry.shipment.message.key ?? ""
    const queue = stalled.get(key)
    if (queue === undefined) stalled.set(key, [entry])
    else {
      let at = queue.length
      while (at > 0 && (queue[at - 1]?.sequence ?? 0) > entry.sequence) at--
      queue.splice(at, 0, entry)
    }
    kick.openUnsafe()
  }

  const unstall = (entry: Entry): void => {
    const key = entry.shipment.message.key ?? ""
    const queue = stalled.get(key)
    // In place: whoever sends again goes through this very queue.
    if (queue?.includes(entry) === true) queue.splice(queue.indexOf(entry), 1)
    if (queue?.length === 0) stalled.delete(key)
  }

  const settle = (entry: Entry, outcome: SendOutcome): void => {
    if (entry.state === "abandoned") {
      // Its publisher has its answer; only the room it took was still held.
      remove(entry)
      return door.leave(entry.bytes)
    }
    switch (outcome._tag) {
      case "Confirmed": {
        door.leave(entry.bytes)
        return outcome.routed
          ? finish(entry, confirmedRouted)
          : entry.shipment.mandatory
            ? fail(entry, new BusError.Unroutable())
            : finish(entry, confirmedUnrouted)
      }
      case "Rejected": {
        entry.rejected = true
        if (entry.shipment.tellsRejection !== true) return stall(entry)
        door.leave(entry.bytes)
        return fail(entry, new BusError.Rejected())
      }
      case "Lost": {
        entry.unresolved = true
        return stall(entry)
      }
      case "NotSent": {
        const { reason } = outcome.error
        if (entry.withdrawn && !entry.unresolved && !entry.rejected) {
          entry.state = "done"
          remove(entry)
          return door.leave(entry.bytes)
        }
        entry.refusal = reason
        if (reason._tag !== "Refused" && reason._tag !== "Settings") return stall(entry)
        door.leave(entry.bytes)
        return fail(
          entry,
          entry.rejected
            ? new BusError.Rejected()
            : new BusError.Invalid({ faults: [{ path: "", expected: reason.message }] })
        )
      }
    }
  }

  /** Answers the state after it, since the broker may answer within the call. */
  const send = (entry: Entry): State => {
    entry.state = "sent"
    entry.sends++
    broker.send(entry.shipment.message, (outcome) => settle(entry, outcome))
    return entry.state
  }

  const obstacle = (entry: Entry): BusError.PublishReason =>
    Obstacle.of(entry, entry.state === "waiting", SubscriptionRef.getUnsafe(broker.status), door)

  const giveUp = (entry: Entry): void => {
    switch (entry.state) {
      case "waiting": {
        door.giveUp(entry)
        return fail(entry, obstacle(entry))
      }
      case "stalled": {
        unstall(entry)
        const reason = obstacle(entry)
        door.leave(entry.bytes)
        return fail(entry, reason)
      }
      case "sent": {
        // The door is left when the broker answers or the channel is gone.
        // Before it is told: who hears of it runs within the call, and may bring about the answer.
        entry.state = "abandoned"
        entry.shipment.done({ _tag: "Failed", reason: new BusError.Unknown() })
        return
      }
      case "abandoned":
      case "done":
        return
    }
  }

  const withdraw = (entry: Entry): void => {
    if (entry.state === "waiting") door.giveUp(entry)
    else if (entry.state === "stalled" && !entry.unresolved && !entry.rejected) {
      unstall(entry)
      door.leave(entry.bytes)
    } else {
      entry.withdrawn = true
      return
    }
    entry.state = "done"
    remove(entry)
  }

  const submit = (shipment: Shipment): (() => void) => {
    const entry = new Entry(shipment, sequence++, start)
    if (entries.size() === 0) {
      idle.closeUnsafe()
      busy.openUnsafe()
    }
    entries.add(entry)
    if (door.tryEnter(shipment.bytes, shipment.privileged)) start(entry)
    else if (door.phase() === "shut") giveUp(entry)
    else door.wait(entry)
    return () => withdraw(entry)
  }
  const start = (entry: Entry): void => {
    const { key } = entry.shipment.message
    if (stalled.size > 0 && key !== undefined && stalled.has(key)) stall(entry)
    else send(entry)
  }

  const recover = Effect.gen(function* () {
    yield* kick.await
    const jitter = yield* Random.next
    yield* Effect.sleep(backoff(stalled.values()) * (0.5 + jitter / 2))
    // What stalls while the broker is away is sent when it is back, not by polling.
    yield* SubscriptionRef.changes(broker.status).pipe(
      Stream.takeUntil((status) => status._tag === "Up" || status._tag === "Closed"),
      Stream.runDrain
    )
    kick.closeUnsafe()
    let count = 0
    for (const [key, queue] of Array.from(stalled)) {
      // Without a key there is no order to keep. With one, newcomers stall behind what is left of the queue.
      if (key === "") stalled.delete(key)
      for (let entry = queue.shift(); entry !== undefined; entry = queue.shift()) {
        if (entry.state !== "stalled") continue
        count++
        if (!isSent(send(entry)) && key !== "") break
      }
      if (key !== "" && queue.length === 0) stalled.delete(key)
    }
    resent += count
    onResent(count)
  })

  const sweep = Effect.gen(function* () {
    yield* busy.await
    yield* Effect.sleep(sweepEvery)
    const now = clock.currentTimeMillisUnsafe()
    for (const entry of entries.all()) if (isOpen(entry.state) && entry.shipment.deadline <= now) giveUp(entry)
  })

  yield* Effect.forkScoped(Effect.repeat(recover, Schedule.forever))
  yield* Effect.forkScoped(Effect.repeat(sweep, Schedule.forever))
  yield* SubscriptionRef.changes(broker.status).pipe(
    Stream.runForEach((status) => Effect.sync(() => door.setReady(status._tag === "Up"))),
    Effect.forkScoped
  )

  return {
    submit,
    flushed: idle.await,
    shut: () => {
      door.setPhase("shut")
      for (const entry of entries.all()) if (entry.state === "waiting" || entry.state === "stalled") giveUp(entry)
    },
    resent: () => resent
  } satisfies Outbox
})
