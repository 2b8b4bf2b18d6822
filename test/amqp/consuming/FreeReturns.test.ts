/**
 * What a consumer holds when it closes goes back in order. From RabbitMQ 4.3 on that costs no life where order does not count;
 * elsewhere it costs one.
 */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { describeLive } from "../../support/live.ts"
import { ownRabbit } from "../../support/OwnRabbit.ts"
import { consume, subscriber } from "../setup/Consumers.ts"
import { isFrom43 } from "../setup/NodeSettings.ts"
import { open } from "../setup/OpenBroker.ts"
import { answered, event, outgoing, post } from "../setup/Sends.ts"
import { untilEffect } from "../setup/Until.ts"

const count = 150
const window = 100

describeLive(
  "returns of a consumer that closes",
  () => {
    const node = ownRabbit()

    const held = Effect.fnUntraced(function* (name: string, ordering: "none" | "key") {
      const { broker } = yield* open(node().url)
      yield* broker.declare(subscriber(name, [name], ordering))
      const posts = Array.from({ length: count }, () => post(broker, outgoing(event(name))))
      yield* answered(posts)
      const first = yield* consume(broker, name, window)
      yield* first.reaches(window)
      const isFree = yield* Effect.promise(() => isFrom43(node()))
      return { broker, first, isFree }
    })

    for (const ordering of ["none", "key"] as const)
      for (const acks of ["none", "every other one"] as const)
        it.live(
          `P3, P6, P8: go to the one that waits, in order, and cost a life but without an order on 4.3, ordering "${ordering}", acknowledged: ${acks}`,
          () =>
            Effect.gen(function* () {
              const name = `${ordering}.${acks.length}`
              const { broker, first, isFree } = yield* held(name, ordering)
              const next = yield* consume(broker, name, count)
              if (ordering === "none") yield* next.reaches(count - window)
              const later = next.ids()
              const returned = first.ids().filter((_, n) => acks === "none" || n % 2 === 0)
              if (acks !== "none") first.deliveries.forEach(({ ack }, n) => void (n % 2 === 1 && ack()))
              yield* first.close
              yield* next.reaches(returned.length + count - window)
              const ids = next.ids()
              if (ordering === "none") assert.deepStrictEqual(ids, [...later, ...returned])
              else assert.deepStrictEqual(ids.slice(0, returned.length), returned)
              const counts = next.deliveries
                .filter(({ properties }) => returned.includes(properties.messageId ?? ""))
                .map(({ deliveryCount }) => deliveryCount)
              assert.deepStrictEqual(new Set(counts), new Set([isFree && ordering === "none" ? 0 : 1]))
              assert.deepStrictEqual(next.losses, [])
            })
        )

    it.live("P6: one that waits and closes leaves the active one active", () =>
      Effect.gen(function* () {
        const name = "waits"
        const { broker, first } = yield* held(name, "key")
        const waiting = yield* consume(broker, name, count)
        yield* waiting.close
        const other = yield* consume(broker, name, count)
        for (const { ack } of first.deliveries) ack()
        yield* first.reaches(count)
        assert.deepStrictEqual([waiting.ids(), other.ids()], [[], []])
      })
    )

    it.live("P3, P6: without one that waits all come back in order, too", () =>
      Effect.gen(function* () {
        for (const ordering of ["none", "key"] as const) {
          const name = `alone.${ordering}`
          const { broker, first } = yield* held(name, ordering)
          const returned = first.ids()
          yield* first.close
          yield* untilEffect(
            () => "all are ready",
            Effect.map(broker.depth(name), ({ ready }) => ready === count)
          )
          const next = yield* consume(broker, name, count)
          yield* next.reaches(count)
          assert.deepStrictEqual(next.ids().slice(0, window), returned)
        }
      })
    )
  },
  ["rabbitNode"]
)
