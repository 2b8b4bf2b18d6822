/**
 * Parking: the key of an event that cannot be handled for long leaves the subscriber's queue, so that it
 * blocks no other key and takes no room in the window. The head and the events behind it move by confirmed
 * copies, in order, to a queue of their own. The active process holds all of that queue and runs each key when
 * it is due, head first.
 *
 * - The parked events of a key are always its first ones: a follower moves when all events before it are
 *   stored. So a process that becomes active reads the parked queue first, and then the subscriber's own.
 * - A copy goes to the end of the parked queue; its position decides its place in the lane.
 * - A head that kills its process is found, see `Suspects`.
 */
import * as Effect from "effect/Effect"
import * as ControlMessage from "../delivery/ControlMessage.ts"
import * as Decision from "../delivery/Decision.ts"
import { type Unknown, wait, type Work } from "../delivery/Work.ts"
import type { ParkingApi, ParkingHost } from "../handle/ParkingApi.ts"
import { ParkedArrivals } from "./ParkedArrivals.ts"
import type { ParkedKey } from "./ParkedKeys.ts"
import { ParkedMoves } from "./ParkedMoves.ts"
import * as ParkedName from "./ParkedName.ts"
import { ParkedReminder } from "./ParkedReminder.ts"
import { ParkedRenewal } from "./ParkedRenewal.ts"
import { ParkedSurplus } from "./ParkedSurplus.ts"
import { type ParkingOptions, ParkingState } from "./ParkingState.ts"
import { SlowKeys } from "./SlowKeys.ts"
import { Suspects } from "./Suspects.ts"
import * as WaitInLane from "./WaitInLane.ts"

export const make = (options: ParkingOptions, host: ParkingHost): Parking => new Parking(options, host)

export class Parking implements ParkingApi {
  readonly surplus: ParkedSurplus
  private readonly state: ParkingState
  private readonly reminder: ParkedReminder
  private readonly moves: ParkedMoves
  private readonly arrivals: ParkedArrivals
  private readonly renewal: ParkedRenewal
  private readonly slowKeys: SlowKeys
  readonly suspects: Suspects

  constructor(options: ParkingOptions, host: ParkingHost) {
    const { copies, nextId, subscriber, trials } = options
    this.state = new ParkingState(options, host)
    this.reminder = new ParkedReminder({
      isNeeded: () => this.state.keys.size() > 0,
      send: (id, atOnce) =>
        copies.sendControl(ControlMessage.write({ _tag: "Reminder", id }, subscriber.name, host.now(), atOnce)),
      nextId,
      run: host.run
    })
    this.moves = new ParkedMoves(this.state, this.reminder)
    this.slowKeys = new SlowKeys(this.state, this.moves)
    this.renewal = new ParkedRenewal(this.state, this.moves)
    this.surplus = new ParkedSurplus(this.state)
    this.suspects = new Suspects(this.state, this.moves, trials)
    this.arrivals = new ParkedArrivals(this.state, this.moves, this.renewal)
  }

  takes(work: Work): boolean {
    const { key } = work.event
    if (key === undefined) return false
    if (work.origin.parked) {
      this.arrivals.arrived(work, key)
      return true
    }
    const parked = this.state.keys.get(key)
    if (parked === undefined) return false
    // A process died after the copy was stored and before this original was acknowledged.
    const name = work.delivery.redelivered ? ParkedName.ofOriginal(work) : undefined
    if (name !== undefined && parked.held.has(name)) {
      this.state.host.duplicate(work)
      return true
    }
    parked.followers.push(work)
    this.moves.advance(parked)
    return true
  }

  took(work: Work, seconds: number): void {
    this.slowKeys.took(work, seconds)
  }

  before(work: Work): Effect.Effect<Decision.Decision> | undefined {
    if (work.unknown !== undefined) return this.waitForOthers(work, work.unknown)
    if (!work.origin.parked) return this.slowKeys.leave(work)
    const { host } = this.state
    const parked = this.parkedKey(work)
    if (parked === undefined) return undefined
    this.moves.beginParked(parked)
    const { due } = work.progress
    if (due !== undefined && !parked.released) {
      const { headDue } = parked
      const isOwn = headDue !== undefined && headDue.name === work.parkedName
      const millis = isOwn ? headDue.at - host.monotonic() : due - host.now()
      if (millis > 0) return this.waitFor(parked, work, millis)
    }
    parked.released = false
    return this.suspects.before(parked, work)
  }

  park(work: Work, { attempted, due }: Decision.Park): Effect.Effect<Decision.Decision> {
    const parked = this.parkedKey(work)
    if (!work.origin.parked || parked === undefined)
      return Effect.flatMap(this.moves.parkKey(work, work.event.key ?? "", due), (parked) => {
        if (parked !== undefined) return Effect.succeed(parked)
        // What cannot be stored goes back to the queue when the consumer closes.
        return this.moves.isEnding() ? Decision.settledNow : this.state.policy.waitUnparked(work, due)
      })
    const { position = 0, starts = 0 } = work.place ?? {}
    const undo = attempted ? undefined : this.suspects.undo(work, due)
    return undo ?? this.moves.moveHead(parked, work, { position, starts: attempted ? 0 : starts, due })
  }

  left(work: Work): void {
    const parked = work.origin.parked ? this.parkedKey(work) : undefined
    if (parked === undefined) return
    const { keys } = this.state
    this.renewal.left(work)
    const isLost = work.delivery.lost()
    // It belongs to a consumer before this one.
    if (isLost && !keys.holds(parked, work)) return
    this.suspects.left(work)
    keys.letGo(parked, work)
    // Its consumer is lost, and with it every parked event before the followers.
    if (isLost) this.state.resting = true
    this.moves.advance(parked)
  }

