/** RabbitMQ is killed and comes back with everything that it confirmed. */
import { assert, it } from "@effect/vitest"
import { Effect, Random } from "effect"
import type { RabbitNode } from "../../support/RabbitNode.ts"
import { drained, subscriber } from "../setup/Consumers.ts"
import { quickReconnects, open, statusIs } from "../setup/OpenBroker.ts"
import {
  answered,
  assertStored,
  event,
  idsOf,
  outgoing,
  sendMany,
  sendUntilConfirmed,
  type Sent
} from "../setup/Sends.ts"
import { until } from "../setup/Until.ts"

export const powerLossCase = (node: () => RabbitNode): void => {
  it.live(
    "PUB1: power loss with hundreds in flight: each send is answered once, and confirmed messages are stored",
    () =>
      Effect.gen(function* () {
        const { broker } = yield* open(node().url)
        yield* broker.declare(subscriber("a", ["x", "end"]))
        yield* sendUntilConfirmed(broker, () => outgoing(event("end")))
        yield* Effect.promise(() => node().flush())
        const posts: Array<Sent> = []
        yield* sendMany(broker, "x", posts, 400)
        yield* until(
          () => "some confirms",
          () => idsOf(posts, "Confirmed").length > 50
        )
        // Some are under way whenever the node dies, however fast it confirms.
        const sending = Effect.forever(Effect.andThen(sendMany(broker, "x", posts, 50), Effect.yieldNow))
        yield* Effect.raceFirst(
          Effect.promise(() => node().kill()),
          sending
        )
        yield* answered(posts)
        assert.isAbove(idsOf(posts, "Unknown").length, 0)
        yield* Effect.promise(() => node().restart())
        yield* statusIs(broker, "Up")
        assertStored(posts, yield* drained(broker, "a", "end"))
      }).pipe(Effect.provideService(Random.Random, quickReconnects))
  )
}
