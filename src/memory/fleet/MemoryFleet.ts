/** `Fleet` in the memory of one process: its buses are the processes of the fleet, and it ends with them. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Fleet, type OperatorPause, type Presence, timeToLiveMillis } from "../../bus/port/Fleet.ts"
import * as Monotonic from "../../observe/Monotonic.ts"

export const make: Effect.Effect<Fleet["Service"]> = Effect.map(Monotonic.make, (now) => {
  const present = new Map<string, { readonly presence: Presence; readonly at: number }>()
  const paused = new Map<string, OperatorPause>()
  const forget = (): void => {
    for (const [process, { at }] of present) if (now() - at >= timeToLiveMillis) present.delete(process)
  }
  const pauses = Effect.sync(() => new Map(paused))
  return {
    appear: (presence) =>
      Effect.andThen(
        Effect.sync(() => {
          forget()
          present.set(presence.process, { presence, at: now() })
        }),
        pauses
      ),
    leave: (process) => Effect.sync(() => void present.delete(process)),
    pauses,
    processes: Effect.sync(() => {
      forget()
      return [...present.values()].map(({ at, presence }) => ({ record: presence, millisAgo: now() - at }))
    }),
    pause: (subscriber, pause) => Effect.sync(() => void paused.set(subscriber, pause)),
    resume: (subscriber) => Effect.sync(() => paused.delete(subscriber))
  }
})

export const layer: Layer.Layer<Fleet> = Layer.effect(Fleet, make)
