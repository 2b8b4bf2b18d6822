/** RabbitMQ is killed, and comes back with what it has confirmed. */
import { assert, it } from "@effect/vitest"
import { Effect, Random } from "effect"
import type { RabbitNode } from "../support/RabbitNode.ts"
import {
  answered,
  assertStored,
  drained,
  event,
  hasty,
  idsOf,
  open,
  outgoing,
  sendMany,
  sendUntilConfirmed,
  type Sent,
  statusIs,
  subscriber,
  until
} from "./Stage.ts"

export const powerLossCase = (node: () => RabbitNode): void => {
  it.live(
    "PUB1: power loss with hundreds on their way: each send is answered once, what was confirmed is there",
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
        yield* sendMany(broker, "x", posts, 200)
        yield* Effect.promise(() => node().kill())
        yield* answered(posts)
        assert.isAbove(idsOf(posts, "Lost").length, 0)
        yield* Effect.promise(() => node().restart())
        yield* statusIs(broker, "Up")
        assertStored(posts, yield* drained(broker, "a", "end"))
      }).pipe(Effect.provideService(Random.Random, hasty)),
    60_000
  )
}
