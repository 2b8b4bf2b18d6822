/** The confirms of one channel, one by one and several at once, in any order, while answers cause new publishes. */
import { assert, describe, it } from "@effect/vitest"
import { Confirms } from "../../../src/amqp/publishing/Confirms.ts"
import { inFlight, type Outgoing, type SendOutcome } from "../../../src/bus/port/Broker.ts"
import { rejected, routed, unknown } from "../../../src/bus/port/SendOutcome.ts"
import { fromSeed } from "../../support/RandomSource.ts"

const { below, next, pick } = fromSeed(20270207)

const message: Outgoing = {
  to: { _tag: "Event", name: "a.b" },
  key: undefined,
  body: "{}",
  properties: { messageId: "m", type: "a.b", timestamp: 0, appId: "test", contentType: "application/json" },
  headers: {}
}

describe("Confirms", () => {
  it("P2: each publish is answered once, with what the broker answered", () => {
    for (let round = 0; round < 60; round++) {
      const confirms = new Confirms()
      const answers = new Map<number, SendOutcome>()
      /** What the broker has not answered. */
      const open = new Set<number>()
      let count = 0
      const publish = (): void => {
        const tag = ++count
        open.add(tag)
        const answered = (outcome: SendOutcome): void => {
          assert.isFalse(answers.has(tag), "answered twice")
          answers.set(tag, outcome)
          if (next() < 0.3 && count < 5000) publish()
        }
        confirms.push(inFlight(message, answered))
      }
      const most = pick([10, 1000, 3000])
      const expected = new Map<number, SendOutcome>()
      while (count < 4000) {
        for (let more = below(most); more > 0; more--) publish()
        for (let more = below(40); more > 0 && open.size > 0; more--) {
          const tag = [...open][below(open.size)] ?? 0
          const [upTo, answer] = [next() < 0.4, pick<SendOutcome>([routed, routed, rejected])]
          const these = upTo ? [...open].filter((each) => each <= tag) : [tag]
          for (const each of these) {
            open.delete(each)
            expected.set(each, answer)
          }
          confirms.settle(tag, upTo, answer)
          assert.strictEqual(answers.size, expected.size)
        }
        // A tag that is settled already, or was never sent, is ignored.
        confirms.settle(1, false, rejected)
        if (open.delete(1)) expected.set(1, rejected)
        assert.strictEqual(answers.get(1), expected.get(1))
        confirms.settle(count + 10, false, rejected)
      }
      const last = count
      confirms.end(unknown)
      for (let tag = 1; tag <= last; tag++)
        assert.strictEqual(answers.get(tag), expected.get(tag) ?? unknown, `tag ${tag}`)
    }
  })
})
