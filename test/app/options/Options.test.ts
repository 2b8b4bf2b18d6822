/** Every call of the doors that takes options refuses wrong ones at once, with one typed error that names the option. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Predicate } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { createEventBus } from "../../../src/index.ts"
import { callPlaces } from "./CallPlaces.ts"
import { layerPlaces } from "./LayerPlaces.ts"
import { close, open, rejecting } from "./Setup.ts"

const places = { ...layerPlaces, ...callPlaces }
beforeAll(open)
afterAll(close)

/** What an error says besides its name. */
const read = (error: unknown, tag: string): string => {
  assert.instanceOf(error, Error)
  assert.strictEqual(Reflect.get(error, "_tag"), tag, String(error))
  assert.isAtMost(error.message.length, 1_000)
  return error.message
}

/** The paths of empty texts in what an error holds, which logs and `console.error` print as they are. */
const emptyPartsOf = (value: unknown, path = ""): ReadonlyArray<string> =>
  value === ""
    ? [path]
    : Predicate.isObjectOrArray(value)
      ? Object.entries(value).flatMap(([name, part]) => emptyPartsOf(part, `${path}.${name}`))
      : []

for (const [call, { base, misspelled, refuses, required, tag, wrong }] of Object.entries(places)) {
  // A caller without types.
  const refusal = (options: unknown) => refuses(options as never).then((error) => read(error, tag))

  describe(`the options of ${call}`, () => {
    it("are refused when one does not exist: the error names it, its value and the one that was meant", async () => {
      const [name, meant] = misspelled
      const message = await refusal({ ...base, [name]: 7 })
      assert.include(message, name)
      assert.include(message, "there is no such option (its value is 7)")
      if (meant !== "") assert.include(message, `Did you mean \`${meant}\`?`)
    })

    it("are refused by an error without an empty part, and with no character that a terminal obeys", async () => {
      const [misspelt] = misspelled
      for (const name of [misspelt, "", "\u202e\u001b[2J", "x".repeat(3_000)]) {
        const error = await refuses({ ...base, [name]: "\u202e\u001b[2J" } as never)
        const message = read(error, tag)
        assert.include(message, name === misspelt ? name : "there is no such option")
        // oxlint-disable-next-line no-control-regex
        assert.notMatch(message, /\(\)|``|"" |^:|\s\s|[\u001b\u202e]/)
        assert.deepStrictEqual(emptyPartsOf(error), [])
      }
    })

    it("are refused when one is of a wrong kind", async () => {
      const [name, value, quoted] = wrong
      const message = await refusal({ ...base, [name]: value })
      assert.include(message, name)
      assert.include(message, quoted)
    })

    it("are refused when they are no object", async () => {
      for (const options of [null, 7, [7]]) assert.match(await refusal(options), /object/)
    })

    if (required !== undefined) {
      it(`are refused without \`${required}\``, async () => {
        const message = await refusal({ ...base, [required]: undefined })
        assert.include(message, required)
        assert.match(message, /it is missing|it is not set/)
      })
    }
  })
}

describe("the doors", () => {
  it("have no other call that takes options", () => {
    const known = new Set(Object.values(places).flatMap(({ types }) => types))
    const found = ["events", "testing", "ports"].flatMap((door) =>
      [
        ...readFileSync(join(import.meta.dirname, `../../../api/${door}.md`), "utf8").matchAll(
          /\boptions\??: ([^;)&]+)/g
        )
      ]
        .flatMap(([, types = ""]) => types.replace(/\n.*/s, "").split(" | "))
        .map((type) => type.replace(/".*|, \w+\??: .*/s, ""))
        .map((type) => (type.startsWith("Omit") ? type : type.trim()))
    )
    // An adapter implements these, and the library itself calls the last one; nobody else does.
    const ports = new Set([
      "ConsumeOptions",
      "ForeignConsumeOptions",
      "Omit<ConsumeOptions, ",
      "EphemeralOptions",
      "unknown"
    ])
    assert.isAbove(found.length, 60)
    assert.deepStrictEqual(
      [...new Set(found)].filter((type) => !known.has(type) && !ports.has(type)),
      []
    )
  })

  it("never quote what may be a secret", async () => {
    for (const options of [
      { url: "memory://", pasword: "canary-5ecret" },
      { url: "memory://", signing: { secrets: "canary-5ecret" } },
      { url: "memory://", redisTls: "canary-5ecret" },
      { url: "memory://", topology: "canary-5ecret" }
    ])
      assert.notInclude(read(await rejecting(() => createEventBus(options as never)), "BrokerError"), "5ecret")
  })
})
