/**
 * Parking: the key of an event that cannot be handled for long leaves the subscriber's queue, so that it
 * holds nobody else and no window. The head and what follows it move by confirmed copies, in order, to a
 * queue of their own; the process that is active holds all of it and runs it when it is due, head first.
 *
 * - What of a key is parked is always the first part of its events: a follower is moved when all before
 *   it are stored. So whoever becomes active reads what is parked first, and then its queue.
 * - A copy goes to the end of the parked queue; its place in its lane is by position.
 * - A parked head that kills its process is found: once it came back, its starts are written down.
 */
import { Effect, type Fiber } from "effect"
import { countOf } from "./Caution.ts"
import type { Settlement } from "./Settlement.ts"
import * as Control from "./Control.ts"
import * as InPlace from "./InPlace.ts"
import type { Mailbox } from "./Mailbox.ts"
import * as ParkedKeys from "./ParkedKeys.ts"
import * as ParkedMoves from "./ParkedMoves.ts"
import * as Reminders from "./Reminders.ts"
import type { Decision, ParkRequest, Policy, Work } from "./Work.ts"

/** So many starts of a parked event that did not end make it a killer. */
const maxStarts = 5

export interface Parking {
  /** Whether it has taken a delivery that must not go to its lane now. */
  readonly takes: (work: Work) => boolean
  /** What has to be done before a parked one may run, if anything. */
  readonly before: (work: Work) => Effect.Effect<Decision> | undefined
  /** Parks a key by its head, or its head once more. */
  readonly park: (work: Work, request: ParkRequest) => Effect.Effect<Decision>
  /** Told when a parked delivery is settled, moved or given up. */
  readonly left: (work: Work) => void
  /** Told when the lane is free for nobody but the copy of this head. */
  readonly moved: (work: Work) => void
  /** Takes back what stands behind parked keys. */
  readonly drop: (which: (work: Work) => boolean) => ReadonlyArray<Work>
  /** What arrives from now on was there before; none of it runs. */
  readonly loading: () => void
  /** All that was there has arrived. */
  readonly loaded: () => void
  /** Nothing of the parked queue starts any more, since its consumer is about to be closed. */
  readonly rest: () => void
  /** Whether nothing of the parked queue is held. */
  readonly isStill: () => boolean
  /** Nothing is known any more: there is no consumer. */
  readonly reset: () => void
  readonly stop: () => void
  /** Does what it says; `done` when nothing is lost with it. */
  readonly control: (control: Control.Control, done: () => void) => void
  readonly count: () => number
}

/** The runner that it works for. */
export interface Surroundings {
  readonly box: Mailbox<Work>
  readonly now: () => number
  readonly run: (effect: Effect.Effect<unknown>) => Fiber.Fiber<unknown, unknown>
  /** What is settled, or not ours any more, and has no lane. */
  readonly release: (work: Work) => void
  /** A second delivery of what is parked already. */
  readonly duplicate: (work: Work) => void
  /** To its lane after all. */
  readonly offer: (work: Work) => void
  readonly pump: () => void
}

export interface Options {
  readonly subscriber: { readonly name: string; readonly prefetch: number }
  readonly settlement: Settlement
  readonly policy: Policy
  readonly nextId: () => string
}