  moved(work: Work): void {
    const parked = this.parkedKey(work)
    if (parked === undefined) return
    if (parked.headCopy !== undefined && parked.headCopy === work.parkedName) parked.awaitsHead = true
    this.state.keys.letGo(parked, work)
    this.moves.advance(parked)
  }

  followers(work: Work): number {
    return this.parkedKey(work)?.followers.length ?? 0
  }

  drop(which: (work: Work) => boolean): ReadonlyArray<Work> {
    const dropped: Array<Work> = this.renewal.replaced().filter(which)
    for (const { followers, held } of this.state.keys.all()) {
      const kept = followers.filter((work) => !which(work))
      dropped.push(...followers.filter(which))
      followers.splice(0, followers.length, ...kept)
      // What was not placed yet is in no lane.
      if (this.state.loading) dropped.push(...[...held.values()].filter(which))
    }
    return dropped
  }

  /** What arrives from now on was parked before; none of it runs until `loaded`. */
  beginLoading(): void {
    this.arrivals.beginLoading()
  }

  /** Stores anew what came back before, if anything did. Nothing is to be loaded until that ends. */
  get renew(): { readonly store: Effect.Effect<void>; readonly arrived: Effect.Effect<void> } | undefined {
    return this.renewal.isNeeded() ? this.renewal : undefined
  }

  /** Everything that was parked before has arrived. */
  loaded(): void {
    this.arrivals.loaded()
  }

  /** Nothing of the parked queue starts any more, since its consumer is about to close. */
  rest(): void {
    const { host, keys } = this.state
    this.state.resting = true
    for (const work of host.mailbox.drop(({ origin }) => origin.parked)) host.release(work)
    for (const { headWaits, held } of keys.all()) {
      if (headWaits) for (const work of held.values()) work.wake?.("Drain")
    }
    // Behind those that wait for their trial: the end of one begins the next.
    this.suspects.endTrial()
  }

  /** Another process becomes active: everything behind an event that waits is stored before. */
  leave(): void {
    this.state.leaving = "storing"
    this.rest()
    for (const parked of this.state.keys.all()) this.moves.advance(parked)
  }

  /** Everything that waited is stored. */
  hasLeft(): void {
    this.state.leaving = "stored"
  }

  /** There is no parked queue. Completes when a key is to be parked in it and it is there. */
  get needed(): Effect.Effect<void> {
    return this.state.needed.await
  }

  /** No queue, no key that needs it. */
  forgetNeed(): void {
    this.state.needed.closeUnsafe()
  }

  /** Sends a reminder at once, to the process that becomes active. */
  get remind(): Effect.Effect<void> {
    return this.reminder.remind
  }

  /** Whether nothing of the parked queue is held. */
  isStill(): boolean {
    return this.state.keys.all().every(({ held }) => held.size === 0)
  }

  /** Forgets everything: there is no consumer. */
  reset(): void {
    const { host, keys } = this.state
    this.state.resting = true
    this.state.leaving = undefined
    this.state.loading = false
    this.reminder.forget()
    this.slowKeys.clear()
    const all = keys.all()
    keys.clear()
    for (const { awaitsHead, followers, headCopy, key } of all) {
      // They come again, behind everything that is parked before them.
      for (const work of followers.splice(0)) host.release(work)
      if (headCopy !== undefined && awaitsHead) host.mailbox.done(key)
    }
  }

  /** Moves nothing any more. */
  stop(): void {
    this.state.stopped = true
  }

  /** Follows a control message; `done` is called when it may be acknowledged. */
  control(control: ControlMessage.ControlMessage, done: () => void): void {
    if (control._tag === "Reminder") return this.reminder.arrived(control.id, done)
    if (control._tag === "Unknown") return done()
    for (const parked of this.state.keys.all()) {
      if (control.key !== undefined && parked.key !== control.key) continue
      parked.released = true
      for (const work of parked.held.values()) work.wake?.("Released")
    }
    done()
  }

  /** Parked events, as far as this process knows. */
  count(): number {
    return this.state.keys.count()
  }

  /** A process that knows it may become active. Until then it stays the first of its key, and no other key waits. */
  private waitForOthers(work: Work, unknown: Unknown): Effect.Effect<Decision.Decision> {
    const { host, policy } = this.state
    const until = policy.waitsUntil(work, unknown)
    if (until <= host.now()) return policy.deadLetterUnknown(work, unknown)
    const parked = this.parkedKey(work)
    if (work.origin.parked && parked !== undefined) {
      if (work.received.unknownSince !== undefined) return this.waitFor(parked, work, until - host.now())
      // It was parked behind another event. Since when it waits is written down, or each handover would begin anew.
      const { position = 0, starts = 0 } = work.place ?? {}
      return this.moves.moveHead(parked, work, { position, starts, due: undefined })
    }
    // Without a due time: a process that knows it runs it at once.
    return Effect.flatMap(this.moves.parkKey(work, work.event.key ?? "", undefined), (decision) =>
      decision === undefined ? WaitInLane.wait(this.state, work, unknown, until - host.now()) : Effect.succeed(decision)
    )
  }

  private parkedKey({ event }: Work): ParkedKey | undefined {
    return this.state.keys.get(event.key ?? "")
  }

  private waitFor(parked: ParkedKey, work: Work, millis: number): Effect.Effect<Decision.Decision> {
    return Effect.suspend(() => {
      parked.headWaits = true
      this.moves.advance(parked)
      return wait(work, millis)
    }).pipe(
      Effect.flatMap((ended) => {
        parked.headWaits = false
        if (ended === "Elapsed" || ended === "Released") work.progress = { ...work.progress, due: undefined }
        return WaitInLane.after(ended, () => this.state.policy.deadLetterLaneFull(work))
      })
    )
  }
}
