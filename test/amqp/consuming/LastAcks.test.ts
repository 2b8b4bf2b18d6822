/**
 * What was acknowledged just before a channel closes stays acknowledged, on quorum queues, which drop acknowledgements that
 * are beyond 32 at such a moment: they come one by one, since the first delivery is held.
 */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Delivery } from "../../../src/bus/port/Broker.ts"
import { describeLive, rabbitUrl } from "../../support/live.ts"
import { consume, subscriber } from "../setup/Consumers.ts"
import { open } from "../setup/OpenBroker.ts"
import { answered, deadLetterOf, event, outgoing, post } from "../setup/Sends.ts"
import { untilEffect } from "../setup/Until.ts"

const count = 200
/** The broker loses the acknowledgements of most rounds, not of each. */
const rounds = [1, 2, 3]

describeLive(
  "the last acknowledgements",
  () => {
    it.live("P8: of dead letters that were read only what is not acknowledged comes back, in its place", () =>
      Effect.gen(function* () {
        const { broker } = yield* open(rabbitUrl())
        for (const round of rounds) {
          const name = `s${round}`
          yield* broker.declare(subscriber(name, [`x${round}`]))
          const posts = Array.from({ length: count }, () => post(broker, outgoing(deadLetterOf(name))))
          yield* answered(posts)
          const reading = (each: (delivery: Delivery, n: number) => void) =>
            Effect.scoped(
              Effect.gen(function* () {
                const reader = yield* broker.readDeadLetters({ _tag: "Subscriber", name })
                const letters: Array<Delivery> = []
                for (let n = 0; n < reader.count; n++) {
                  const letter = yield* reader.next
                  if (letter !== undefined) letters.push(letter)
                }
                for (const [n, letter] of letters.entries()) {
                  each(letter, n)
                  if (n === 0 || n === 100) reader.keep(letter)
                }
                return letters.map(({ properties }) => properties.messageId)
              })
            )
          const ids = yield* reading(({ ack }, n) => (n === 0 || n === 100 ? undefined : ack()))
          assert.strictEqual(ids.length, count)
          assert.deepStrictEqual(yield* reading(() => {}), [ids[0], ids[100]])
        }
      })
    )

    for (const ordering of ["none", "key"] as const)
      it.live(`P11: of a subscriber that ends only what is not acknowledged comes back, ordering "${ordering}"`, () =>
        Effect.gen(function* () {
          const { broker } = yield* open(rabbitUrl())
          for (const round of rounds) {
            const name = `s${round}`
            yield* broker.declare(subscriber(name, [`x${round}`], ordering))
            yield* answered(Array.from({ length: count }, () => post(broker, outgoing(event(`x${round}`)))))
            const taken: Array<Delivery> = []
            const consumer = yield* consume(broker, name, 250, (delivery) => void taken.push(delivery))
            yield* consumer.reaches(count)
            for (const { ack } of taken.slice(1)) ack()
            yield* consumer.close
            let ready = 0
            // What comes back does so a moment after the consumer is gone.
            yield* untilEffect(
              () => `${ready} came back`,
              Effect.map(broker.depth(name), (depth) => (ready = depth.ready) > 0 && depth.consumers === 0)
            )
            assert.strictEqual(ready, 1)
          }
        })
      )
  },
  ["rabbit"]
)
