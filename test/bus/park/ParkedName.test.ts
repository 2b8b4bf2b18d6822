/** Which deliveries of a parked key are one event. */
import { assert, it } from "@effect/vitest"
import * as ParkedName from "../../../src/bus/park/ParkedName.ts"

const delivered = (source: string, type: string, id: string, body = "{}") => ({
  delivery: { body },
  event: { source, type, id }
})

it("N17: deliveries of one source, type, id and body have one name, whatever their position", () => {
  const name = ParkedName.of(delivered("north", "a.b", "17"), 1)
  assert.strictEqual(ParkedName.of(delivered("north", "a.b", "17"), 2), name)
  assert.strictEqual(ParkedName.ofOriginal(delivered("north", "a.b", "17")), name)
  for (const other of [
    delivered("south", "a.b", "17"),
    delivered("north", "a.c", "17"),
    delivered("north", "a.b", "18"),
    delivered("north", "a.b", "17", '{"n":1}')
  ])
    assert.notStrictEqual(ParkedName.of(other, 1), name)
})

it("N17: without an id only a copy has the name of an event", () => {
  const one = delivered("", "a.b", "", '{"n":1}')
  assert.strictEqual(ParkedName.of(one, 5), ParkedName.of(one, 5))
  assert.notStrictEqual(ParkedName.of(one, 5), ParkedName.of(one, 6))
  assert.notStrictEqual(ParkedName.of(one, 5), ParkedName.of(delivered("", "a.b", "", '{"n":2}'), 5))
  assert.isUndefined(ParkedName.ofOriginal(one))
})
