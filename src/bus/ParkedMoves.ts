/**
 * Moves events of a parked key to the parked queue, one after the other: a follower when all before it are
 * stored, the head whenever it has to wait again. Followers move while their key waits, or when they are
 * too many; while it catches up they stay, and when nothing is parked any more they go to their lane.
 */
import { sizeOf } from "../event/Body.ts"
import { Effect, type Fiber } from "effect"
import type { Mailbox } from "./Mailbox.ts"
import type { ParkedKey, ParkedKeys } from "./ParkedKeys.ts"
import type { Settlement } from "./Settlement.ts"
import { type Decision, type ParkRequest, subjectOf, type Work } from "./Work.ts"

export const make = (options: {
  readonly subscriber: { readonly name: string }
  readonly settlement: Settlement
  readonly keys: ParkedKeys
  /** So many followers may stay in the window of the subscriber. */
  readonly window: number
  readonly isResting: () => boolean
  readonly isStopped: () => boolean
  readonly box: Mailbox<Work>
  readonly now: () => number
  /** Too much is parked. */
  readonly full: (work: Work) => Effect.Effect<Decision>
  /** Completes when whoever is active next will hear that something is parked. */
  readonly remind: Effect.Effect<void>
  readonly run: (effect: Effect.Effect<void>) => Fiber.Fiber<unknown, unknown>
  /** What is settled, or not ours any more, and has no lane. */
  readonly release: (work: Work) => void
  /** To its lane after all. */
  readonly offer: (work: Work) => void
  readonly pump: () => void
}) => {
  const {
    box,
    full,
    now,
    remind,
    isResting,
    isStopped,
    keys,
    offer,
    pump,
    release,
    run,
    settlement,
    subscriber,
    window
  } = options

  const isIdle = (state: ParkedKey): boolean =>
    !isResting() && !state.shipping && state.here.size === 0 && state.expected.size === 0 && state.away === undefined
  /** Whether what comes must not wait in the window of the subscriber. */
  const moves = (state: ParkedKey): boolean =>
    state.blocked || state.away !== undefined || state.followers.length > window

  const hasRoom = (work: Work): boolean => keys.hasRoom(1, sizeOf(work.delivery.body))

  const attend = (state: ParkedKey): void => {
    if (isStopped() || state.shipping || keys.get(state.key) !== state) return
    if (isIdle(state)) {
      keys.end(state)
      for (const work of state.followers.splice(0)) offer(work)
      return pump()
    }
    const [next] = state.followers
    if (next === undefined || !moves(state)) return
    if (!hasRoom(next)) {
      // Their number is bounded like that of a lane that waits in place.
      if (state.followers.length > window) for (const { wake } of state.here.values()) wake?.("LaneFull")
      return
    }
    state.shipping = true
    run(
      Effect.ensuring(
        ship(state),
        Effect.sync(() => {
          state.shipping = false
          attend(state)
        })
      )
    )
  }

  const ship = Effect.fnUntraced(function* (state: ParkedKey) {
    while (!isStopped() && keys.get(state.key) === state && moves(state)) {
      const [work] = state.followers
      if (work === undefined) return
      if (!hasRoom(work)) return
      state.followers.shift()
      yield* send(state, work, ++state.last, 0, undefined)
      release(work)
    }
  })

  const send = (
    state: ParkedKey,
    work: Work,
    position: number,
    starts: number,
    due: number | undefined
  ): Effect.Effect<boolean> =>
    Effect.suspend(() => {
      keys.expect(state, work)
      const copy = settlement.park(work.delivery, subjectOf(subscriber.name, work, { ...work.progress, due }), {
        position,
        starts
      })
      return Effect.onExit(copy, (exit) =>
        Effect.sync(() => {
          const found = state.expected.get(work.event.id)
          if (exit._tag === "Success" && exit.value) {
            if (found !== undefined) found.stored = true
          } else keys.unexpect(state, work.event.id)
        })
      )
    })

  /** The head goes to the end of the parked queue and stays the head. */
  const move = (
    state: ParkedKey,
    work: Work,
    position: number,
    starts: number,
    due: number | undefined
  ): Effect.Effect<Decision> =>
    Effect.suspend(() => {
      state.away = work.event.id
      state.moved = false
      state.blocked = false
      return send(state, work, position, starts, due).pipe(
        Effect.onExit((exit) =>
          Effect.sync(() => {
            const stored = exit._tag === "Success" && exit.value
            if (!stored && state.away === work.event.id) state.away = undefined
          })
        ),
        Effect.map((stored) => (stored ? ("moved" as const) : ("settled" as const)))
      )
    })

  /** A key that was not parked before, by its head. */
  const first = Effect.fnUntraced(function* (work: Work, key: string, { due }: ParkRequest) {
    if (!keys.hasRoom(1 + box.behind(key), sizeOf(work.delivery.body))) {
      return yield* full(work)
    }
    yield* remind
    if (work.delivery.lost()) return "settled" as const
    const state = keys.begin(key)
    state.followers.push(...box.extract(key))
    state.last = Math.max(state.last + 1, now())
    // Those behind it move when it is stored, and not before.
    state.shipping = true
    return yield* Effect.ensuring(
      move(state, work, state.last, 0, due),
      Effect.sync(() => {
        state.shipping = false
        run(Effect.sync(() => attend(state)))
      })
    )
  })

  return { attend, first, move }
}
