/** Names, namespaces and patterns: the grammar excludes everything dangerous, and matching is that of RabbitMQ (P15). */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import {
  checkPattern,
  matcher,
  maxNameBytes,
  nameFault,
  namespaceFault,
  printable,
  topicMatches
} from "../../src/event/Name.ts"

/** The definition taken literally: slow and obviously correct. */
const naive = (pattern: ReadonlyArray<string>, key: ReadonlyArray<string>): boolean => {
  const [word, ...rest] = pattern
  const [head, ...tail] = key
  if (word === undefined) return key.length === 0
  if (word === "#") return naive(rest, key) || (head !== undefined && naive(pattern, tail))
  return head !== undefined && (word === "*" || word === head) && naive(rest, tail)
}

const word = Schema.Literals(["a", "b", "c"])
const patternWord = Schema.Literals(["a", "b", "*", "#", "#"])
const key = Schema.Array(word).check(Schema.isMaxLength(7))
const pattern = Schema.Array(patternWord).check(Schema.isMaxLength(7))

const nasty = [
  "",
  ".",
  "..",
  "a.",
  ".a",
  "a..b",
  "A",
  "a.B",
  "ä",
  "a b",
  " a",
  "a ",
  "a\n",
  "\na",
  "a\r\nb",
  "a\0",
  "a\0b",
  "a\tb",
  "*",
  "#",
  "a.*",
  "a.#",
  "a.*.b",
  "a/b",
  "a\\b",
  "a'b",
  'a"b',
  "a;b",
  "a:b",
  "a{b}",
  "a[b]",
  "a(b)",
  "a%2e",
  "a$b",
  "a&b",
  "a=b",
  "a+b",
  "a,b",
  "a|b",
  "a<b>",
  "a?b",
  "a!b",
  "a@b",
  "a^b",
  "a~b",
  "a`b",
  "\u2028",
  "a\u2028b",
  "\ud800",
  "a\udfffb",
  "a\u200bb",
  "ａ",
  "а",
  "1\u0301",
  "a_b",
  "__proto__",
  "constructor.prototype ",
  "\ufeffa"
]

describe("nameFault", () => {
  it.each(["a", "a.b", "academic.grade.posted", "0", "-", "a-b.c-1", "constructor", "a".repeat(maxNameBytes)])(
    "accepts %j",
    (name) => assert.isUndefined(nameFault(name))
  )

  it.each(nasty)("refuses %j with a printable message", (name) => {
    const fault = nameFault(name)
    assert.isString(fault)
    // eslint-disable-next-line no-control-regex
    assert.notMatch(fault ?? "", /[\u0000-\u001f\ud800-\udfff]/u)
  })

  it("refuses one byte more than the limit", () => {
    assert.include(nameFault("a".repeat(maxNameBytes + 1)) ?? "", "201")
    assert.isBelow((nameFault("A".repeat(1_000_000)) ?? "").length, 200)
  })

  it("refuses values that are not strings", () => {
    for (const value of [undefined, null, 1, {}, [], ["a"]]) {
      // Names come from parsed JSON, where types are not guaranteed.
      assert.isString(nameFault(value as string))
    }
  })

  it.prop("accepts exactly the words between dots", [Schema.String], ([text]) => {
    const allowed =
      text.length > 0 &&
      text.length <= maxNameBytes &&
      text
        .split(".")
        .every((part) => part.length > 0 && [...part].every((c) => "abcdefghijklmnopqrstuvwxyz0123456789-".includes(c)))
    assert.strictEqual(nameFault(text) === undefined, allowed)
  })
})

describe("namespaceFault", () => {
  it.each(["eduflow", "a", "amqp", "a".repeat(32), "test-1"])("accepts %j", (name) =>
    assert.isUndefined(namespaceFault(name))
  )
  it.each(["", "amq", "a.b", "a".repeat(33), "A", "a b", "a\n", "*", "#"])("refuses %j", (name) =>
    assert.isString(namespaceFault(name))
  )
})

