/** No secret leaves: a sensitive value is hidden in a text whatever its kind, and however the text spells it (P14). */
import { assert, describe, it } from "@effect/vitest"
import { Option, Redacted, Schema } from "effect"
import { inspect } from "node:util"
import type { DataSchema } from "../../src/event/standard/StandardSchema.ts"
import * as Event from "../../src/event/Event.ts"
import { InvalidEvent } from "../../src/event/EventError.ts"
import { Secrets } from "../../src/event/sensitive/Secrets.ts"
import { sensitive } from "../../src/event/sensitive/Sensitive.ts"

const mail = "Zoë.Śmith+a b/9@example.org"
const key = Uint8Array.from([0xca, 0xfe, 0xba, 0xbe, 0x00, 0x11, 0x22, 0x33, 0x44, 0x55])
const url = new URL("https://ada:p%40ssw0rd@vault.example/keys/7?token=tok-55512")

/** A kind of secret, and the forms of it that a text may quote. */
const kinds: ReadonlyArray<readonly [string, DataSchema, unknown, ReadonlyArray<string>]> = [
  ["a text", sensitive(Schema.String), mail, [mail]],
  ["a URL", sensitive(Schema.URL), url, [url.href, "p%40ssw0rd", "p@ssw0rd", "vault.example", "tok-55512", "/keys/7"]],
  ["a text that is a URL", sensitive(Schema.String), "redis://u:pw@cache", ["redis://u:pw@cache", "u:pw@cache"]],
  ["a Redacted, without a mark", Schema.Redacted(Schema.String), Redacted.make(mail), [mail]],
  ["a Redacted number", Schema.Redacted(Schema.Finite), Redacted.make(48_151), ["48151"]],
  [
    "bytes",
    sensitive(Schema.Uint8Array),
    key,
    [
      Buffer.from(key).toString("hex"),
      Buffer.from(key).toString("base64"),
      key.join(","),
      key.join(", "),
      Buffer.from(key)
        .toString("hex")
        .replace(/..(?!$)/g, "$& ")
    ]
  ],
  ["bytes that are text", sensitive(Schema.Uint8Array), Buffer.from(mail), [mail]],
  ["a key of a record", Schema.Record(sensitive(Schema.String), Schema.Finite), { [mail]: 1 }, [mail]],
  [
    "keys and values of a record",
    sensitive(Schema.Record(Schema.String, Schema.String)),
    { [mail]: "Xaver-9" },
    [mail, "Xaver-9"]
  ],
  ["a key of a map", Schema.ReadonlyMap(sensitive(Schema.String), Schema.Finite), new Map([[mail, 1]]), [mail]],
  ["two letters", sensitive(Schema.String), "Qz", ["Qz"]],
  ["three letters", sensitive(Schema.String), "Qzx", ["Qzx", "qzx", "QZX"]],
  ["two digits", sensitive(Schema.Finite), 47, ["47"]],
  ["yes or no", sensitive(Schema.Boolean), true, ["true"]],
  [
    "a part of a template",
    Schema.TemplateLiteral(["user:", sensitive(Schema.String), ":eu"]),
    `user:${mail}:eu`,
    [mail, `user:${mail}:eu`]
  ],
  [
    "a time",
    sensitive(Schema.Date),
    new Date(922_924_800_000),
    ["1999-04-01T00:00:00.000Z", "1999-04-01", "922924800000"]
  ],
  ["an option", sensitive(Schema.Option(Schema.String)), Option.some(mail), [mail]]
]

/** What programs make of a text before they quote it. */
const spellings: ReadonlyArray<readonly [string, (text: string) => string]> = [
  ["as it is", (text) => text],
  ["in lower case", (text) => text.toLowerCase()],
  ["in JSON", (text) => JSON.stringify(text).slice(1, -1)],
  ["in a URL", encodeURIComponent],
  ["in a whole URL", encodeURI],
  ["in a form", (text) => new URLSearchParams([["", text]]).toString().slice(1).replaceAll("*", "%2A")],
  ["in base64", (text) => Buffer.from(text).toString("base64")],
  ["in base64 for URLs", (text) => Buffer.from(text).toString("base64url")],
  ["in the base64 of a longer text", (text) => Buffer.from(`a:${text}`).toString("base64")],
  ["in hexadecimal digits", (text) => Buffer.from(text).toString("hex")],
  ["its first eight characters", (text) => text.slice(0, 8)],
  ["cut in the middle", (text) => text.slice(0, 12)]
]

const redact = (schema: DataSchema, value: unknown, text: string): string =>
  Event.make("a.b", { version: 1, data: Schema.Struct({ m: schema, open: Schema.String }) }).dataCodec.redact(text, {
    m: value,
    open: "visible"
  })

