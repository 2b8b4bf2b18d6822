/** The order of declarations: nothing can ever be sent to an object that does not exist yet. */
import { assert, describe, it } from "@effect/vitest"
import * as Ladder from "../../../src/amqp/topology/DelayLadder.ts"
import * as Topology from "../../../src/amqp/topology/Topology.ts"

const ns = "ns"
const position = (declared: ReadonlyArray<Topology.Declaration>, entity: string): number => {
  const found = declared.findIndex((declaration) => declaration.entity === entity)
  assert.isAtLeast(found, 0, entity)
  return found
}
const before = (declared: ReadonlyArray<Topology.Declaration>, first: string, second: string): void =>
  assert.isBelow(position(declared, first), position(declared, second), `${first} before ${second}`)

describe("Topology", () => {
  it("T4, T5: a dead-letter queue is declared and bound before the queue that sends to it", () => {
    const shared = [...Topology.shared(ns), ...Topology.upperLevels(ns)]
    before(shared, "binding of ns.undeliverable to ns.undeliverable", "exchange ns.delay.deliver")
    for (let level = 0; level < Ladder.levels; level++) {
      const name = Ladder.levelName(ns, level)
      before(shared, `exchange ${Ladder.below(ns, level)}`, `queue ${name}`)
      // No message may enter a level before the levels below it are there.
      if (level > 0)
        before(shared, `binding of ${Ladder.below(ns, level - 1)} to ${Ladder.below(ns, level)}`, `queue ${name}`)
    }
    const all = [...shared, ...Topology.subscriber(ns, { name: "a", ordering: "none", patterns: ["x"] })]
    before(all, "exchange ns.dead", "queue ns.dead.a")
    before(all, "binding of ns.dead.a to ns.dead", "queue ns.sub.a")
    // Its copies can arrive before the first event can reach it.
    before(all, "binding of ns.sub.a to ns.delay.deliver", "binding of ns.sub.a to ns.events")
  })

  it("N31: everything that is declared can be verified, but for bindings", () => {
    const all = [
      ...Topology.shared(ns),
      ...Topology.upperLevels(ns),
      ...Topology.subscriber(ns, { name: "a", ordering: "key", patterns: ["x", "y.#"] }),
      ...Topology.canaries(ns)
    ]
    for (const { entity, verify } of all) assert.strictEqual(verify === undefined, entity.startsWith("binding"), entity)
  })

  it("N15: every name is in the namespace, and no subscriber can have the name of a canary", () => {
    const all = [
      ...Topology.shared(ns),
      ...Topology.upperLevels(ns),
      ...Topology.subscriber(ns, { name: "a.b", ordering: "none", patterns: ["x"] }),
      ...Topology.canaries(ns)
    ]
    for (const { entity } of all)
      assert.match(entity, /^(?:queue|exchange|binding of) ns\.[a-z0-9.-]+(?: to ns\.[a-z0-9.-]+)?$/)
    assert.notMatch(Topology.canaryPrefix, /^[a-z0-9-]/)
  })
})
