/** A bus with dead letters to correct, export and bring back. */
import { Effect, Schedule } from "effect"
import { DeadLetters, EventBus, Reject } from "../../src/index.ts"
import { freshNamespace, rabbitUrl } from "../support/live.ts"
import { Posted } from "./contracts.ts"
import type { Settings } from "./Eventbus.ts"

export const contracts = ["--contracts", new URL("./contracts.ts", import.meta.url).pathname]
export const spaced = Schedule.spaced("20 millis")

/** A bus whose subscriber rejects what begins with "bad", and what it got. */
export const withBus = <A, E, R>(
  use: (parts: {
    readonly bus: EventBus["Service"]
    readonly letters: DeadLetters["Service"]
    readonly settings: Settings
    readonly handled: ReadonlyArray<string>
    readonly depth: (count: number) => Effect.Effect<unknown>
  }) => Effect.Effect<A, E, R>,
  signed = false
) =>
  Effect.gen(function* () {
    const namespace = freshNamespace()
    const secret = "0123456789abcdef0123456789abcdef"
    const settings: Settings = {
      EVENTBUS_URL: rabbitUrl(),
      EVENTBUS_NAMESPACE: namespace,
      ...(signed && { EVENTBUS_SIGNING_SECRET: secret, EVENTBUS_SIGNING: "require" })
    }
    const handled: Array<string> = []
    return yield* Effect.gen(function* () {
      const bus = yield* EventBus
      const letters = yield* DeadLetters
      yield* bus.subscribe("mailer", {
        events: [Posted],
        concurrency: 1,
        handler: ({ data, id }) =>
          Effect.suspend(() => {
            handled.push(`${id} ${data.pin ?? "-"}`)
            return data.pin?.startsWith("bad") === true ? new Reject({ reason: "bad" }) : Effect.void
          })
      })
      const depth = (count: number) =>
        Effect.repeat(Effect.orDie(letters.count("mailer")), { until: (found) => found === count, schedule: spaced })
      return yield* use({ bus, letters, settings, handled, depth })
    }).pipe(
      Effect.scoped,
      Effect.provide(
        EventBus.layerAmqp({
          url: rabbitUrl(),
          namespace,
          publishChannels: 1,
          ...(signed && { signing: { secret, mode: "require" as const } })
        })
      )
    )
  })