describe("sensitive values in texts", () => {
  it.each(kinds.map(([kind, schema, value, forms]) => ({ kind, schema, value, forms })))(
    "$kind",
    ({ forms, schema, value }) => {
      for (const form of forms) {
        const clean = redact(schema, value, `it failed on ${form}, visible`)
        assert.notInclude(clean, form)
        assert.match(clean, /^it failed on (?:\w+:\/\/)?<redacted>.*, visible$/, form)
      }
    }
  )

  it.each(spellings.map(([spelling, of]) => ({ spelling, of })))("$spelling", ({ of }) => {
    for (const secret of [mail, "Hunter2-and-more", '"quoted"\\and\tmore']) {
      const form = of(secret)
      const clean = redact(sensitive(Schema.String), secret, `(${form})`)
      assert.match(clean, /^\(.{0,3}<redacted>.{0,4}\)$/, form)
    }
  })

  it("bytes are hidden as the console shows them", () => {
    for (const length of [3, 7, 40, 100]) {
      const secret = Uint8Array.from({ length }, (_, i) => (i * 83 + 17) % 256)
      for (const shown of [
        inspect(secret),
        inspect({ deep: [{ secret }] }, { depth: 9 }),
        inspect(Buffer.from(secret))
      ]) {
        const clean = redact(sensitive(Schema.Uint8Array), secret, shown)
        // What is left of a row is less than eight characters, as of any secret.
        for (const rest of clean.split(/<redacted>|\n/)) assert.notMatch(rest, /(?:\b[0-9a-f]{1,3},? +){3}/, shown)
      }
    }
  })

  it("a short value is hidden as a word and not within other words", () => {
    assert.strictEqual(redact(sensitive(Schema.String), "an", "an error: cannot plan"), "<redacted> error: cannot plan")
    assert.strictEqual(
      redact(sensitive(Schema.String), "Ann", "ann cannot, Anna can"),
      "<redacted> cannot, <redacted>a can"
    )
    assert.strictEqual(redact(sensitive(Schema.Finite), 42, "42 of 1422"), "<redacted> of 1422")
  })

  it("names of fields are no secrets, nor is the scheme of a URL", () => {
    const card = sensitive(Schema.Struct({ number: Schema.String }))
    assert.strictEqual(redact(card, { number: "4111-1111" }, "card.number 4111-1111"), "card.number <redacted>")
    assert.strictEqual(
      redact(sensitive(Schema.String), "https://vault.example/a", "no https://open.example"),
      "no https://open.example"
    )
  })

  it("two secrets side by side are one gap, the longer one wins", () => {
    const secrets = new Secrets()
    for (const text of ["Ann", "Ann-Kathrin Smith", "Smith"]) secrets.addText(text)
    assert.strictEqual(secrets.hide("Ann-Kathrin SmithAnn greets Smith"), "<redacted> greets <redacted>")
  })

  it("the search is bounded: a long text is cut, and of a text with too many secrets nothing is shown", () => {
    const secrets = new Secrets()
    secrets.addText("hunter2-hunter2")
    const cut = secrets.hide(`${"x".repeat(1_000_000)}hunter2-hunter2`)
    assert.isBelow(cut.length, 20_000)
    for (let n = 0; n < 20_000; n++) secrets.addText(`secret number ${n}`)
    assert.strictEqual(secrets.hide("it failed on secret number 19999"), "<redacted>")
  })

  it("secrets that begin alike hide the rest of the word when they are too many to compare", () => {
    const secrets = new Secrets()
    for (let n = 0; n < 100; n++) secrets.addText(`student-${n}@example.org`)
    assert.strictEqual(secrets.hide("no student-7@example.org, visible"), "no <redacted> visible")
  })

  it("values that throw when they are read hide what they can", () => {
    const wiped = Redacted.make("Hunter2-and-more")
    Redacted.wipeUnsafe(wiped)
    assert.strictEqual(redact(sensitive(Schema.Redacted(Schema.String)), wiped, "fine"), "fine")
    assert.strictEqual(redact(sensitive(Schema.Date), new Date(Number.NaN), "fine"), "fine")
    assert.strictEqual(redact(sensitive(Schema.String), "\ud800-lone-half", "a \ud800-lone-half"), "a <redacted>")
  })
})

describe("texts from outside in messages", () => {
  it("are on one line, and a terminal obeys none of their characters", () => {
    const { message } = InvalidEvent.of("evil\u001b[2J\u009b\u202e\r\nforged", "data.\u001b[1A", "expected text")
    assert.strictEqual(
      message,
      'event "evil\\u001b[2J\\u009b\\u202e\\u000d\\u000aforged" is invalid: data.\\u001b[1A: expected text'
    )
  })
})
