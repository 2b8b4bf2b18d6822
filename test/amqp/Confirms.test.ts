/** The confirms of one channel, in any order, by ones and by many, while answers bring new publishes: each is told once. */
import { assert, describe, it } from "@effect/vitest"
import * as Confirms from "../../src/amqp/Confirms.ts"
import { chance } from "../chaos/Chance.ts"

const { below, next, pick } = chance(20270207)

describe("confirms", () => {
  it("P2: each publish is answered once, and as the broker said", () => {
    for (let round = 0; round < 60; round++) {
      const confirms = Confirms.make()
      const told = new Map<number, Confirms.Answer>()
      /** What the broker has not answered. */
      const open = new Set<number>()
      let count = 0
      const publish = (): void => {
        const tag = ++count
        open.add(tag)
        confirms.push((answer) => {
          assert.isFalse(told.has(tag), "told twice")
          told.set(tag, answer)
          if (next() < 0.3 && count < 5000) publish()
        })
      }
      const most = pick([10, 1000, 3000])
      const expected = new Map<number, Confirms.Answer>()
      while (count < 4000) {
        for (let more = below(most); more > 0; more--) publish()
        for (let answers = below(40); answers > 0 && open.size > 0; answers--) {
          const tag = [...open][below(open.size)] ?? 0
          const [upTo, answer] = [next() < 0.4, pick(["ack", "ack", "nack"] as const)]
          const these = upTo ? [...open].filter((each) => each <= tag) : [tag]
          for (const each of these) {
            open.delete(each)
            expected.set(each, answer)
          }
          confirms.settle(tag, upTo, answer)
          assert.strictEqual(told.size, expected.size)
        }
        // What is settled, and what never was sent, is nothing.
        confirms.settle(1, false, "nack")
        if (open.delete(1)) expected.set(1, "nack")
        assert.strictEqual(told.get(1), expected.get(1))
        confirms.settle(count + 10, false, "nack")
      }
      const last = count
      confirms.end("lost")
      for (let tag = 1; tag <= last; tag++) assert.strictEqual(told.get(tag), expected.get(tag) ?? "lost", `tag ${tag}`)
    }
  })
})
