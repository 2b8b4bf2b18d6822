/**
 * Moves the events of a parked key to the parked queue, one after the other: a follower when all events
 * before it are stored, the head whenever it has to wait again. Followers move while their key waits, or when
 * there are too many of them or too much time before them. They stay while it catches up, and go to their lane when
 * nothing of the key is parked any more.
 *
 * A copy that is stored late, by a process that is no longer active, can begin a key while events of it are in their lane.
 * Those come before all that arrives from then on, and none of the followers moves before the one that has the lane.
 */
import * as Effect from "effect/Effect"
import { sizeOf } from "../../event/Body.ts"
import * as Decision from "../delivery/Decision.ts"
import * as Returns from "../delivery/Returns.ts"
import { copySource, type Work } from "../delivery/Work.ts"
import { isTooLong } from "../handle/SlowLane.ts"
import type { ParkedKey } from "./ParkedKeys.ts"
import * as ParkedName from "./ParkedName.ts"
import type { ParkedReminder } from "./ParkedReminder.ts"
import type { ParkingState } from "./ParkingState.ts"

/** What is written on a copy. */
interface Placement {
  readonly position: number
  readonly starts: number
  readonly due: number | undefined
}

export class ParkedMoves {
  private readonly state: ParkingState
  private readonly reminder: ParkedReminder

  constructor(state: ParkingState, reminder: ParkedReminder) {
    this.state = state
    this.reminder = reminder
  }

  /** Does what is next for the followers of a key. */
  advance(parked: ParkedKey): void {
    const { host, isMoving } = this.state
    if (!isMoving || parked.moving || this.isEnded(parked)) return
    if (this.isIdle(parked)) {
      this.state.keys.end(parked)
      for (const work of parked.followers.splice(0)) host.offer(work)
      return host.pump()
    }
    const [next] = parked.followers
    if (next === undefined || parked.isBehindOwn || !this.mustMove(parked)) return
    if (!this.hasRoom(next)) {
      // Their number is bounded like that of a lane that waits in place.
      if (parked.followers.length > this.state.maxFollowers)
        for (const { wake } of parked.held.values()) wake?.("LaneFull")
      return
    }
    parked.moving = true
    host.run(
      Effect.ensuring(
        this.moveFollowers(parked),
        Effect.sync(() => {
          parked.moving = false
          this.advance(parked)
        })
      )
    )
  }

  /** Moves the head to the end of the parked queue; it stays the head. */
  moveHead(parked: ParkedKey, work: Work, placement: Placement): Effect.Effect<Decision.Decision> {
    return Effect.suspend(() => {
      const name = ParkedName.of(work, placement.position)
      parked.headCopy = name
      const { host } = this.state
      const { due } = placement
      parked.headDue = due === undefined ? undefined : { name, at: host.monotonic() + due - host.now() }
      parked.awaitsHead = false
      parked.headWaits = false
      return this.move(parked, work, placement).pipe(
        Effect.onExit((exit) =>
          Effect.sync(() => {
            const stored = exit._tag === "Success" && exit.value
            if (!stored && parked.headCopy === name) parked.headCopy = undefined
          })
        ),
        // Its consumer was closed meanwhile: the copy comes like every other event, and nobody waits for it.
        Effect.map((stored) => {
          const isForgotten = this.isEnded(parked) && parked.headCopy === name
          return stored && !isForgotten ? Decision.moved : Decision.settled
        })
      )
    })
  }

  /** Parks a key that was not parked before, by its head. Returns undefined when there is no room, or no queue. */
  readonly parkKey = Effect.fnUntraced({ self: this }, function* (work: Work, key: string, due: number | undefined) {
    const { host, keys } = this.state
    if (!keys.hasRoom(1 + host.mailbox.behind(key), sizeOf(work.delivery.body))) return undefined
    if (!(yield* this.state.declare)) return undefined
    if (!this.isEnding()) this.state.needed.openUnsafe()
    yield* this.reminder.ensure
    if (work.delivery.lost()) return Decision.settled
    const parked = keys.begin(key)
    this.followLane(parked)
    parked.lastPosition = Math.max(parked.lastPosition + 1, host.now())
    // The followers move when the head is stored, and not before.
    parked.moving = true
    return yield* Effect.ensuring(
      this.moveHead(parked, work, { position: parked.lastPosition, starts: 0, due }),
      Effect.sync(() => {
        parked.moving = false
        host.run(Effect.sync(() => this.advance(parked)))
      })
    )
  })