export const make = ({ nextId, policy, settlement, subscriber }: Options, options: Surroundings): Parking => {
  const { box, now, run } = options
  const keys = ParkedKeys.make()
  let beginning = 0
  const reminders = Reminders.make({
    needed: () => keys.size() + beginning > 0,
    send: (id) => settlement.tell(Control.write({ _tag: "Reminder", id }, subscriber.name, now())),
    nextId,
    run
  })
  /** Whether nothing of the parked queue may run. */
  let resting = true
  let loading = false
  let stopped = false
  /** Copies that were stored when the consumer was opened, and did not arrive yet. */
  let awaited = new Set<string>()

  const { attend, first, move } = ParkedMoves.make({
    subscriber,
    settlement,
    keys,
    window: subscriber.prefetch / 2,
    isResting: () => resting,
    isStopped: () => stopped,
    box,
    now,
    full: policy.full,
    remind: Effect.suspend(() => {
      beginning++
      return Effect.ensuring(
        reminders.ensure,
        Effect.sync(() => {
          beginning--
        })
      )
    }),
    run,
    release: options.release,
    offer: options.offer,
    pump: options.pump
  })

  const place = (state: ParkedKeys.ParkedKey, work: Work): void => {
    if (state.away === work.event.id) {
      state.away = undefined
      return box.again(work, state.key)
    }
    const { position = 0 } = work.place ?? {}
    box.insert(work, state.key, (other) => (other.place?.position ?? Number.POSITIVE_INFINITY) > position)
  }
  const arrived = (work: Work, key: string): void => {
    // It comes again, with all others.
    if (resting && !loading) return options.release(work)
    const { id } = work.event
    const state = keys.begin(key)
    keys.unexpect(state, id)
    awaited.delete(id)
    const twin = state.here.get(id)
    if (twin !== undefined && state.away !== id) {
      // A process died between a copy and its acknowledgement: the one that knows more counts.
      const newer = twin.progress.attempt < work.progress.attempt
      if (!newer || !(loading || box.remove(twin, key))) {
        work.delivery.ack()
        return options.release(work)
      }
      twin.delivery.ack()
      options.release(twin)
    }
    keys.arrived(state, work)
    state.last = Math.max(state.last, work.place?.position ?? 0)
    // Its head may be the last to come.
    if (!loading) place(state, work)
  }

  const waitFor = (state: ParkedKeys.ParkedKey, work: Work, due: number): Effect.Effect<Decision> =>
    Effect.suspend(() => {
      state.blocked = true
      attend(state)
      return InPlace.wait(work, due - now())
    }).pipe(
      Effect.flatMap((ended): Effect.Effect<Decision> => {
        state.blocked = false
        switch (ended) {
          case "elapsed":
          case "Released":
            work.progress = { ...work.progress, due: undefined }
            return Effect.succeed("again")
          case "LaneFull":
            return policy.full(work)
          case "Drain":
          case "Lost":
            return Effect.succeed("settled")
        }
      })
    )

  return {
    takes: (work) => {
      const { id, key } = work.event
      if (key === undefined) return false
      if (work.origin.parked) {
        arrived(work, key)
        return true
      }
      const state = keys.get(key)
      if (state === undefined) return false
      // Its process died between the copy and the acknowledgement.
      if (work.delivery.redelivered && state.here.has(id)) {
        options.duplicate(work)
        return true
      }
      state.followers.push(work)
      attend(state)
      return true
    },
    before: (work) => {
      const state = keys.get(work.event.key ?? "")
      if (state === undefined || !work.origin.parked) return undefined
      const { place } = work
      const count = countOf(work.delivery)
      const starts = place?.starts ?? 0
      const { due } = work.progress
      const released = state.released
      if (due !== undefined && due > now() && !released) return waitFor(state, work, due)
      state.released = false
      if (count >= 2 || (starts > 0 && count > 0)) {
        work.progress = { ...work.progress, returns: 0 }
        return starts >= maxStarts
          ? policy.crashed(work)
          : move(state, work, place?.position ?? 0, starts + 1, undefined)
      }
      return undefined
    },
    park: (work, request) => {
      const key = work.event.key ?? ""
      const state = keys.get(key)
      return work.origin.parked && state !== undefined
        ? move(state, work, work.place?.position ?? 0, request.unattempted ? (work.place?.starts ?? 0) : 0, request.due)
        : first(work, key, request)
    },
    left: (work) => {
      const state = keys.get(work.event.key ?? "")
      if (state === undefined || !work.origin.parked) return
      keys.left(state, work)
      // With its consumer everything is gone that stands before the followers.
      if (work.delivery.lost()) resting = true
      attend(state)
    },
    moved: (work) => {
      const state = keys.get(work.event.key ?? "")
      if (state === undefined) return
      if (state.away === work.event.id) state.moved = true
      keys.left(state, work)
      attend(state)
    },
    drop: (which) => {
      const dropped: Array<Work> = []
      for (const { followers, here } of keys.all()) {
        const kept = followers.filter((work) => !which(work))
        dropped.push(...followers.filter(which))
        followers.splice(0, followers.length, ...kept)
        // What was not placed yet is in no lane.
        if (loading) dropped.push(...[...here.values()].filter(which))
      }
      return dropped
    },
    loading: () => {
      loading = true
      awaited = new Set(
        keys.all().flatMap(({ expected }) => [...expected].flatMap(([id, { stored }]) => (stored ? [id] : [])))
      )
    },
    loaded: () => {
      loading = false
      resting = false
      for (const state of keys.all()) {
        for (const work of state.here.values()) place(state, work)
        // What was stored and is not there was taken away by somebody else.
        for (const id of state.expected.keys()) {
          if (!awaited.has(id)) continue
          keys.unexpect(state, id)
          if (state.away !== id) continue
          state.away = undefined
          box.done(state.key)
        }
      }
      awaited = new Set()
      for (const state of keys.all()) attend(state)
      options.pump()
    },
    rest: () => {
      resting = true
      for (const work of box.drop(({ origin }) => origin.parked)) options.release(work)
      for (const { blocked, here } of keys.all()) if (blocked) for (const work of here.values()) work.wake?.("Drain")
    },
    isStill: () => keys.all().every(({ here }) => here.size === 0),
    reset: () => {
      resting = true
      loading = false
      reminders.forget()
      const all = keys.all()
      keys.clear()
      for (const { away, followers, key, moved } of all) {
        // They come again, with all that stands before them.
        for (const work of followers.splice(0)) options.release(work)
        if (away !== undefined && moved) box.done(key)
      }
    },
    stop: () => {
      stopped = true
    },
    control: (control, done) => {
      if (control._tag === "Release") {
        for (const state of keys.all()) {
          if (control.key !== undefined && state.key !== control.key) continue
          state.released = true
          for (const work of state.here.values()) work.wake?.("Released")
        }
        return done()
      }
      reminders.arrived(control.id, done)
    },
    count: keys.count
  }
}