describe("checkPattern", () => {
  it.each(["#", "*", "a.#", "#.a", "*.*", "a.*.b.#", "#.#", "a"])("accepts %j", (text) =>
    assert.doesNotThrow(() => checkPattern(text))
  )
  it.each(["", ".", "a..b", "a.", "a.**", "##", "a#", "a.*b", "A.#", "a.#\n", "#.", "a b", "*.\0", "x".repeat(201)])(
    "refuses %j with a remedy",
    (text) => assert.throws(() => checkPattern(text), /this is not a topic pattern.*Use words of a-z/s)
  )
})

describe("topicMatches", () => {
  it.prop(
    "agrees with the definition",
    [pattern, key],
    ([p, k]) => assert.strictEqual(topicMatches(p, k), naive(p, k)),
    { arbitrary: { runs: 20_000 } }
  )

  it.prop(
    "a pattern made from the key matches it",
    [
      Schema.Array(word).check(Schema.isMinLength(1), Schema.isMaxLength(6)),
      Schema.Array(Schema.Literals(["keep", "star", "drop"]))
    ],
    ([k, moves]) => {
      const made = k.flatMap((w, i) => (moves[i] === "star" ? ["*"] : moves[i] === "drop" ? ["#"] : [w]))
      assert.isTrue(topicMatches(made, k), `${made.join(".")} ${k.join(".")}`)
    }
  )

  it("matches like RabbitMQ in corner cases", () => {
    const match = (p: string, k: string) => topicMatches(p.split("."), k.split("."))
    for (const [p, k] of [
      ["#", "a"],
      ["a.#", "a"],
      ["#.a", "a"],
      ["a.#.b", "a.b"],
      ["a.#.b", "a.x.y.b"],
      ["*.#", "a"],
      ["#.*", "a"],
      ["#.#", "a"],
      ["#.a.#", "a"],
      ["a.#.#", "a"]
    ] as const) {
      assert.isTrue(match(p, k), `${p} ${k}`)
    }
    for (const [p, k] of [
      ["*", "a.b"],
      ["a.*", "a"],
      ["*.#.*", "a"],
      ["a.#.b", "a"],
      ["a.#.b", "a.b.c"],
      ["a", "b"],
      ["a.b", "a"],
      ["#.a", "a.b"]
    ] as const) {
      assert.isFalse(match(p, k), `${p} ${k}`)
    }
  })

  it("does not backtrack exponentially on many #", () => {
    const p = Array.from({ length: 60 }, () => ["#", "a"])
      .flat()
      .concat("b")
    let words = 0
    const k = new Proxy(
      Array.from({ length: 100 }, () => "a"),
      {
        get: (target, name, receiver) => {
          if (typeof name === "string" && /^\d+$/.test(name)) words++
          return Reflect.get(target, name, receiver)
        }
      }
    )
    assert.isFalse(topicMatches(p, k))
    assert.isBelow(words, p.length * k.length)
  })
})

describe("matcher", () => {
  it("N22: does not match reserved names with wildcards", () => {
    for (const text of ["#", "*.#", "*.event.*", "#.dead-lettered"])
      assert.isFalse(matcher(text)("bus.event.dead-lettered"), text)
    for (const text of ["bus.#", "bus.*.*", "bus.event.dead-lettered"])
      assert.isTrue(matcher(text)("bus.event.dead-lettered"), text)
    assert.isTrue(matcher("*.#")("business.event"))
  })

  it("does not accept regular expressions", () => assert.throws(() => matcher("a|b")))
})

describe("printable", () => {
  it.prop("shows no control character and is bounded", [Schema.String], ([text]) => {
    const shown = printable(text)
    // eslint-disable-next-line no-control-regex
    assert.notMatch(shown, /[\u0000-\u001f]/)
    assert.isTrue(shown.isWellFormed())
    assert.isAtMost(shown.length, 80 * 6 + 1)
  })

  it("marks shortened text", () => {
    assert.isTrue(printable("a".repeat(81)).endsWith("…"))
    assert.isFalse(printable("a".repeat(80)).endsWith("…"))
  })
})