  /** A key that begins with a delivery of the parked queue. */
  begin(key: string): ParkedKey {
    const { host, keys } = this.state
    const parked = keys.begin(key)
    this.followLane(parked)
    parked.isBehindOwn = host.mailbox.isTaken(key)
    return parked
  }

  /** A parked event has the lane. */
  beginParked(parked: ParkedKey): void {
    if (!parked.isBehindOwn) return
    this.followLane(parked)
    this.advance(parked)
  }

  /** Events that wait in the lane, and are not parked, are the first followers: they arrived before the others. */
  private followLane(parked: ParkedKey): void {
    parked.isBehindOwn = false
    parked.followers.unshift(...this.state.host.mailbox.extract(parked.key, ({ origin }) => !origin.parked))
  }

  /** Stores an event anew where it is. Returns whether that was done. */
  renew(parked: ParkedKey, work: Work): Effect.Effect<boolean> {
    const { position = 0, starts = 0 } = work.place ?? {}
    return this.move(parked, work, { position, starts, due: work.progress.due })
  }

  private readonly moveFollowers = Effect.fnUntraced({ self: this }, function* (parked: ParkedKey) {
    while (this.state.isMoving && !this.isEnded(parked) && this.mustMove(parked)) {
      const [work] = parked.followers
      if (work === undefined || !this.hasRoom(work)) return
      parked.followers.shift()
      yield* this.move(parked, work, { position: ++parked.lastPosition, starts: 0, due: undefined })
      this.state.host.release(work)
    }
  })

  /** Returns whether the copy was stored. */
  private move(parked: ParkedKey, work: Work, { due, position, starts }: Placement): Effect.Effect<boolean> {
    const { copies, keys, subscriber } = this.state
    return Effect.suspend(() => {
      const name = ParkedName.of(work, position)
      // A parked head keeps its name: its position does not change.
      work.parkedName = name
      keys.addCopy(parked, work, name)
      const source = copySource(subscriber, work, { ...work.progress, due })
      return Effect.onExit(copies.park(work.delivery, source, { position, starts }), (exit) =>
        Effect.sync(() => {
          const copy = parked.copies.get(name)
          if (!(exit._tag === "Success" && exit.value)) keys.removeCopy(parked, name)
          else if (copy !== undefined) copy.stored = true
        })
      )
    })
  }

  /** Whether nothing of the key is parked any more. */
  private isIdle({ copies, headCopy, held, moving }: ParkedKey): boolean {
    return !this.state.resting && !moving && held.size === 0 && copies.size === 0 && headCopy === undefined
  }

  private isEnded(parked: ParkedKey): boolean {
    return this.state.keys.get(parked.key) !== parked
  }

  /** Whether followers must leave the window of the subscriber. */
  private mustMove({ copies, followers, headCopy, headWaits, held, secondsEach }: ParkedKey): boolean {
    const { leaving, maxFollowers } = this.state
    if (leaving !== undefined || headWaits || headCopy !== undefined || followers.length > maxFollowers) return true
    const [next] = followers
    // Each death takes one of the lives that it has left in its queue.
    if (next !== undefined && Returns.countOf(next.delivery) >= Returns.lateCount) return true
    return isTooLong(held.size + copies.size + followers.length, secondsEach)
  }

  isEnding(): boolean {
    return this.state.stopped || this.state.leaving !== undefined
  }

  private hasRoom({ delivery }: Work): boolean {
    return this.state.keys.hasRoom(1, sizeOf(delivery.body))
  }
}
